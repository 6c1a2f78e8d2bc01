/*
 * What a worker becomes before it serves, as its pool's configuration wants it: title,
 * umask, priority, limits, root, user, directory.  For worker.c only.
 */
#ifndef PREFORKD_WORKER_BECOME_H
#define PREFORKD_WORKER_BECOME_H

#include "worker.h"

/* Of a step that failed: its name, and what it is about, or NULL. */
struct worker_step {
	const char *name, *object;
};

/* -1 with errno: a step failed. */
int worker_become(const struct worker *worker, struct worker_step *failed);

#endif
