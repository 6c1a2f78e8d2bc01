#include "module_io.h"

#include "kept.h"

#include <errno.h>
#include <stdlib.h>

#define DEADLINE_STEPS 16 /* so exactly it is kept: each step costs two system calls */

/* What a module may say is longer than any clock counts: so long is for ever. */
#define LONGEST_MS (INT64_C(1000) * INT32_MAX)

static struct module_conn *
own(struct preforkd_conn *conn)
{
	return (struct module_conn *)conn;
}

static int
time_is_over(void)
{
	errno = ETIMEDOUT;
	return -1;
}

void
module_io_idle_timeout(struct preforkd_conn *conn, int64_t ms)
{
	own(conn)->idle_ms = util_min(util_max(ms, 0), LONGEST_MS);
}

void
module_io_deadline(struct preforkd_conn *conn, int64_t ms)
{
	struct module_conn *c = own(conn);

	c->deadline_ms = util_min(util_max(ms, 0), LONGEST_MS);
	c->deadline = ms > 0 ? util_now_ms() + c->deadline_ms : 0;
}

/* What is left of the deadline, rounded up to a step; 0 when it is over. */
static int64_t
time_left(const struct module_conn *c)
{
	int64_t left = c->deadline - util_now_ms(), step = c->deadline_ms / DEADLINE_STEPS + 1;

	return left > 0 ? (left + step - 1) / step * step : 0;
}

/* Limits the next system call; -1 when the time is over already. */
static int
limit_wait(struct module_conn *c)
{
	int64_t limit = c->idle_ms, left;

	if (c->deadline > 0) {
		left = time_left(c);
		if (left == 0)
			return time_is_over();
		limit = limit > 0 ? util_min(limit, left) : left;
	}
	conn_limit_io(c->conn, limit);
	return 0;
}

/* After a failure of a system call; false with errno. */
static bool
may_try_again(const struct module_conn *c)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	/* If the limit was the deadline's, limit_wait() says whether it is over. */
	if (c->conn->io_limit_ms == c->idle_ms)
		errno = ETIMEDOUT;
	return errno != ETIMEDOUT;
}

static int
send_all(struct module_conn *c, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = limit_wait(c) < 0 ? -1 : send(c->pub.fd, data, len, MSG_NOSIGNAL);

		if (n > 0) {
			figures_count(c->conn->figures, FIGURE_BYTES_OUT, (uint64_t)n);
			data += n;
			len -= (size_t)n;
		} else if (!may_try_again(c)) {
			c->broken = true;
			return -1;
		}
	}
	return 0;
}

/* 0; or -1 when an earlier answer could not be sent. */
static int
check_way_out(const struct module_conn *c)
{
	if (!c->broken)
		return 0;
	errno = EPIPE;
	return -1;
}

int
module_io_flush(struct preforkd_conn *conn)
{
	struct module_conn *c = own(conn);
	size_t len = c->out_len;

	c->out_len = 0;
	return check_way_out(c) < 0 ? -1 : send_all(c, c->out, len);
}

int
module_io_write(struct preforkd_conn *conn, const void *data, size_t len)
{
	struct module_conn *c = own(conn);

	if (check_way_out(c) < 0)
		return -1;
	if (len > sizeof(c->out) - c->out_len && module_io_flush(conn) < 0)
		return -1;
	if (len >= sizeof(c->out))
		return send_all(c, data, len);
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	return 0;
}

int
module_io_print(struct preforkd_conn *conn, const char *fmt, va_list ap)
{
	struct module_conn *c = own(conn);
	size_t room = sizeof(c->out) - c->out_len;
	char *text = NULL;
	va_list again;
	int n, result;

	if (check_way_out(c) < 0)
		return -1;
	va_copy(again, ap);
	n = vsnprintf(c->out + c->out_len, room, fmt, ap);
	if (n >= 0 && (size_t)n < room) {
		c->out_len += (size_t)n;
		result = 0;
	} else {
		n = vasprintf(&text, fmt, again);
		result = n < 0 ? -1 : module_io_write(conn, text, (size_t)n);
	}
	va_end(again);
	free(text);
	return result;
}

/* As recv(2), but the client gets what it waits for before we wait for it. */
static ssize_t
receive(struct module_conn *c, void *data, size_t size)
{
	if (c->ended)
		return 0;
	if (module_io_flush(&c->pub) < 0)
		return -1;
	for (;;) {
		ssize_t n = limit_wait(c) < 0 ? -1 : recv(c->pub.fd, data, size, 0);

		c->ended = n == 0;
		c->fills += n > 0;
		if (n > 0)
			figures_count(c->conn->figures, FIGURE_BYTES_IN, (uint64_t)n);
		if (n >= 0 || !may_try_again(c))
			return n;
	}
}

static ssize_t
fill(struct module_conn *c)
{
	ssize_t n = receive(c, c->in, sizeof(c->in));

	c->at = 0;
	c->len = n > 0 ? (size_t)n : 0;
	return n;
}

ssize_t
module_io_read(struct preforkd_conn *conn, void *data, size_t size)
{
	struct module_conn *c = own(conn);
	ssize_t n;

	if (c->at == c->len) {
		if (size >= sizeof(c->in))
			return receive(c, data, size);
		n = fill(c);
		if (n <= 0)
			return n;
	}
	size = (size_t)util_min((int64_t)size, (int64_t)(c->len - c->at));
	memcpy(data, c->in + c->at, size);
	c->at += size;
	return (ssize_t)size;
}

ssize_t
module_io_read_line(struct preforkd_conn *conn, char *line, size_t size)
{
	struct module_conn *c = own(conn);
	const char *end = NULL;
	size_t len = 0;

	while (!end) {
		const char *from = c->in + c->at;
		size_t have = c->len - c->at, part;

		end = memchr(from, '\n', have);
		part = end ? (size_t)(end - from) : have;
		if (len + part >= size) {
			errno = EMSGSIZE;
			return -1;
		}
		memcpy(line + len, from, part);
		len += part;
		c->at += part + (end != NULL);
		if (!end) {
			ssize_t n = fill(c);

			if (n == 0)
				errno = 0;
			if (n <= 0)
				return -1;
		}
	}
	if (len > 0 && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	return (ssize_t)len;
}

/*
 * Must the connection end, since the worker leaves or others wait?  What has come by then is
 * served, as far as the buffer and one more have it, and to the end of the last request: a
 * client that always sends does not get another worker's time.
 */
static bool
must_end(struct module_conn *c)
{
	const struct service_setup *setup = c->setup;
	bool empty = c->at == c->len;
	char byte;

	if (!*setup->leaving && !scoreboard_is_crowded(setup->scoreboard)) {
		c->spared = false;
		return false;
	}
	if (!c->spared)
		c->last_fill = c->fills + 1;
	c->spared = true;
	if (c->fills + empty > c->last_fill)
		return true;
	return empty && recv(c->pub.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Between two requests; true: the next one has begun, or the connection has ended. */
static bool
wait_for_request(struct module_conn *c)
{
	const struct service_setup *setup = c->setup;
	int64_t now = util_now_ms();
	struct kept kept = {
		.fd = c->pub.fd,
		.give_fd = setup->give_fd,
		.leaving = setup->leaving,
		.idle_at = now + KEPT_IDLE_MS,
		.deadline = c->deadline > 0 ? c->deadline : INT64_MAX,
		.figures = c->conn->figures,
	};

	if (c->idle_ms > 0)
		kept.deadline = util_min(kept.deadline, now + c->idle_ms);
	scoreboard_keep(setup->slot);
	return kept_wait(&kept);
}

/* The first bytes of it; false: there is none. */
static bool
get_request(struct module_conn *c, bool first)
{
	return module_io_flush(&c->pub) == 0 && (first || wait_for_request(c)) && fill(c) > 0;
}

bool
module_io_next_request(struct preforkd_conn *conn)
{
	struct module_conn *c = own(conn);
	const struct service_setup *setup = c->setup;
	bool first = !c->asked;

	c->asked = true;
	if (!first)
		setup->request_done();
	if ((!first && must_end(c)) || (c->at == c->len && !get_request(c, first))) {
		struct scoreboard *sb = setup->scoreboard;

		scoreboard_change(sb, (size_t)(setup->slot - sb->slots), ACTIVITY_CLOSING);
		return false;
	}
	if (!first) {
		setup->next_request();
		scoreboard_set(setup->slot, ACTIVITY_BUSY);
	}
	return true;
}
