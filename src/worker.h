/*
 * The child's side: from fork to exit.  The steps are a table in worker.c; then comes
 * the loop: accept, serve, close.
 */
#ifndef PREFORKD_WORKER_H
#define PREFORKD_WORKER_H

#include "child.h"
#include "generation.h"

#include <signal.h>

/*
 * The signals that the master sends to a worker.  RETIRE: leave after the present
 * connection.  FINISH: the listen socket does not block any more, so accept what is in
 * its queue and leave when it is empty.  EXPIRE: end the request whose number is in the
 * scoreboard, if it is still that one.  TERM ends it, with what it runs.
 *
 * The first three are real-time signals, so that a terminal or killall(1) that sends the
 * master's signals to everybody cannot make workers leave before the queue is empty.
 */
#define WORKER_SIGNAL_RETIRE CHILD_SIGNAL_1
#define WORKER_SIGNAL_FINISH CHILD_SIGNAL_2
#define WORKER_SIGNAL_EXPIRE CHILD_SIGNAL_3

/* How a worker ends is a message to the master. */
enum worker_exit {
	WORKER_LEFT = 0,          /* as it was told to */
	WORKER_CANNOT_START = 70, /* it said why; another one would fail too */
	WORKER_PROGRAM_ENDED,     /* its program was not to; its slot's text says how it ended */
};

struct worker {
	const struct generation *gen;
	const char *pool, *title;
	struct scoreboard *scoreboard;
	struct figures_slot *figures;
	size_t slot;
	int give_fd, places_fd;    /* see service_setup */
	const char *status_socket; /* the same */
	int control_fd;            /* the control pipe: a byte goes into it when the bell rings */
	pid_t master;
};

/* Called in the child with all signals blocked and reset. */
_Noreturn void worker_run(const struct worker *worker);

#endif
