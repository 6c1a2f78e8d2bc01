/*
 * From accept(2) to the service: whose connection it is, whether it is let in, and when
 * its turn comes.  For worker.c only.
 */
#ifndef PREFORKD_WORKER_ADMIT_H
#define PREFORKD_WORKER_ADMIT_H

#include "worker.h"

/*
 * true: it is to be served, and conn->peer and conn->proxy say whose it is.  May wait; then
 * it is in the scoreboard, and ring() was called with what scoreboard_arrive() said.  false:
 * it is to be closed; that is counted, logged, and the client was told, or has gone.
 */
bool worker_admit(const struct worker *worker, struct conn *conn, void (*ring)(bool wanted));

/* Whatever that was, the connection is over. */
void worker_admit_end(const struct worker *worker);

#endif
