/*
 * The head of a request: its bytes in, a struct or a status out.  RFC 9112 to the letter,
 * and where it lets a recipient be lenient, strict: no bare LF, no obs-fold, no space before
 * a colon, one Host, one way to say how long the body is.  A head that passes means the
 * same to every other HTTP implementation.  Pure: no system call, no allocation, no copy.
 */
#ifndef PREFORKD_HTTP_HEAD_H
#define PREFORKD_HTTP_HEAD_H

#include "http_text.h"

#include <stdint.h>

/* No limits->fields may be more, so that a worker can have its array from the start. */
#define HTTP_FIELDS_MAX 1000

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_TRACE,
	HTTP_CONNECT,
	HTTP_PATCH,
	HTTP_UNKNOWN
};

/* How long the body is, RFC 9112 6.3. */
enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };

enum http_parse { HTTP_MORE, HTTP_DONE, HTTP_BAD };

struct http_field {
	struct http_text name, value; /* the value without the blanks round it */
};

/* In bytes of a line without its CRLF; a longer request line is 414, a longer or one more
 * field line is 431. */
struct http_limits {
	size_t request_line, field_size;
	size_t fields;
};

struct http_head {
	enum http_method method;
	struct http_text method_text, request_line, target;

	/* Of the absolute-form, else of CONNECT's target, else of Host; without port, with the
	 * brackets of an IPv6 address.  Empty for an empty Host, absent when a 1.0 has none. */
	struct http_text authority;

	/* The target as origin-form.  It begins with '/', but: "*" for an OPTIONS of the
	 * server as a whole (RFC 9112 3.2.4); "?..." when an absolute-form has no path, which
	 * http_target_parse() takes as "/?..."; absent for CONNECT. */
	struct http_text origin;

	int minor; /* 0 or 1; a higher one is served as 1, RFC 9110 2.5 */
	enum http_framing framing;
	int64_t content_length; /* of HTTP_LENGTH, else 0 */
	bool keep_alive;
	bool expect_continue; /* the client waits for 100 before it sends a body */

	struct http_field *fields; /* the caller's array with limits->fields entries */
	size_t nfields;
};

/*
 * Parses the head at the beginning of buf, of which len bytes have arrived.  *scanned is 0
 * at first; while the result is HTTP_MORE, the next call gets the same buf at the same
 * place with more bytes, the same limits, head and *scanned, and goes on with the line
 * that was not whole.  The result does not depend on how the bytes arrived.
 *
 * HTTP_MORE: when buf is full, the answer is 414 while head->request_line.at is NULL, then
 *   431.
 * HTTP_DONE: *used is the head's length with its empty line, and with an empty line in
 *   front of it (RFC 9112 2.2).  head's slices point into buf.  An unknown method is
 *   HTTP_UNKNOWN (501 is the caller's).  CONNECT has no body whatever its framing says, so
 *   nothing behind it can be trusted to be a request.
 * HTTP_BAD: *status is 400, 414, 417, 431, 501 or 505 and *why a constant text for the
 *   log; the connection cannot be used any more.  method_text.at says whether the request
 *   line could be read: if so method, method_text, target, request_line and minor are
 *   valid; if not, request_line is what is there of it, and method is by its beginning, since
 *   no answer to HEAD has a body (RFC 9110 9.3.2).
 */
enum http_parse http_head_parse(struct http_head *head, const char *buf, size_t len,
				const struct http_limits *limits, size_t *scanned, size_t *used,
				int *status, const char **why);

/* The value of the first field of that name, in whatever case; at NULL: there is none. */
struct http_text http_head_get(const struct http_head *head, const char *name);
size_t http_head_count(const struct http_head *head, const char *name);

#endif
