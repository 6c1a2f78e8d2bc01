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
#include "service.h"

#define HTTP_SMALL_BYTES          32768 /* a body up to this goes out with its head */
#define HTTP_REDIRECT_QUERY_BYTES 16384 /* room for one in a Location, whatever its path is */
#define HTTP_FAULT_LOG_MS         10000
#define HTTP_ALLOW                "Allow: GET, HEAD, OPTIONS\r\n" /* whatever is no script's */

struct http_request {
	struct http_conn *conn;
	const struct http_head *head;
	struct http_body *input; /* the request's own body */
	const struct http_mime *mime;
	const struct conn *from;
	const struct sockaddr *peer;   /* of from */
	const char *pool;              /* its name */
	const struct conf_http *conf;  /* of the service as a whole */
	const char *status_socket;     /* see struct service_setup */
	int places_fd;                 /* see struct service_setup */
	struct scoreboard *scoreboard; /* for its limits of lines */
	const struct identity *id;     /* whose rights it has */
	const struct http_site *site;
	struct http_text user; /* who has proven it, or at NULL */
	const char *challenge; /* the field for a 401; NULL: there was none */
	struct http_text uri;  /* as the client sent it, whatever scripts say then */
	bool keep_alive;
	int64_t now; /* seconds since 1970 */

	/* What was answered. */
	int status;
	int64_t body;              /* bytes of it that went out */
	struct http_text sent;     /* its head */
	struct http_text redirect; /* a script wants this target answered instead */
	bool broken;               /* not whole: the connection cannot go on */
	int unread;                /* errno of a file that could not be read to its end, or 0 */

	struct http_target target; /* last, for its size */
};

/* Answers it, whatever it is. */
void http_request_serve(struct http_request *r);

/*
 * For a directory that was asked for, and the name of an index in it.  Has that a location or
 * a script of its own?  Then it is answered as if it was asked for itself: 0, or a status, or
 * HTTP_CGI_REDIRECTS.
 */
bool http_request_is_apart(struct http_request *r, const char *index);
int http_request_serve_index(struct http_request *r, const char *index);

/* http_answer.c: each sends one whole answer, or sets broken. */
void http_answer_status(struct http_request *r, int status, const char *fields);
void http_answer_redirect(struct http_request *r, int status, const char *location);
/* The same with the request's query behind it, in a buffer of that size; 414: it has no room. */
void http_answer_redirect_query(struct http_request *r, int status, char *location, size_t size);
/* To the same path with a slash behind it. */
void http_answer_slash(struct http_request *r);
void http_answer_body(struct http_request *r, struct http_reply *reply, const char *body,
		      size_t len);

/*
 * The head that was made and so many bytes of a body, which stand right behind it; nothing may
 * be waited for then before the connection ends, if it is to end.
 */
void http_answer_behind(struct http_request *r, size_t len);

/* So much of a file as its body, or a part of that. */
void http_answer_file(struct http_request *r, int fd, int64_t from, int64_t len);

/* The head alone, r->sent; 0: it is too long, and broken is set. */
size_t http_answer_make(struct http_request *r, struct http_reply *reply);

/* Sends the head alone; false: broken. */
bool http_answer_head(struct http_request *r, struct http_reply *reply, bool more);

/*
 * http_file.c: what lies at the path (relative to root) and belongs to r->target.  0 if it
 * was answered, or the status of an error.
 */
int http_file_serve(struct http_request *r, int root, const char *path);

/*
 * http_cgi.c: what a script says.  0 if it was answered, or the status of an error;
 * HTTP_CGI_REDIRECTS: r->redirect is to be answered instead, as if it were asked for by GET.
 */
#define HTTP_CGI_REDIRECTS (-1)
int http_cgi_serve(struct http_request *r, const struct http_cgi *cgi);

/* http_status.c: 0, or the status of an error. */
int http_status_serve(struct http_request *r, const struct http_status *section);

/* The line for the agent-check of HAProxy (its configuration manual, 5.2); the length. */
size_t http_status_agent(const char *status_socket, char *const *pools, char *buf, size_t size);

/* http_ranges.c: the parts of a file that were asked for.  false: there are none to honour. */
bool http_ranges_serve(struct http_request *r, struct http_reply *reply, int fd, int64_t size);

#endif
