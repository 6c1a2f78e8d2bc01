/*
 * The path of a target: percent-encoding decoded, once, and dot segments removed, so that
 * what is opened is what access rules have seen.  And back, for what is sent.  Pure.
 */
#ifndef PREFORKD_HTTP_TARGET_H
#define PREFORKD_HTTP_TARGET_H

#include "http_text.h"

#define HTTP_PATH_BYTES 8192

struct http_target {
	size_t len;             /* of the path */
	struct http_text query; /* as it was sent, a slice of the origin */
	bool has_query;
	bool slash;                 /* the path ends with one */
	char path[HTTP_PATH_BYTES]; /* decoded; begins with '/'; terminated, without a NUL in it */
};

/*
 * The path has no "." and ".." segment, also none that was encoded, and no empty one: "//"
 * is "/" (Apache's MergeSlashes).  0, or a status: 400 for a bad escape, %00, a raw control
 * or 8-bit byte, a fragment and ".." above the root; 404 for %2F, which is no separator and
 * in no file's name; 414 for a path that has no room.  origin is http_head's; it begins
 * with '/', or with '?' when the path is empty, which is "/".
 */
int http_target_parse(struct http_text origin, struct http_target *target);

/* A prefix of paths, decoded. */
struct http_prefix {
	const char *text;
	size_t len;
};

/* "/a/" fits what is below it, "/a" also itself and what is below, but not "/ab". */
bool http_target_has_prefix(const struct http_target *target, const struct http_prefix *prefix);

/* A segment begins with '.'; only a first one that is ".well-known" (RFC 8615) may. */
bool http_target_is_hidden(const struct http_target *target);

/*
 * Percent-encodes a path for a Location or a link: all but letters, digits and "-._~/".
 * So it needs no further escaping in HTML, and a ':' in a relative one makes no scheme.
 * Always terminates (size > 0) and never cuts an escape.  Returns the length that the
 * whole has: what is in dst is only whole when that is less than size.
 */
size_t http_target_encode(char *dst, size_t size, const char *path, size_t len);

#endif
