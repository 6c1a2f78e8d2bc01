/*
 * What the kernel knows about sockets: the length of an accept queue, and who has an
 * address.
 */
#ifndef PREFORKD_NETDIAG_H
#define PREFORKD_NETDIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define NETDIAG_NAME_BYTES 96

/*
 * Connections in the accept queue of a listen socket, and how many it takes (which stays
 * as it is if that is not known): TCP_INFO (tcp(7)) or sock_diag(7).  -1 if the kernel
 * does not tell.
 */
int netdiag_queue(int listen_fd, int *limit);

/*
 * For how long no byte has passed over a TCP connection, in either direction, in
 * milliseconds.  -1 if the kernel does not tell.
 */
int64_t netdiag_idle_ms(int fd);

/*
 * Connections to a listen socket whose handshake has begun and not ended (SYN_RECV), by
 * the port, as sock_diag(7) tells.  0 for a Unix socket, which has none.
 */
int netdiag_handshakes(int listen_fd);

/* Who listens on the port of a TCP address, as far as /proc shows it to us; or 0. */
pid_t netdiag_owner(const struct sockaddr_storage *sa);

/*
 * The same for a Unix socket with a path, without a connection that its owner would have
 * to serve.  false: nobody of this network namespace listens there.
 */
bool netdiag_unix_listens(const char *path, pid_t *owner);

/* "nginx (pid 123)", or "" for 0. */
void netdiag_process_name(pid_t pid, char text[NETDIAG_NAME_BYTES]);

#endif
