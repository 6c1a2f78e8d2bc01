/*
 * Lists of sockets from the kernel, see sock_diag(7).
 */
#ifndef PREFORKD_SOCKDIAG_H
#define PREFORKD_SOCKDIAG_H

#include <linux/netlink.h>
#include <netinet/in.h>

/*
 * Sends a request whose header has NLM_F_DUMP, and calls each() for every socket of the
 * answer.  It never waits: the kernel answers within send(2) and recv(2).  -1 if it does
 * not tell; then some sockets may have been told of.
 */
int sockdiag_dump(const struct nlmsghdr *request,
		  void (*each)(const struct nlmsghdr *answer, void *arg), void *arg);

/*
 * The same for the TCP sockets of a family with a local port, in network byte order, that
 * are in one of the states, 1 << TCP_...; a connection over IPv4 to an IPv6 listener is an
 * IPv6 socket too.  each() gets a struct inet_diag_msg.
 */
int sockdiag_dump_tcp(int family, unsigned states, in_port_t port,
		      void (*each)(const struct nlmsghdr *answer, void *arg), void *arg);

#endif
