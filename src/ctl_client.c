#include "ctl_client.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_BYTES = 16384 };

struct ctl_client {
	const struct ctl_request *request;
	int fd;
	int64_t deadline;            /* 0: none */
	char *buf;                   /* line_at and what follows it is not yet taken */
	size_t used, line_at, total; /* total: bytes of the answer so far */
};

/* false: time is up. */
static bool
time_left(const struct ctl_client *client, int64_t *ms)
{
	*ms = client->deadline ? client->deadline - util_now_ms() : INT_MAX;
	return *ms > 0;
}

static enum ctl_outcome
blame(enum ctl_outcome outcome, const struct ctl_client *client, char **text, const char *why)
{
	util_fail(text, "%s: %s", client->request->socket, why);
	return outcome;
}

static enum ctl_outcome
blame_time(enum ctl_outcome outcome, const struct ctl_client *client, char **text, const char *what)
{
	int64_t ms = client->request->timeout_ms;
	bool whole = ms % 1000 == 0;

	util_fail(text, "%s: the daemon %s within %lld %s: it hangs, is stopped, or is very busy",
		  client->request->socket, what, (long long)(whole ? ms / 1000 : ms),
		  whole ? "s" : "ms");
	return outcome;
}

/* Whom the file's owner and mode let in; NULL if it cannot be looked at. */
static char *
who_may(const char *path)
{
	struct stat st;
	const struct passwd *user;
	const struct group *group;
	char *owner, *text;

	if (stat(path, &st) < 0)
		return NULL;
	user = st.st_uid ? getpwuid(st.st_uid) : NULL;
	owner = user ? util_format(", %s", user->pw_name) : util_strdup("");
	group = st.st_mode & S_IWGRP && st.st_gid ? getgrgid(st.st_gid) : NULL;
	text = util_format("only for root%s and %s%s", owner,
			   group ? "the group " : "a group that control_group names",
			   group ? group->gr_name : "");
	free(owner);
	return text;
}

static enum ctl_outcome
blame_connect(const struct ctl_client *client, int error, char **text)
{
	const char *path = client->request->socket;
	struct stat st;
	char *who;

	if (error == EACCES || error == EPERM) {
		who = who_may(path);
		util_fail(text, "%s: permission denied: %s", path,
			  who ? who : "only root, or who is in control_group, may go there");
		free(who);
		return CTL_NO_DAEMON;
	}
	if (error == EAGAIN)
		return blame_time(CTL_STUCK, client, text, "took no connection");
	if (error == ENOENT)
		return blame(CTL_NO_DAEMON, client, text,
			     "there is no such socket: no preforkd runs, or its control_socket "
			     "is another one (-s)");
	if (error == EPROTOTYPE || (stat(path, &st) == 0 && !S_ISSOCK(st.st_mode)))
		return blame(CTL_NO_DAEMON, client, text, "not a socket that preforkd listens on");
	if (error == ECONNREFUSED)
		return blame(CTL_NO_DAEMON, client, text,
			     "nobody listens there: preforkd has ended and left the file behind");
	return blame(CTL_NO_DAEMON, client, text, strerror(error));
}

/* A full accept queue blocks connect(2): SO_SNDTIMEO ends that, and a send's wait, too. */
static int
limit_sending(const struct ctl_client *client)
{
	struct timeval limit;
	int64_t ms;

	if (!client->deadline)
		return 0;
	if (!time_left(client, &ms))
		ms = 1;
	limit = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	return setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static enum ctl_outcome
connect_to(struct ctl_client *client, char **text)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = strlen(client->request->socket);
	socklen_t size = sizeof(address);
	int status;

	if (len >= sizeof(address.sun_path))
		return blame(CTL_NO_DAEMON, client, text, "too long for the path of a socket");
	memcpy(address.sun_path, client->request->socket, len);
	if (address.sun_path[0] == '@') { /* unix(7): an abstract name is all its bytes */
		address.sun_path[0] = '\0';
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	}
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || limit_sending(client) < 0)
		return blame(CTL_NO_DAEMON, client, text, strerror(errno));
	do
		status = connect(client->fd, (struct sockaddr *)&address, size);
	while (status < 0 && errno == EINTR);
	return status == 0 ? CTL_DONE : blame_connect(client, errno, text);
}

/* A daemon that will not hear us may have said why before it closed: the answer tells. */
static enum ctl_outcome
send_request(const struct ctl_client *client, char **text)
{
	const char *at = client->request->line;
	size_t left = strlen(at);

	while (left > 0) {
		ssize_t n = send(client->fd, at, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return blame_time(CTL_STUCK, client, text, "took no request");
		if (n < 0)
			break;
		at += n;
		left -= (size_t)n;
	}
	return CTL_DONE;
}

/* Some more bytes: 1; the end: 0; time is up: -1 with ETIMEDOUT, or another error. */
static int
receive(struct ctl_client *client)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };

	for (;;) {
		int64_t ms;
		ssize_t n;

		if (!time_left(client, &ms)) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (poll(&wait, 1, client->deadline ? (int)util_min(ms, INT_MAX) : -1) < 0 &&
		    errno != EINTR)
			return -1;
		n = recv(client->fd, client->buf + client->used, READ_BYTES, MSG_DONTWAIT);
		if (n >= 0) {
			client->used += (size_t)n;
			client->total += (size_t)n;
			return n > 0;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -1;
	}
}

/* The next line without its end, until the next call; NULL with *outcome and *text. */
static char *
read_line(struct ctl_client *client, enum ctl_outcome *outcome, char **text)
{
	size_t seen = client->line_at;
	int got = 1;

	for (;;) {
		char *line = client->buf + client->line_at, *end;
		size_t len = client->used - client->line_at;

		end = memchr(client->buf + seen, '\n', client->used - seen);
		if (end &&
		    (end - line >= CTL_LINE_BYTES || memchr(line, '\0', (size_t)(end - line))))
			break;
		if (end) {
			*end = '\0';
			client->line_at = (size_t)(end + 1 - client->buf);
			return line;
		}
		if (len >= CTL_LINE_BYTES || client->total >= CTL_ANSWER_BYTES)
			break;
		memmove(client->buf, line, len);
		client->line_at = 0;
		client->used = seen = len;
		got = receive(client);
		if (got <= 0)
			break;
	}
	if (got > 0)
		*outcome = blame(CTL_NO_DAEMON, client, text, "what answers there is not preforkd");
	else if (got < 0 && errno == ETIMEDOUT)
		*outcome = blame_time(CTL_WAITING, client, text, "did not answer");
	else
		*outcome = blame(CTL_NO_DAEMON, client, text,
				 client->total > 0 ? "the daemon went away within its answer"
						   : "the daemon went away without an answer");
	return NULL;
}

static enum ctl_outcome
read_answer(struct ctl_client *client, char **text)
{
	const struct ctl_request *request = client->request;
	enum ctl_outcome outcome = CTL_DONE;
	char *line, *err = NULL;

	while ((line = read_line(client, &outcome, text))) {
		struct control_record record;
		bool ok;
		const char *last = control_last_parse(line, &ok);

		if (last) {
			*text = util_strdup(last);
			return ok ? CTL_DONE : CTL_FAILED;
		}
		if (control_record_parse(&record, line) < 0)
			return blame(CTL_NO_DAEMON, client, text,
				     "what answers there is not preforkd");
		if (request->take && request->take(request->arg, &record, &err) < 0) {
			outcome = blame(CTL_NO_DAEMON, client, text, err);
			free(err);
			return outcome;
		}
	}
	return outcome;
}

enum ctl_outcome
ctl_client_ask(const struct ctl_request *request, char **text)
{
	struct ctl_client client = { .request = request, .fd = -1 };
	enum ctl_outcome outcome;

	*text = NULL;
	if (request->timeout_ms > 0)
		client.deadline = util_now_ms() + request->timeout_ms;
	client.buf = util_calloc(1, CTL_LINE_BYTES + READ_BYTES);
	outcome = connect_to(&client, text);
	if (outcome == CTL_DONE)
		outcome = send_request(&client, text);
	if (outcome == CTL_DONE)
		outcome = read_answer(&client, text);
	if (client.fd >= 0)
		close(client.fd);
	free(client.buf);
	return outcome;
}
