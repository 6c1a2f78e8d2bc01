/*
 * From one master to the next one, which runs a new program: what both say to each other.
 *
 * The old one starts the new one with its listen sockets by the protocol of
 * sd_listen_fds(3) (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES with the names of pools) and
 *
 *	PREFORKD_HANDOVER=1:FD:KINDS
 *
 * 1 is the number of this format.  FD is a stream socket between the two.  KINDS has a
 * letter for each socket: o is the master's own, i was inherited from a service manager,
 * c is the control socket.  On FD the new one writes lines:
 *
 *	starting MS	it lives, and will be ready within so many milliseconds
 *	ready TAKEN	it serves; TAKEN has 1 or 0 for each socket
 *	failed TEXT	it gives up
 *
 * PREFORKD_DRAINED has the names of pools that are drained, with colons between, and
 * HANDOVER_COLON for those in a name;
 *
 *	PREFORKD_FIGURES=1:FD:
 *
 * the format of the file with the figures of all pools, and its descriptor: see totals.h.
 * PREFORKD_PAST=1:FD: is the same for a file that the old one fills before it writes
 * "yours": see master_past.c.
 *
 *	PREFORKD_PLACES=1:FD:POOLS
 *
 * POOLS are names as in PREFORKD_DRAINED.  From FD on stand the files in which their
 * workers count scripts (http_places.h), so that those of both programs count together.
 * Who does not know one of these goes without.
 *
 * After "ready" the old one lets go of pid file and control socket, writes "yours", and
 * drains.  A version that knows more says more only if the number is a higher one.
 */
#ifndef PREFORKD_HANDOVER_H
#define PREFORKD_HANDOVER_H

#include "util.h"

#include <stdbool.h>

#define HANDOVER_FORMAT        1
#define HANDOVER_SOCKETS_MAX   1024
#define HANDOVER_LINE_BYTES    2048
#define HANDOVER_PAST_FORMAT   1
#define HANDOVER_PLACES_FORMAT 1
#define HANDOVER_COLON         '\n' /* no name has one */

enum handover_kind {
	HANDOVER_NONE = 0, /* not handed over by another master */
	HANDOVER_OWN = 'o',
	HANDOVER_INHERITED = 'i',
	HANDOVER_CONTROL = 'c',
};

/*
 * The value of the variable, pure.  kinds has room for HANDOVER_SOCKETS_MAX + 1 letters.
 * -1: it is none, or of another format.
 */
int handover_parse(const char *text, int *fd, char *kinds);

/* The same for a file: its descriptor; -1: it is none, or of another format. */
int handover_parse_file(const char *text, int64_t format);

/*
 * The new one's side.  handover_init() takes the variables out of the environment; the
 * descriptor must not be closed then.  -1: nobody hands over.
 */
void handover_init(void);
int handover_fd(void);
int handover_figures_fd(void); /* whose files they are then, also after the end */
int handover_past_fd(void);
int handover_last_fd(void); /* the highest of all of them */
enum handover_kind handover_kind(int fd);
bool handover_is_drained(const char *pool);
int handover_take_places(const char *pool); /* the caller's then; -1: there are none */

/* Writes one line; does nothing if nobody hands over. */
void handover_tell(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* It is over: closes the descriptor. */
void handover_end(void);

#endif
