/*
 * Listen sockets: opened by the master, inherited by the workers, kept over reloads.
 */
#ifndef PREFORKD_LISTENER_H
#define PREFORKD_LISTENER_H

#include "address.h"

#include <stdint.h>
#include <sys/types.h>

struct listener_options {
	int backlog;
	bool ipv6only, defer_accept;
	uid_t owner; /* of a Unix socket's file; -1: leave it */
	gid_t group;
	mode_t mode;
};

struct listener {
	struct address address; /* as asked for */
	struct listener_options options;
	char name[ADDRESS_TEXT_BYTES]; /* as bound, with the real port */
	int fd;
	unsigned users; /* generations of workers that accept on it */
	bool inherited; /* somebody else keeps it after us: a service manager, another master */
	bool promised;  /* inherited, and ours as soon as the master before us lets go */
	bool stored;    /* a service manager keeps a copy for the next instance */
	bool finishing; /* takes no new connections, see listener_finish() */
	bool shut;      /* for good, see listener_mend() */
	dev_t dev;      /* the file of a Unix socket, to remove no other one */
	ino_t ino;
};

/*
 * Binds and listens.  A stale Unix socket is replaced only if nobody accepts on it.
 * NULL with *err, which names who has the address if that can be seen.  The first
 * user is the caller: listener_release() takes it away again, and the last one closes
 * the socket and removes its file.
 */
struct listener *listener_open(const struct address *address,
			       const struct listener_options *options, char **err);
/*
 * The same with a socket that a service manager has bound, and that it must listen on;
 * the descriptor is owned by the listener then.
 */
struct listener *listener_adopt(int fd, const struct address *address,
				const struct listener_options *options, char **err);
/* An adopted one becomes the caller's own: with its options, and with its file. */
void listener_own(struct listener *l);

/* The opposite: another master has it now. */
void listener_give_away(struct listener *l);

void listener_use(struct listener *l);
void listener_release(struct listener *l);

/*
 * Only tries whether it could be opened.  -1 with *err; *owner is then the process that
 * listens there, or 0 if there is none or it cannot be seen.
 */
int listener_check(const struct address *address, const struct listener_options *options,
		   pid_t *owner, char **err);

/* Applies what can change in place: backlog, defer_accept, owner, group, mode. */
void listener_change(struct listener *l, const struct listener_options *options);

/*
 * The beginning of the end: no connection is added to the accept queue any more, and
 * accept(2) on the socket fails with EAGAIN (or EINVAL) once it is empty.
 */
void listener_finish(struct listener *l);

#endif
