/*
 * What a script writes becomes an answer: its bytes in, the bytes for the client out, without
 * a system call.  What comes is passed on at once; nothing waits for a length.
 */
#ifndef PREFORKD_SERVICES_HTTP_CGI_ANSWER_H
#define PREFORKD_SERVICES_HTTP_CGI_ANSWER_H

#include "http_cgi_head.h"
#include "http_request.h"

enum http_cgi_state {
	HTTP_CGI_READ_HEAD, /* of the script's head; nothing has gone out */
	HTTP_CGI_BODY,
	HTTP_CGI_RAW,   /* the script speaks HTTP itself */
	HTTP_CGI_DROP,  /* the answer has no more; what comes is of no use */
	HTTP_CGI_FAULT, /* it is no CGI response: why; nothing has gone out */
};

struct http_cgi_answer {
	struct http_request *request;
	enum http_cgi_state state;
	struct http_cgi_head head;
	size_t scanned, len; /* of the head; RAW: len bytes may be a status line */
	int64_t left;        /* of Content-Length; -1: there is none */
	bool chunked, over;  /* over: more came than Content-Length said */
	bool line_is_empty;  /* RAW: so far, behind another one */
	bool redirects;      /* to a path of ours, which is then in the request's redirect */
	const char *why;

	struct http_text out[2]; /* for the client; the caller takes what it has sent */
	size_t piece;            /* so many bytes of out[1] were of the body */
};

void http_cgi_answer_init(struct http_cgi_answer *a, struct http_request *r, bool raw);

/* Where the script's next bytes are to be read to; only when out is empty. */
char *http_cgi_answer_room(const struct http_cgi_answer *a, size_t *size);

/* So many have come there; 0: the end.  whole: it ended in order, not killed. */
void http_cgi_answer_read(struct http_cgi_answer *a, size_t n);
void http_cgi_answer_end(struct http_cgi_answer *a, bool whole);

bool http_cgi_answer_is_pending(const struct http_cgi_answer *a);

/* What is pending will not be sent, and is none of what the request has for its answer. */
void http_cgi_answer_drop(struct http_cgi_answer *a);

#endif
