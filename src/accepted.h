/*
 * The connections of a listen socket that somebody has accepted and not closed, and who
 * has them: as far as the kernel and /proc tell.  For programs that accept by themselves.
 */
#ifndef PREFORKD_ACCEPTED_H
#define PREFORKD_ACCEPTED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct accepted {
	uint32_t *inodes; /* in ascending order; owned */
	size_t n;
};

/* -1 if the kernel does not tell. */
int accepted_list(int listen_fd, struct accepted *list);
void accepted_free(struct accepted *list);

/* Does the process have one of them open?  -1: it is not shown to us. */
int accepted_holds(pid_t pid, const struct accepted *list);

#endif
