/*
 * A listen socket belongs to all who have it: one worker, or its program, that calls
 * shutdown(2) on it shuts it for the others and for the master.
 */
#ifndef PREFORKD_LISTENER_MEND_H
#define PREFORKD_LISTENER_MEND_H

#include "listener.h"

/*
 * Lets a socket that was shut listen again.  false: it is shut for good, as one of a Unix
 * address is, and readable all the time.  Tells the log.
 */
bool listener_mend(struct listener *l);

/* For workers that wait in accept(2): O_NONBLOCK, too, is for all. */
void listener_block(const struct listener *l);

#endif
