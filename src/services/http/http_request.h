/*
 * One request and its answer: what stands between the head that was parsed and the bytes
 * that go out.
 */
#ifndef PREFORKD_SERVICES_HTTP_REQUEST_H
#define PREFORKD_SERVICES_HTTP_REQUEST_H

#include "http_body.h"
#include "http_conn.h"
#include "http_head.h"
#include "http_mime.h"
#include "http_reply.h"
#include "http_site.h"

#define HTTP_SMALL_BYTES 32768 /* a body up to this goes out with its head */

struct http_request {
	struct http_conn *conn;
	const struct http_head *head;
	struct http_body *input; /* the request's own body */
	const struct http_mime *mime;
	const struct sockaddr *peer;
	const struct http_site *site;
	struct http_target target;
	struct http_text user; /* who has proven it, or at NULL */
	bool keep_alive;
	int64_t now; /* seconds since 1970 */

	/* What was answered. */
	int status;
	int64_t body;          /* bytes of it that went out */
	struct http_text sent; /* its head */
	bool broken;           /* not whole: the connection cannot go on */
};

/* Answers it, whatever it is. */
void http_request_serve(struct http_request *r);

/* http_answer.c: each sends one whole answer, or sets broken. */
void http_answer_status(struct http_request *r, int status, const char *fields);
void http_answer_redirect(struct http_request *r, int status, const char *location);
void http_answer_body(struct http_request *r, struct http_reply *reply, const char *body,
		      size_t len);

/* Sends the head alone; false: broken. */
bool http_answer_head(struct http_request *r, struct http_reply *reply, bool more);

/*
 * http_file.c: what lies at the path (relative to root) and belongs to r->target.  0 if it
 * was answered, or the status of an error.
 */
int http_file_serve(struct http_request *r, int root, const char *path);

/* http_ranges.c: the parts of a file that were asked for.  false: there are none to honour. */
bool http_ranges_serve(struct http_request *r, struct http_reply *reply, int fd, int64_t size);

#endif
