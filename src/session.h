/*
 * What a program leaves behind.  Every program that preforkd starts leads a session of
 * its own, and its worker and the master are subreapers (prctl(2)): what survives it
 * becomes their child, and is known by its session.  Who made a session of its own on
 * purpose (a daemon) is let alone.
 */
#ifndef PREFORKD_SESSION_H
#define PREFORKD_SESSION_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Sends the signal to each child of this process that is in the session, and to the
 * process group of the same number if it has such a child; false: there is none.  Without
 * /proc (a chroot) the group stands for all.  The number may be a worker's word for it, so
 * nobody else is signalled whatever it is.
 */
bool session_signal(pid_t sid, int signal);

/* The same for n of them; those that have children stay in sids, and are counted. */
size_t session_signal_all(pid_t *sids, size_t n, int signal);

#endif
