/*
 * A connection between two requests: the wait for the next one, in which it gives way when
 * others wait for a worker (struct service_setup: give_fd).
 */
#ifndef PREFORKD_SERVICES_KEPT_H
#define PREFORKD_SERVICES_KEPT_H

#include "figures.h"
#include "util.h"

#include <signal.h>
#include <stdbool.h>

/* A client that is at work sends its next request sooner: its connection is not idle. */
#define KEPT_IDLE_MS 5

struct kept {
	int fd, give_fd;
	const volatile sig_atomic_t *leaving;
	struct figures_slot *figures; /* in which giving way is counted */
	int64_t idle_at, deadline;    /* util_now_ms(); before the first it does not give way */
};

/*
 * true: something has come, be it the end of the client's side.  false: nothing has until the
 * deadline, the worker leaves, or this connection is the one that must give way.
 */
bool kept_wait(const struct kept *kept);

#endif
