/*
 * The new master's side of the hand-over, see handover.h: it takes the sockets, says when
 * it serves, and becomes the daemon when the old one has let go.
 */
#include "master_private.h"

#include "handover.h"
#include "notify.h"
#include "pidfile.h"

#include <stdlib.h>

/* The one of the master before us, if it stays in its place. */
struct listener *
master_handover_control(const struct address *address, char **err)
{
	const char *name;
	int fd;

	for (size_t i = 0; (fd = notify_socket(i, &name)) >= 0; i++) {
		struct address bound = { .len = sizeof(bound.sa), .path = address->path };
		struct listener *l;

		if (handover_kind(fd) != HANDOVER_CONTROL ||
		    getsockname(fd, (struct sockaddr *)&bound.sa, &bound.len) < 0)
			continue;
		bound.len = address->len; /* the kernel counts the path only as far as it goes */
		if (!address_equal(&bound, address))
			continue;
		l = listener_adopt(fd, address, &master.plan->control, err);
		if (l)
			notify_socket_taken(fd);
		return l;
	}
	return NULL;
}

/* Not before: the other one may have to go on with them. */
static void
own_sockets(void)
{
	for (size_t i = 0; i < master.npools; i++) {
		const struct pool *pool = master.pools[i];

		if (!pool->current || !pool->current->listener->promised)
			continue;
		listener_own(pool->current->listener);
		pool->current->listener->stored = notify_can_store();
	}
	master_control_own();
}

/* The master before us has let go, or is gone. */
static void
on_handed_over(evutil_socket_t fd, short what, void *arg)
{
	struct event **event = arg;
	char *err = NULL;

	(void)fd;
	(void)what;
	event_free(*event);
	if (handover_past_fd() >= 0)
		master_past_read(handover_past_fd());
	own_sockets();
	if (master.pid_file && (master.pid_fd = pidfile_lock(master.pid_file, &err)) < 0) {
		log_error("%s", err);
		free(err);
	}
	master_serve();
	handover_end(); /* the one before us may tell that it is done */
	master_settle();
}

bool
master_handover_is_under_way(void)
{
	return master.state == MASTER_RUNNING && handover_fd() >= 0;
}

/* One letter for each socket that the master before us has handed over. */
static char *
taken_sockets(void)
{
	char *taken = util_strdup("");
	int end = notify_last_fd() + 1;

	for (int fd = NOTIFY_SOCKETS_START; fd < end && handover_kind(fd) != HANDOVER_NONE; fd++) {
		char *longer = util_format("%s%d", taken, notify_socket_is_taken(fd));

		free(taken);
		taken = longer;
	}
	return taken;
}

void
master_handover_ready(void)
{
	static struct event *event;
	char *taken = taken_sockets();

	handover_tell("ready %s", taken);
	free(taken);
	notify_close_untaken();
	event = event_new(master.base, handover_fd(), EV_READ, on_handed_over, &event);
	event_add(event, NULL);
}
