/*
 * What comes of a failed accept(2).  For worker.c only.
 */
#ifndef PREFORKD_WORKER_ACCEPT_H
#define PREFORKD_WORKER_ACCEPT_H

#include "worker.h"

/*
 * false: this worker is to leave.  Else it says what is wrong, not too often, and pauses
 * if the next call would fail too.
 */
bool worker_accept_failed(const struct worker *worker, int error);
void worker_accept_works(void);

#endif
