/*
 * Lists of sockets from the kernel, see sock_diag(7).
 */
#ifndef PREFORKD_SOCKDIAG_H
#define PREFORKD_SOCKDIAG_H

#include <linux/netlink.h>
#include <stddef.h>

/*
 * Sends a request whose header has NLM_F_DUMP, and calls each() for every socket of the
 * answer.  It never waits: the kernel answers within send(2) and recv(2).  -1 if it does
 * not tell; then some sockets may have been told of.
 */
int sockdiag_dump(const struct nlmsghdr *request,
		  void (*each)(const struct nlmsghdr *answer, void *arg), void *arg);

#endif
