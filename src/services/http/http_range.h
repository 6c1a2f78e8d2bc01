/*
 * Byte ranges of a request (RFC 9110 14.1 and 14.2).  Pure.
 */
#ifndef PREFORKD_HTTP_RANGE_H
#define PREFORKD_HTTP_RANGE_H

#include "http_text.h"

#include <stdint.h>

struct http_range {
	int64_t first, last; /* 0 <= first <= last < size */
};

enum http_range_result {
	HTTP_RANGE_NONE,          /* Range must or may be ignored: 200 with the whole */
	HTTP_RANGE_SOME,          /* 206 with the ranges, in the order asked for */
	HTTP_RANGE_UNSATISFIABLE, /* 416 with the size */
};

/*
 * The value of the only Range field of a GET, for a file of size bytes.  Ignored are: other
 * units, mistakes, more than max ranges, ranges that together are more than the file (an
 * attack, or no gain), and a suffix of an empty file, which no answer could describe.
 * Ranges that lie behind the end are left out.  *n is set for HTTP_RANGE_SOME.
 */
enum http_range_result http_range_parse(struct http_text value, int64_t size,
					struct http_range *ranges, size_t max, size_t *n);

#endif
