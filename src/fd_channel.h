/*
 * A descriptor that the master can replace in all workers, without a signal: workers have
 * given up their rights and may be chrooted, so they cannot open a file again.
 *
 * The master leaves the newest descriptor, with a few bytes beside it, as the one message
 * in a socket that every worker shares, and raises a number in shared memory.  A worker
 * that sees another number than its last takes a copy with MSG_PEEK (unix(7): SCM_RIGHTS).
 */
#ifndef PREFORKD_FD_CHANNEL_H
#define PREFORKD_FD_CHANNEL_H

#include <stdatomic.h>
#include <stddef.h>

struct fd_channel {
	int fds[2]; /* [0] workers peek, [1] the master sends; -1: there is none */
	_Atomic unsigned *newest;
	unsigned seen;
};

#define FD_CHANNEL_NONE             \
	{                           \
		{ -1, -1 }, NULL, 0 \
	}

/* In the master, before the workers fork.  0, or -1 with errno. */
int fd_channel_open(struct fd_channel *channel);
void fd_channel_close(struct fd_channel *channel);

/* Replaces what is in it; the descriptor stays the caller's.  0, or -1 with errno. */
int fd_channel_offer(struct fd_channel *channel, int fd, const void *data, size_t len);

/* In a worker that has moved fds[0]: the sending end is not its any more. */
void fd_channel_moved(struct fd_channel *channel, int fd);

/*
 * In a worker: a new descriptor of its own with close-on-exec, and len bytes of data; -1:
 * there is nothing newer.
 */
int fd_channel_take(struct fd_channel *channel, void *data, size_t len);

#endif
