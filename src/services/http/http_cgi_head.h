/*
 * The head of what a CGI script writes, RFC 3875 6: read strictly, since what a lenient
 * server lets through a client takes for something else.  Pure.
 */
#ifndef PREFORKD_HTTP_CGI_HEAD_H
#define PREFORKD_HTTP_CGI_HEAD_H

#include "http_head.h"

/* Of a head with its empty line, and what its fields need as lines that we send. */
#define HTTP_CGI_HEAD_BYTES   65536
#define HTTP_CGI_FIELDS_BYTES (HTTP_CGI_HEAD_BYTES / 3 * 5 + 1)

struct http_cgi_head {
	int status;                /* of Status, 200 to 599; 0: there is none */
	struct http_text reason;   /* its words; len 0: none */
	struct http_text type;     /* Content-Type; at NULL: none, else not empty */
	struct http_text location; /* the same; any bytes that a field may have */
	int64_t length;            /* Content-Length; -1: there is none */
	size_t others;             /* fields beside these four that go to the client */
	size_t fields, line;       /* the parser's: all fields so far; where the next line begins */
};

/*
 * Parses the head at the beginning of buf, of which len bytes have come.  *scanned is 0 at
 * first; while the result is HTTP_MORE, the next call gets the same buf at the same place
 * with more bytes, the same head and *scanned, and goes on where this one stopped.  The
 * result does not depend on how the bytes came.
 *
 * HTTP_MORE: there is no empty line yet; never with HTTP_CGI_HEAD_BYTES.
 * HTTP_DONE: *used is the head's length with its empty line.  head's slices point into buf.
 * HTTP_BAD: *why is a constant text, fit to stand behind "the output is not a CGI response: ".
 */
enum http_parse http_cgi_head_parse(struct http_cgi_head *head, const char *buf, size_t len,
				    size_t *scanned, size_t *used, const char **why);

/*
 * The other fields of such a head, as lines that end with CRLF, terminated; without those of
 * the connection, which is not the script's.  False: there is no room, which does not
 * happen with HTTP_CGI_FIELDS_BYTES.
 */
bool http_cgi_head_fields(const char *buf, size_t used, char *out, size_t size);

#endif
