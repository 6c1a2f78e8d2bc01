/*
 * Memory for the parts of one answer: names of files, a small body, the head, the line of
 * the log.  They stand close together here, so that a worker touches a page or two; with
 * a buffer for the largest of each they would be pages apart.
 */
#ifndef PREFORKD_HTTP_SCRATCH_H
#define PREFORKD_HTTP_SCRATCH_H

#include "util.h"

#include <stddef.h>

/* So many bytes, valid until the next http_scratch_clear(); NULL: there is no room. */
char *http_scratch_take(size_t size);

/* As by asprintf(3), of just its length. */
char *http_scratch_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* What is at and behind end is not needed of what was taken last. */
void http_scratch_trim(const char *end);

void http_scratch_clear(void);

#endif
