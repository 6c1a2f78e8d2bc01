/*
 * What identifies a file as HTTP sees it: its validators (RFC 9110 8.8), and the conditions
 * of a request on them (13).  Pure.
 */
#ifndef PREFORKD_HTTP_ENTITY_H
#define PREFORKD_HTTP_ENTITY_H

#include "http_date.h"
#include "http_head.h"

#include <sys/stat.h>

#define HTTP_ETAG_BYTES 64

/* The texts are terminated, ready for a field's value. */
struct http_entity {
	int64_t mtime; /* seconds, of the file itself */
	long mtime_ns;
	int64_t size;
	uint64_t inode;
	char etag[HTTP_ETAG_BYTES]; /* strong, with its quotes */
	char last_modified[HTTP_DATE_BYTES];
};

/*
 * now is the Date of the answer: a file from the future was last modified now (8.8.2.1).
 * coding tells a file's codings apart, as each is an entity of its own: "" for the plain
 * one, else "-gz" and the like, at most 8 bytes that an entity tag may have.
 */
void http_entity_of(struct http_entity *, const struct stat *, const char *coding, int64_t now);

/*
 * The preconditions that a request has, but If-Range, in the order of 13.2.2: 0 to go on,
 * 304 or 412 to answer.  To be asked only where the answer would be 2xx (13.2.1).
 */
int http_entity_check(const struct http_entity *, const struct http_head *, int64_t now);

/*
 * A Range of the request may be honoured: there is no If-Range, or it names this entity,
 * by a strong tag or by the exact date, the second of which must be over.
 */
bool http_entity_if_range(const struct http_entity *, const struct http_head *, int64_t now);

#endif
