/*
 * Which content codings a client takes (RFC 9110 12.5.3), with quality values in
 * thousandths: 0 is not acceptable, 1000 is best.  Pure.
 */
#ifndef PREFORKD_HTTP_ACCEPT_H
#define PREFORKD_HTTP_ACCEPT_H

#include "http_head.h"

/*
 * The quality of a coding ("gzip", "br", "identity") by the Accept-Encoding fields of a
 * request, which are one list.  A coding that stands there twice has the lower one; a member with a
 * mistake is as if it were not there.  "identity" that is neither named nor meant by "*" is 1:
 * acceptable, but behind all that was asked for.  So the best coding is the one with the highest
 * quality, and of equals the smallest; if all are 0, none is acceptable.
 *
 * Without the field anything would be acceptable, but nothing says that the client could
 * decode it: "identity" is then 1000, and all else 0.
 */
int http_accept_encoding(const struct http_head *, const char *coding);

#endif
