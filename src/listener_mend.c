#include "listener_mend.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define LOG_MS 10000

static bool
is_shut(const struct listener *l)
{
	struct pollfd pfd = { .fd = l->fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) > 0 && (pfd.revents & (POLLHUP | POLLRDHUP));
}

/* A port that the kernel has chosen must be bound again; one of the file still is. */
static bool
listens_again(const struct listener *l)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(l->fd, (struct sockaddr *)&sa, &len) < 0 || sa.ss_family == AF_UNIX)
		return false;
	return (bind(l->fd, (struct sockaddr *)&sa, len) == 0 || errno == EINVAL) &&
	       listen(l->fd, l->options.backlog) == 0;
}

bool
listener_mend(struct listener *l)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (l->finishing || !is_shut(l))
		return true;
	if (listens_again(l)) {
		if (log_limit_pass(&limit, LOG_MS, &held_back))
			log_warn("%s: a worker or its program has shut the socket down: it listens "
				 "again%s",
				 l->name, log_limit_more(held_back, more));
		return true;
	}
	if (!l->shut)
		log_error(
		    "%s: a worker or its program has shut the socket down: nobody can connect "
		    "until the pool is drained and resumed",
		    l->name);
	l->shut = true;
	return false;
}

void
listener_block(const struct listener *l)
{
	int flags = fcntl(l->fd, F_GETFL);

	if (!l->finishing && flags >= 0 && (flags & O_NONBLOCK))
		fcntl(l->fd, F_SETFL, flags & ~O_NONBLOCK);
}
