#include "http_pump.h"

#include "program.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 3600000
#define EXIT_MS 100 /* from the end of a script's output to its own, if that comes at all */

enum { CLIENT, INPUT, OUTPUT, FDS };

static struct {
	struct http_pump *p;
	struct pollfd fds[FDS];
	bool ended;        /* the script has, and was seen to */
	int64_t rest;      /* then: so much of its output is left to read */
	bool read_all;     /* the script's output has ended ... */
	bool answered;     /* ... and the answer knows */
	int64_t exit_at;   /* how long its own end is waited for then */
	int64_t silent_ms; /* time in which the script was waited for */
	int client_left;   /* see http_conn_is_stuck() */
	int64_t client_since;
	bool gone;
	int64_t grace_at; /* when a script whose answer is complete must have ended; 0: it is not */
} self;

static void
close_input(struct http_pump *p)
{
	if (p->in_fd >= 0)
		close(p->in_fd);
	p->in_fd = -1;
}

static bool
wants_body(const struct http_pump *p)
{
	return p->in_fd >= 0 && p->input.len == 0 && !p->body->ended;
}

/* As much as the script takes now. */
static void
feed_script(struct http_pump *p)
{
	while (p->in_fd >= 0) {
		ssize_t n;

		if (p->input.len == 0)
			http_body_next(p->body, &p->input);
		if (p->input.len == 0) {
			if (p->body->ended)
				close_input(p);
			return;
		}
		n = write(p->in_fd, p->input.at, p->input.len);
		if (n > 0) {
			p->input.at += n;
			p->input.len -= (size_t)n;
			self.silent_ms = 0;
			self.grace_at = 0; /* it has not ended, it reads */
		} else if (errno == EAGAIN) {
			return;
		} else if (errno != EINTR) {
			close_input(p); /* it reads no more, which is its right */
		}
	}
}

/* As much as the client takes now; false: it is not there. */
static bool
feed_client(struct http_pump *p)
{
	return !http_cgi_answer_is_pending(p->answer) || http_conn_push(p->conn, p->answer->out);
}

/* What it has written is in the pipe.  Whoever else holds that is not waited for. */
static void
note_end(const struct http_pump *p)
{
	int n = 0;

	if (self.ended || !program_has_ended())
		return;
	self.ended = true;
	ioctl(p->out_fd, FIONREAD, &n);
	self.rest = n;
}

static void
read_script(struct http_pump *p)
{
	size_t size;
	char *room = http_cgi_answer_room(p->answer, &size);
	ssize_t n;

	if (self.ended)
		size = (size_t)util_min((int64_t)size, self.rest);
	n = size > 0 ? read(p->out_fd, room, size) : 0;
	if (n > 0) {
		self.silent_ms = 0;
		self.rest -= self.ended ? n : 0;
		http_cgi_answer_read(p->answer, (size_t)n);
		self.client_since = util_now_ms();
	} else if (n == 0 || errno != EINTR) {
		self.read_all = true;
		self.exit_at = util_now_ms() + EXIT_MS;
	}
}

/* The answer's end depends on whether the script was killed. */
static void
finish_answer(struct http_pump *p)
{
	if (!self.read_all || self.answered || http_cgi_answer_is_pending(p->answer) ||
	    (!program_has_ended() && util_now_ms() < self.exit_at))
		return;
	self.answered = true;
	self.client_since = util_now_ms();
	http_cgi_answer_end(p->answer, !program_has_ended() || !WIFSIGNALED(program_status()));
}

/* A closed TCP connection looks like a half-closed one: FIN is all that says it. */
static short
client_events(const struct http_pump *p)
{
	short events = p->answer->request->peer->sa_family == AF_UNIX ? 0 : POLLRDHUP;

	if (wants_body(p))
		events |= POLLIN;
	if (http_cgi_answer_is_pending(p->answer))
		events |= POLLOUT;
	return events;
}

static void
set_interest(const struct http_pump *p)
{
	bool pending = http_cgi_answer_is_pending(p->answer);

	self.fds[CLIENT] =
	    (struct pollfd){ .fd = self.gone ? -1 : p->conn->fd, .events = client_events(p) };
	self.fds[INPUT] =
	    (struct pollfd){ .fd = p->input.len > 0 ? p->in_fd : -1, .events = POLLOUT };
	self.fds[OUTPUT] =
	    (struct pollfd){ .fd = pending || self.read_all ? -1 : p->out_fd, .events = POLLIN };
}

/* The client has all that it was told to expect, and the script goes on. */
static bool
is_complete(const struct http_pump *p)
{
	const struct http_cgi_answer *a = p->answer;

	if (self.answered || a->redirects || http_cgi_answer_is_pending(a))
		return false;
	return a->state == HTTP_CGI_DROP || (a->state == HTTP_CGI_BODY && a->left == 0);
}

/* From the end of the answer, or when nobody is there for whom it goes on. */
static void
give_grace(const struct http_pump *p)
{
	if (self.grace_at == 0 && !p->keep_running)
		self.grace_at = util_now_ms() + HTTP_PUMP_GRACE_MS;
}

/* How long nothing may happen. */
static int64_t
patience(const struct http_pump *p, int64_t now)
{
	int64_t ms = p->end_at_ms - now;

	if (self.grace_at != 0)
		ms = util_min(ms, self.grace_at - now);
	if (self.read_all && !self.answered)
		ms = util_min(ms, self.exit_at - now);
	else if (self.ended && !http_cgi_answer_is_pending(p->answer))
		ms = 0;
	if (self.gone)
		return ms;
	if (http_cgi_answer_is_pending(p->answer))
		ms = util_min(ms, p->conn->send_timeout / 8);
	else if (wants_body(p))
		ms = util_min(ms, http_body_patience(p->body));
	else if (!is_complete(p))
		ms = util_min(ms, p->timeout_ms - self.silent_ms);
	return util_max(util_min(ms, LOOK_MS), 0);
}

/* Who was waited for, so long. */
static void
count(struct http_pump *p, int64_t ms)
{
	if (http_cgi_answer_is_pending(p->answer) || self.gone)
		return;
	if (wants_body(p))
		p->body->waited_ms += ms;
	else
		self.silent_ms += ms;
}

/* The client is not there: is that the end? */
static bool
lose_client(struct http_pump *p)
{
	bool complete = is_complete(p);

	p->answer->request->broken |= !complete;
	p->answer->request->keep_alive = false;
	if (!p->keep_running && !complete)
		return true;
	give_grace(p);
	self.gone = true;
	p->answer->state = HTTP_CGI_DROP;
	http_cgi_answer_drop(p->answer);
	close_input(p);
	return false;
}

/* Reads of the client what the script is to have; false: it is not there. */
static bool
read_client(struct http_pump *p)
{
	int n = http_conn_fill(p->conn, 0);

	if (n == 1)
		feed_script(p);
	return n == 1 || (n < 0 && errno == ETIMEDOUT);
}

/* What poll has found; false: the client is not there. */
static bool
react(struct http_pump *p)
{
	short client = self.fds[CLIENT].revents;

	if (self.fds[INPUT].revents)
		feed_script(p);
	note_end(p);
	if (self.fds[OUTPUT].revents || (self.ended && self.fds[OUTPUT].fd >= 0))
		read_script(p);
	if (client & (POLLERR | POLLHUP | POLLRDHUP))
		return false;
	return !(client & POLLIN) || read_client(p);
}

static bool
is_done(const struct http_pump *p)
{
	return p->answer->state == HTTP_CGI_FAULT ||
	       (self.answered && !http_cgi_answer_is_pending(p->answer));
}

/* Whose time is over, if it is somebody's. */
static bool
is_late(const struct http_pump *p, int64_t now, enum http_pump_end *end)
{
	if (now >= p->end_at_ms)
		*end = HTTP_PUMP_TOO_LONG;
	else if (self.gone)
		return false;
	else if (http_cgi_answer_is_pending(p->answer)) {
		*end = HTTP_PUMP_STUCK;
		return http_conn_is_stuck(p->conn, &self.client_left, &self.client_since);
	} else if (wants_body(p) && http_body_patience(p->body) <= 0)
		*end = HTTP_PUMP_BODY_LATE;
	else if (!wants_body(p) && !self.read_all && !is_complete(p) &&
		 self.silent_ms >= p->timeout_ms)
		*end = HTTP_PUMP_SILENT;
	else
		return false;
	return true;
}

static enum http_pump_end
run(struct http_pump *p)
{
	enum http_pump_end end;
	int64_t before;

	for (;;) {
		finish_answer(p);
		if (!self.gone && !feed_client(p) && lose_client(p))
			return HTTP_PUMP_GONE;
		if (is_done(p))
			return HTTP_PUMP_OVER;
		if (is_complete(p) && !wants_body(p))
			give_grace(p);
		before = util_now_ms();
		if (self.grace_at != 0 && before >= self.grace_at)
			return HTTP_PUMP_LINGERS;
		if (is_late(p, before, &end) && (end != HTTP_PUMP_STUCK || lose_client(p)))
			return end;
		set_interest(p);
		program_wait(self.fds, FDS, patience(p, before));
		count(p, util_now_ms() - before);
		if (!react(p) && lose_client(p))
			return HTTP_PUMP_GONE;
		if (program_is_terminated())
			return HTTP_PUMP_TERMINATED;
	}
}

enum http_pump_end
http_pump_run(struct http_pump *p)
{
	enum http_pump_end end;

	memset(&self, 0, sizeof(self));
	self.p = p;
	http_conn_stream(p->conn);
	feed_script(p);
	end = run(p);
	http_cgi_answer_drop(p->answer);
	close_input(p);
	return end;
}
