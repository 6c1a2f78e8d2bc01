/*
 * A socket on which the master's own clients come: accept(2) without ever waiting or
 * spinning, and who they are.
 */
#include "master_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PAUSE_SECONDS 1

static void
on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	struct master_door *door = arg;

	(void)fd;
	(void)what;
	event_add(door->event, NULL);
}

/* No descriptor is left: what is readable all the time would keep the master busy. */
static void
pause_accepting(struct master_door *door)
{
	struct timeval tv = { .tv_sec = PAUSE_SECONDS };

	event_del(door->event);
	event_add(door->pause, &tv);
}

static void
on_readable(evutil_socket_t listener, short what, void *arg)
{
	struct master_door *door = arg;
	struct ucred peer = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	struct sockaddr_storage from;
	socklen_t len = sizeof(peer), from_len = sizeof(from);
	int fd =
	    accept4(listener, (struct sockaddr *)&from, &from_len, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		close(fd);
	else if (fd >= 0)
		door->on_client(fd, &peer);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
		pause_accepting(door);
}

void
master_door_open(struct master_door *door, int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	door->event = event_new(master.base, fd, EV_READ | EV_PERSIST, on_readable, door);
	door->pause = evtimer_new(master.base, on_pause_over, door);
	event_add(door->event, NULL);
}

void
master_door_close(struct master_door *door)
{
	if (!door->event)
		return;
	event_free(door->event);
	event_free(door->pause);
	door->event = door->pause = NULL;
}
