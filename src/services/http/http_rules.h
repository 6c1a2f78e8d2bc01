/*
 * What the fields of a head say together: for whom the request is, how long its body is,
 * and whether the connection stays.  A part of http_head_parse(), apart from the reading
 * of bytes.  Pure.
 */
#ifndef PREFORKD_HTTP_RULES_H
#define PREFORKD_HTTP_RULES_H

#include "http_head.h"

/*
 * Fills in what follows from the fields: the authority when the target had none, framing,
 * content_length, keep_alive, expect_continue.  0, or the status of the refusal with *why.
 */
int http_rules_apply(struct http_head *head, const char **why);

#endif
