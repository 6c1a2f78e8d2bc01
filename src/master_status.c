/*
 * How a status service asks the master: a socket without a file, on which the workers of
 * such pools, and nobody else, may ask for the status, and for nothing else.
 */
#include "master_private.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static struct {
	int fd; /* -1: nobody has wanted it yet */
	char *name;
} self = { .fd = -1 };

static bool
asks_status(const struct generation *gen)
{
	return gen->service->asks_status && gen->service->asks_status(gen->prepared);
}

static bool
is_worker(const struct pool *pool, pid_t pid)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE && pool->slots[i].pid == pid)
			return asks_status(pool->slots[i].gen);
	return false;
}

/* By its process, since its user may be anybody's. */
static void
on_client(int fd, const struct ucred *peer)
{
	for (size_t i = 0; i < master.npools; i++)
		if (is_worker(master.pools[i], peer->pid)) {
			master_control_serve(fd, peer, true);
			return;
		}
	close(fd);
}

static struct master_door door = { .on_client = on_client };

/* The kernel finds an abstract name that is free (unix(7): autobind). */
static int
open_socket(void)
{
	struct sockaddr_un any = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(any);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&any, &len) < 0 || listen(fd, BACKLOG) < 0) {
		log_error("cannot make the socket for the status: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	self.name = util_format("@%.*s", (int)(len - offsetof(struct sockaddr_un, sun_path) - 1),
				any.sun_path + 1);
	return fd;
}

const char *
master_status_socket(const struct generation *gen)
{
	if (!asks_status(gen))
		return NULL;
	if (self.fd < 0 && (self.fd = open_socket()) >= 0)
		master_door_open(&door, self.fd);
	return self.name;
}

void
master_status_end(void)
{
	master_door_close(&door);
	if (self.fd >= 0)
		close(self.fd);
	self.fd = -1;
	free(self.name);
	self.name = NULL;
}
