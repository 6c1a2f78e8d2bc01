/*
 * Answers: the words for a status, the head, and the page of an error.
 */
#ifndef PREFORKD_SERVICES_HTTP_REPLY_H
#define PREFORKD_SERVICES_HTTP_REPLY_H

#include "http_entity.h"
#include "http_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* With the longest Location, that of a redirect, and all that a site may add. */
#define HTTP_REPLY_HEAD_BYTES 98304

struct http_reply {
	int status;
	struct http_text reason;          /* its words; len 0: the usual ones */
	const char *type;                 /* Content-Type; NULL: none */
	const char *coding;               /* Content-Encoding; NULL: none */
	int64_t length;                   /* Content-Length; -1: none is sent */
	const struct http_entity *entity; /* ETag, Last-Modified, Accept-Ranges; or NULL */
	const char *location;             /* encoded */
	const char *fields;               /* more of them, each with its CRLF; or NULL */
	const char *extra;                /* the same, of the site */
	bool chunked;                     /* Transfer-Encoding: chunked */
	bool vary;                        /* Vary: Accept-Encoding */
	bool keep_alive;
	int minor; /* of the request's version */
};

/* "Not Found" */
const char *http_reply_reason(int status);

/*
 * Head with its empty line; the length, 0 if size is too small.  Date is made anew once a
 * second.
 */
size_t http_reply_head(const struct http_reply *reply, char *buf, size_t size);

/* The page that says a status; the length. */
size_t http_reply_page(int status, char *buf, size_t size);

#endif
