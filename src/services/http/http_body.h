/*
 * The body of a request, as its framing delimits it (RFC 9112 6), and how long its client
 * may take over it: body_timeout, and the time that it takes at body_min_rate.  Only time
 * in which we wait for the client counts.
 */
#ifndef PREFORKD_SERVICES_HTTP_BODY_H
#define PREFORKD_SERVICES_HTTP_BODY_H

#include "http_chunk.h"
#include "http_conn.h"

struct http_body {
	struct http_conn *conn;
	enum http_framing framing;
	bool ended;       /* all of it has been taken */
	bool expects_100; /* the client waits for 100 before it sends it */
	int64_t left;     /* of HTTP_LENGTH */
	int64_t taken;    /* bytes, with those of the framing */
	int64_t timeout, min_rate, waited_ms;
	struct http_chunk chunk;
};

/* head NULL: there is none.  timeout in milliseconds, min_rate in bytes a second. */
void http_body_init(struct http_body *body, struct http_conn *conn, const struct http_head *head,
		    int64_t timeout, int64_t min_rate);

/*
 * Takes the next piece of what has come: a slice of conn's buffer, valid until more is
 * read.  MORE with an empty one: nothing is there.  DONE: it has ended; a piece may come with
 * it.  BAD: 400.
 */
enum http_parse http_body_next(struct http_body *body, struct http_text *piece);

/* Milliseconds that the client may still let us wait; then the caller adds what it waited. */
int64_t http_body_patience(const struct http_body *body);

/* Waits for more of it; as http_conn_fill(). */
int http_body_fill(struct http_body *body);

/* false: the client has gone. */
bool http_body_continue(struct http_body *body); /* sends 100 if it is expected */

/* Is what is left worth reading for the sake of the connection? */
bool http_body_is_droppable(const struct http_body *body);
/* Of a request that is answered; true: it has ended.  The connection gives way meanwhile. */
bool http_body_drop(struct http_body *body);

#endif
