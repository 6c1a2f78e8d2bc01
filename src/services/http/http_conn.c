#include "http_conn.h"

#include "kept.h"
#include "layout.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define SENDFILE_MAX (4 << 20) /* at once: what has gone out is counted behind it */
#define SENDFILE_MS  100       /* without room for more, before it is looked who is slow */
#define FILL_BYTES   65536     /* at once: what was never touched costs no memory */

/* poll(2) for one event; 1, 0 at the deadline, -1. */
static int
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left = deadline_ms - util_now_ms();
		int n = left > 0 ? poll(&pfd, 1, (int)util_min(left, INT_MAX)) : 0;

		if (n >= 0 || errno != EINTR)
			return n;
	}
}

static void
count_in(struct http_conn *c, ssize_t n)
{
	c->in += (uint64_t)n;
	figures_count(c->figures, FIGURE_BYTES_IN, (uint64_t)n);
}

static void
count_out(struct http_conn *c, ssize_t n)
{
	c->out += (uint64_t)n;
	figures_count(c->figures, FIGURE_BYTES_OUT, (uint64_t)n);
}

/*
 * Calls that wait in the kernel are fewer than those that poll(2) first, but the socket must
 * end the wait: option is SO_RCVTIMEO or SO_SNDTIMEO (socket(7)), set once.
 */
static bool
limit_blocking(const struct http_conn *c, int option, int ms, bool *limited)
{
	struct timeval limit = { .tv_usec = ms * 1000 };

	if (!*limited)
		*limited = setsockopt(c->fd, SOL_SOCKET, option, &limit, sizeof(limit)) == 0;
	return *limited;
}

HOT static void
make_room(struct http_conn *c)
{
	if (c->at == c->len)
		c->at = c->len = c->kept;
	if (c->len < c->size || c->at == c->kept)
		return;
	memmove(c->buf + c->kept, c->buf + c->at, c->len - c->at);
	c->len -= c->at - c->kept;
	c->at = c->kept;
}

/* recv(2) behind what is there. */
HOT static ssize_t
receive(struct http_conn *c, int flags)
{
	size_t room = (size_t)util_min((int64_t)(c->size - c->len), FILL_BYTES);
	ssize_t n = recv(c->fd, c->buf + c->len, room, flags);

	if (n > 0) {
		c->len += (size_t)n;
		count_in(c, n);
	}
	return n;
}

HOT int
http_conn_fill(struct http_conn *c, int64_t deadline_ms)
{
	make_room(c);
	if (c->len == c->size) {
		errno = ENOBUFS;
		return -1;
	}
	for (;;) {
		ssize_t n = receive(c, MSG_DONTWAIT);

		if (n >= 0)
			return n > 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -1;
		switch (wait_for(c->fd, POLLIN, deadline_ms)) {
		case 0:
			errno = ETIMEDOUT;
			return -1;
		case -1:
			return -1;
		}
	}
}

int
http_conn_fill_idle(struct http_conn *c, int64_t idle_at_ms, int64_t deadline_ms)
{
	struct kept kept = {
		.fd = c->fd,
		.give_fd = c->give_fd,
		.leaving = c->leaving,
		.figures = c->figures,
		.idle_at = idle_at_ms,
		.deadline = deadline_ms,
	};

	if (kept_wait(&kept))
		return http_conn_fill(c, deadline_ms);
	errno = ETIMEDOUT;
	return util_now_ms() < deadline_ms ? 0 : -1;
}

HOT bool
http_conn_has_request(const struct http_conn *c)
{
	size_t n = c->len - c->at;

	return n > 2 || (n > 0 && memcmp(c->buf + c->at, "\r\n", n) != 0);
}

/*
 * The next request of a client that is at work, in one call.  false: the client has closed,
 * or this worker leaves.
 */
static bool
fill_soon(struct http_conn *c)
{
	ssize_t n;

	make_room(c);
	if (!limit_blocking(c, SO_RCVTIMEO, KEPT_IDLE_MS, &c->recv_limited))
		return false;
	n = receive(c, 0);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR) && !*c->leaving);
}

HOT enum http_wait
http_conn_wait(struct http_conn *c, int64_t timeout_ms)
{
	int64_t idle_at, deadline;

	if (!fill_soon(c))
		return HTTP_WAIT_END;
	if (http_conn_has_request(c))
		return HTTP_WAIT_REQUEST;
	idle_at = util_now_ms();
	deadline = idle_at + timeout_ms - KEPT_IDLE_MS;
	do
		if (http_conn_fill_idle(c, idle_at, deadline) != 1)
			return HTTP_WAIT_END;
	while (!http_conn_has_request(c));
	return HTTP_WAIT_REQUEST;
}

/* Bytes that the client has not taken yet (tcp(7): SIOCOUTQ). */
static int
waiting_bytes(const struct http_conn *c)
{
	int n = 0;

	return ioctl(c->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

bool
http_conn_is_stuck(const struct http_conn *c, int *left, int64_t *since_ms)
{
	int64_t now = util_now_ms();
	int still = waiting_bytes(c);

	if (still < *left)
		*since_ms = now;
	*left = still;
	return now - *since_ms >= c->send_timeout;
}

/*
 * Waits until there is room for more.  A socket says so only when a third of its buffer
 * is free, so whether a slow client takes anything at all is seen by what is left.
 */
static bool
may_send(const struct http_conn *c)
{
	int64_t since = util_now_ms();
	int left = waiting_bytes(c), n;

	do
		n = wait_for(c->fd, POLLOUT, util_now_ms() + util_max(c->send_timeout / 8, 1));
	while (n == 0 && !http_conn_is_stuck(c, &left, &since));
	return n == 1;
}

HOT bool
http_conn_send(struct http_conn *c, const char *data, size_t len, bool more)
{
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);

	while (len > 0) {
		ssize_t n = send(c->fd, data, len, flags);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			count_out(c, n);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || !may_send(c))
			return false;
	}
	return true;
}

HOT bool
http_conn_send_pair(struct http_conn *c, const char *a, size_t a_len, const char *b, size_t b_len,
		    bool more)
{
	struct iovec iov[2] = { { .iov_base = (void *)(uintptr_t)a, .iov_len = a_len },
				{ .iov_base = (void *)(uintptr_t)b, .iov_len = b_len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = b_len > 0 ? 2 : 1 };
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
	size_t sent = n > 0 ? (size_t)n : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	count_out(c, (ssize_t)sent);
	if (sent == a_len + b_len)
		return true;
	if (sent < a_len)
		return http_conn_send(c, a + sent, a_len - sent, b_len > 0) &&
		       http_conn_send(c, b, b_len, more);
	return http_conn_send(c, b + (sent - a_len), b_len - (sent - a_len), more);
}

bool
http_conn_push(struct http_conn *c, struct http_text data[2])
{
	struct iovec iov[2];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	for (int i = 0; i < 2; i++)
		iov[i] = (struct iovec){ (void *)(uintptr_t)data[i].at, data[i].len };
	n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	count_out(c, n);
	for (int i = 0; i < 2; i++) {
		size_t taken = util_min(n, (int64_t)data[i].len);

		data[i].at += taken;
		data[i].len -= taken;
		n -= (ssize_t)taken;
	}
	return true;
}

void
http_conn_stream(struct http_conn *c)
{
	int on = 1;

	if (!c->nodelay)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->nodelay = true;
}

bool
http_conn_send_file(struct http_conn *c, int fd, int64_t from, int64_t len)
{
	off_t at = from;

	if (!limit_blocking(c, SO_SNDTIMEO, SENDFILE_MS, &c->send_limited))
		return false;
	while (len > 0) {
		ssize_t n = sendfile(c->fd, fd, &at, (size_t)util_min(len, SENDFILE_MAX));

		if (n < 0 && (errno == EINTR || (errno == EAGAIN && may_send(c))))
			continue;
		if (n == 0)
			errno = ENODATA;
		if (n <= 0)
			return false;
		len -= n;
		count_out(c, n);
	}
	return true;
}

bool
http_conn_linger(struct http_conn *c, int64_t limit_ms)
{
	int64_t deadline = util_now_ms() + limit_ms;

	if (shutdown(c->fd, SHUT_WR) < 0)
		return true;
	do {
		ssize_t n = recv(c->fd, c->buf, (size_t)util_min((int64_t)c->size, FILL_BYTES),
				 MSG_DONTWAIT);

		if (n > 0)
			count_in(c, n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return true;
		else if (errno == EAGAIN && wait_for(c->fd, POLLIN, deadline) != 1)
			return false;
	} while (util_now_ms() < deadline);
	return false;
}
