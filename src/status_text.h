/*
 * The status as text, for people: tables whose columns line up, and a sentence for what is
 * out of the ordinary.  It may change from version to version; programs read the JSON.
 */
#ifndef PREFORKD_STATUS_TEXT_H
#define PREFORKD_STATUS_TEXT_H

#include "status_doc.h"

#include <stdbool.h>

void status_text_print(const struct status_doc *doc, FILE *out);
void status_text_print_workers(const struct status_doc *doc, FILE *out);

/*
 * What is out of the ordinary, a sentence each, as util_list_free() takes them.  They may
 * have any byte in them.
 */
char **status_text_notes(const struct status_pool *pool);

/* A reload, recycling or resuming has begun, and its age is from then on. */
bool status_text_is_under_way(const struct status_doc *doc);

/* A time span in at most seven characters: 0.3s, 42s, 5m03s, 2h05m, 3d04h. */
char *status_text_span(int64_t ms);

#endif
