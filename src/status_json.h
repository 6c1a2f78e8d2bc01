/*
 * The status as a JSON document, for programs: UTF-8 whatever the bytes were, in a stable
 * order, indented by two.
 */
#ifndef PREFORKD_STATUS_JSON_H
#define PREFORKD_STATUS_JSON_H

#include "status_doc.h"

/* 0, or -1 when it could not be written. */
int status_json_print(const struct status_doc *doc, FILE *out);

#endif
