/* Documents out of lines of the control socket, for tests of what is made of them. */
#ifndef PREFORKD_TESTS_STATUS_LINES_H
#define PREFORKD_TESTS_STATUS_LINES_H

#include "status_doc.h"

/* As status_doc_add(). */
int status_lines_add(struct status_doc *doc, const char *text, char **err);

/* A document of these lines, up to NULL. */
struct status_doc *status_lines_document(const char *const *lines);

/* What is printed of these lines. */
char *status_lines_printed(void (*print)(const struct status_doc *, FILE *),
			   const char *const *lines);

#endif
