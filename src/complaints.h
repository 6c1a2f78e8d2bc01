/*
 * What workers have to complain of, on its way to the master: a worker logs it and leaves
 * it here, in memory that the pool's workers share with the master, and the master, which
 * alone can be asked for the status, takes it out.
 *
 * A place is free (0), being written (the process id of who does), or full.  A worker may
 * die while it writes; the master, which reaps it, frees its place.  What finds no place
 * is only counted: the log has it.
 */
#ifndef PREFORKD_COMPLAINTS_H
#define PREFORKD_COMPLAINTS_H

#include "log.h"

#define COMPLAINTS      4
#define COMPLAINT_BYTES 320

struct complaint {
	_Atomic uint32_t state;
	unsigned more; /* that were not told since the one before it */
	char text[COMPLAINT_BYTES];
};

/* All zero is an empty one. */
struct complaints {
	struct log_limit limit;
	struct complaint places[COMPLAINTS];
};

/*
 * A worker's.  text is a line of the log; its beginning "pool NAME: " is left out, and so is
 * " (N more like this)" at its end, which is added to more.  true: the master must be told
 * that there is something.
 */
bool complaints_add(struct complaints *c, int pid, const char *pool, const char *text);

/* The master's: calls each() for all that there are. */
void complaints_take(struct complaints *c, void (*each)(const char *text, unsigned more, void *arg),
		     void *arg);
void complaints_forget(struct complaints *c, int pid); /* it is dead */

#endif
