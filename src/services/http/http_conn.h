/*
 * The bytes of one connection: what has come and is not used yet, and what goes out.
 * Nothing waits without a limit.  The buffer is the worker's, for one connection after
 * the other; its pages are touched only as far as heads are long.
 */
#ifndef PREFORKD_SERVICES_HTTP_CONN_H
#define PREFORKD_SERVICES_HTTP_CONN_H

#include "figures.h"
#include "http_text.h"
#include "util.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct http_conn {
	int fd;
	const volatile sig_atomic_t *leaving;
	int give_fd; /* see struct service_setup */
	char *buf;   /* size bytes; at to len have come and are not used yet */
	size_t size, at, len;
	size_t kept;          /* bytes at the beginning that must stay where they are */
	int64_t send_timeout; /* without progress, in milliseconds */
	bool recv_limited;    /* SO_RCVTIMEO of the socket is set */
	bool send_limited;    /* SO_SNDTIMEO */
	bool nodelay;         /* the same: it sends small pieces at once */
	uint64_t in, out;     /* bytes, over the connection */
	struct figures_slot *figures;
};

/*
 * Reads more behind len; what was used is moved out of the way first if there is no room.
 * 1; 0: the client has closed; -1 with errno: ETIMEDOUT at the deadline (util_now_ms()),
 * ENOBUFS when the buffer is full of what nobody used.
 */
int http_conn_fill(struct http_conn *c, int64_t deadline_ms);

/*
 * The same while the connection may give way to another one, which is after idle_at_ms (kept.h):
 * then it is 0, and when the worker leaves.
 */
int http_conn_fill_idle(struct http_conn *c, int64_t idle_at_ms, int64_t deadline_ms);

/* Has a byte of one come?  An empty line in front of it is none yet (RFC 9112 2.2). */
bool http_conn_has_request(const struct http_conn *c);

enum http_wait { HTTP_WAIT_REQUEST, HTTP_WAIT_END };

/*
 * When all that has come was used: until the next request begins.  END: nothing came, the client
 * has closed, or this connection must give way to another one.
 */
enum http_wait http_conn_wait(struct http_conn *c, int64_t timeout_ms);

/* All of it, or false.  more: the rest of the same answer, or the end, follows at once. */
bool http_conn_send(struct http_conn *c, const char *data, size_t len, bool more);

/* Both in one go. */
bool http_conn_send_pair(struct http_conn *c, const char *a, size_t a_len, const char *b,
			 size_t b_len, bool more);

/* So many bytes of the file from there, or false; errno is ENODATA when the file is shorter. */
bool http_conn_send_file(struct http_conn *c, int fd, int64_t from, int64_t len);

/* What can be sent now of both, which become the rest; false: the client is not there. */
bool http_conn_push(struct http_conn *c, struct http_text data[2]);

/*
 * For who waits until the client takes more: true once it has taken nothing for
 * send_timeout.  To be asked now and then, each time with what was left before; since_ms
 * is when it last took something.
 */
bool http_conn_is_stuck(const struct http_conn *c, int *left, int64_t *since_ms);

/* From now on small pieces go out at once. */
void http_conn_stream(struct http_conn *c);

/*
 * The end, in a way that the client sees the last answer: what still comes is read and
 * dropped for so long at most, since unread input would make the kernel reset the
 * connection.
 */
bool http_conn_linger(struct http_conn *c, int64_t limit_ms); /* true: the client has closed */

#endif
