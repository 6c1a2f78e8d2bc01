/*
 * The service manager's side of things, as systemd defines it: state by datagrams
 * (sd_notify(3)) and sockets that it opened for us (sd_listen_fds(3)).  Without a
 * service manager all of it does nothing.
 */
#ifndef PREFORKD_NOTIFY_H
#define PREFORKD_NOTIFY_H

#include "util.h"

#include <stdbool.h>

#define NOTIFY_SOCKETS_START 3 /* sd_listen_fds(3): where they begin */

/*
 * First of all: notes the sockets of LISTEN_FDS and the watchdog, if they are meant for
 * this process.  Descriptors up to notify_last_fd() must not be closed then.
 */
void notify_init(void);
int notify_last_fd(void);

/*
 * Once the other descriptors are closed: connects to NOTIFY_SOCKET, and takes all these
 * variables out of the environment, so that no program of ours believes they are its.
 */
void notify_connect(void);

/* Lines of VAR=value.  Never blocks; what the manager does not take is lost. */
void notify_send(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * READY=1, as before, and this STATUS, cut where it is long.  It may quote what a worker or a
 * file says: what would be a line of its own, and an order to the manager, is made harmless.
 */
void notify_still_ready(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* RELOADING=1 with the time that the protocol wants. */
void notify_reloading(void);

/* The longest silence that the watchdog bears, in milliseconds; 0: there is none. */
int64_t notify_watchdog_ms(void);

/*
 * The manager keeps sockets for the next instance: only if $FDSTORE says that it has
 * places (systemd 254 sets it).  Names are those of pools; one with a colon cannot be.
 */
bool notify_can_store(void);
void notify_store(const char *name, int fd);
void notify_unstore(const char *name);

/* Adds what another master needs to speak with the manager, which then is its turn. */
void notify_pass_on(char ***environment);
void notify_close(void);

/*
 * The i-th of the sockets that were handed over and not taken yet, with its name
 * ("unknown" if the manager gave none); -1 behind the last one.
 */
int notify_socket(size_t i, const char **name);
void notify_socket_taken(int fd);
bool notify_socket_is_taken(int fd);

/* Is it from the store?  Those that no pool has taken are taken out of it, and closed. */
bool notify_socket_is_stored(int fd);
void notify_drop_stored(void);

/*
 * One that was handed over is not used any more: it may be taken again.  false: it is none
 * of those, and the caller must close it.
 */
bool notify_socket_return(int fd);

/* It is the caller's for good, and its number may come to stand for anything. */
void notify_socket_keep(int fd);

/* For those that another master keeps if we do not take them. */
void notify_close_untaken(void);

#endif
