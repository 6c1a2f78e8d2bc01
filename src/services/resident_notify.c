#include "resident_notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_BYTES 4096
#define MESSAGE_FDS   253 /* SCM_MAX_FD: no message can bring more */

int
resident_notify_open(char name[RESIDENT_NOTIFY_NAME_BYTES])
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa.sun_family);
	int on = 1, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* A bind(2) to no name gets a free one, of a zero and five digits (unix(7)). */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&sa, len) < 0)
		goto fail;
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		goto fail;
	snprintf(name, RESIDENT_NOTIFY_NAME_BYTES, "@%.*s", (int)(len - sizeof(sa.sun_family) - 1),
		 sa.sun_path + 1);
	return fd;
fail:
	if (fd >= 0) {
		int saved = errno;

		close(fd);
		errno = saved;
	}
	return -1;
}

/* Descriptors are not wanted; a barrier of sd_notify_barrier(3) is over when they close. */
static void
close_all(const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fds[MESSAGE_FDS];

	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

static bool
take_control(struct msghdr *m, struct ucred *sender)
{
	bool known = false;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			close_all(c);
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(sender, CMSG_DATA(c), sizeof(*sender));
			known = true;
		}
	}
	return known;
}

static bool
may_speak(const struct ucred *sender, pid_t session)
{
	pid_t its = getsid(sender->pid);

	return its < 0 ? sender->uid == geteuid() : its == session;
}

static bool
take_lines(char *text, char status[RESIDENT_STATUS_BYTES])
{
	char *save = NULL;
	bool ready = false;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "READY=1") == 0)
			ready = true;
		else if (strncmp(line, "STATUS=", 7) == 0)
			snprintf(status, RESIDENT_STATUS_BYTES, "%s", line + 7);
	}
	return ready;
}

bool
resident_notify_read(int fd, pid_t session, char status[RESIDENT_STATUS_BYTES])
{
	_Alignas(struct cmsghdr) char
	    control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(MESSAGE_FDS * sizeof(int))];
	char text[MESSAGE_BYTES + 1];
	struct iovec iov = { .iov_base = text, .iov_len = MESSAGE_BYTES };
	struct ucred sender;
	bool ready = false;
	ssize_t n;

	for (;;) {
		struct msghdr m = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};

		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
		if (n < 0)
			return ready;
		text[n] = '\0';
		if (take_control(&m, &sender) && may_speak(&sender, session))
			ready |= take_lines(text, status);
	}
}
