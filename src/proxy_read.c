#include "proxy_read.h"

#include "util.h"

#include <errno.h>
#include <poll.h>

#define LOOK_AGAIN_MS 10

static unsigned char buf[PROXY_HEADER_BYTES];

/*
 * For more, or the end.  While there are bytes that may not be taken yet, poll(2) tells of
 * the end only, so it is looked again in steps.  false: the time is up.
 */
static bool
wait_for_more(int fd, bool untaken, int64_t deadline_ms, bool *ended)
{
	struct pollfd pfd = { .fd = fd, .events = untaken ? POLLRDHUP : POLLIN };
	int64_t left = deadline_ms - util_now_ms();

	if (left <= 0)
		return false;
	if (poll(&pfd, 1, (int)util_min(left, untaken ? LOOK_AGAIN_MS : INT32_MAX)) > 0 && untaken)
		*ended = true;
	return true;
}

/* What was seen is there, so this does not wait. */
static bool
take(int fd, unsigned char *to, size_t n)
{
	return n == 0 || recv(fd, to, n, MSG_DONTWAIT) == (ssize_t)n;
}

static enum proxy_read
bad(const char **why, const char *text)
{
	*why = text;
	return PROXY_READ_BAD;
}

enum proxy_read
proxy_read(int fd, bool optional, int64_t deadline_ms, struct proxy_header *out, const char **why)
{
	size_t taken = 0;
	bool ended = false;

	for (;;) {
		ssize_t n = recv(fd, buf + taken, sizeof(buf) - taken, MSG_PEEK | MSG_DONTWAIT);
		size_t there = taken + (n > 0 ? (size_t)n : 0), used;
		enum proxy_parse parse = proxy_proto_parse(buf, there, out, &used, why);
		bool undecided = parse == PROXY_MAYBE && optional;

		if (parse == PROXY_BAD)
			return PROXY_READ_BAD;
		if (parse == PROXY_NONE)
			return optional ? PROXY_READ_NONE : bad(why, "there is none");
		if (parse == PROXY_DONE)
			return take(fd, buf + taken, used - taken) ? PROXY_READ_DONE
								   : bad(why, "it is gone");
		if (!undecided && !take(fd, buf + taken, there - taken))
			return bad(why, "it is gone");
		taken = undecided ? 0 : there;
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			ended = true;
		if (ended && !undecided)
			return there > 0 ? bad(why, "it ends too early") : PROXY_READ_GONE;
		if (ended || !wait_for_more(fd, undecided && there > 0, deadline_ms, &ended))
			return undecided ? PROXY_READ_NONE : bad(why, "the time for it is up");
	}
}
