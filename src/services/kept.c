#include "kept.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* Is it this one that gives way?  A request that has just come is served before. */
static bool
must_give_way(const struct kept *k)
{
	uint64_t token, one = 1;
	ssize_t n = read(k->give_fd, &token, sizeof(token));
	char byte;

	if (n < 0)
		return false; /* somebody else has taken it */
	if (recv(k->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
		figures_count(k->figures, FIGURE_GIVEN_WAY, n > 0); /* else the worker leaves */
		return true;
	}
	if (n > 0 && write(k->give_fd, &one, sizeof(one)) < 0)
		return true;
	return false;
}

bool
kept_wait(const struct kept *k)
{
	struct pollfd pfds[2] = { { .fd = k->fd, .events = POLLIN },
				  { .fd = k->give_fd, .events = POLLIN } };
	int64_t now = util_now_ms();

	for (;;) {
		bool idle = now >= k->idle_at;
		int64_t left = (idle ? k->deadline : util_min(k->idle_at, k->deadline)) - now;
		int n = left > 0 ? poll(pfds, idle ? 2 : 1, (int)util_min(left, INT_MAX)) : 0;

		now = util_now_ms();
		if (n < 0 && errno != EINTR)
			return false;
		if (n <= 0 && (now >= k->deadline || *k->leaving))
			return false;
		if (n > 0 && pfds[0].revents)
			return true;
		if (n > 0 && must_give_way(k))
			return false;
	}
}
