/*
 * What a program leaves behind.  Every program that preforkd starts leads a session of
 * its own, and its worker and the master are subreapers (prctl(2)): what survives it
 * becomes their child, and is known by its session.  Who made a session of its own on
 * purpose (a daemon) is let alone.
 */
#ifndef PREFORKD_SESSION_H
#define PREFORKD_SESSION_H

#include <sys/types.h>

/*
 * Sends the signal to each child of this process that is in the session, and to the
 * process group of the same number if it has such a child; returns how many children that
 * were.  Without /proc (a chroot) the group stands for all.  The number may be a worker's
 * word for it, so nobody else is signalled whatever it is.
 */
int session_signal(pid_t sid, int signal);

#endif
