/*
 * uri-host [ ":" port ], RFC 9110 7.2 and RFC 3986 3.2: what stands in Host, in the target
 * of CONNECT and in an absolute URI.  User information is refused (RFC 9110 4.2.4), and so
 * is an address of a future IP version (IPvFuture): nothing could be meant by it.  Pure.
 */
#ifndef PREFORKD_HTTP_AUTHORITY_H
#define PREFORKD_HTTP_AUTHORITY_H

#include "http_text.h"

/*
 * False when text is no such thing; else the slices of it, *host with the brackets of an
 * IPv6 address, *port absent when there is no colon.  The host is never empty; the port may
 * be (RFC 3986 3.2.3), and is 65535 at most.
 */
bool http_authority_parse(struct http_text text, struct http_text *host, struct http_text *port);

#endif
