/*
 * Workers that are due for replacement: after so many requests, at an age, with too
 * much memory.  A few of a pool at a time are chosen; they serve on, but count in no
 * census any more, so that the policy starts others if these are needed; and they are
 * told to leave once the rest is enough without them.  For pool.c only.
 */
#ifndef PREFORKD_POOL_DUE_H
#define PREFORKD_POOL_DUE_H

#include "pool.h"

/* How many are chosen, and how many of those wait for a connection. */
struct pool_due {
	int chosen, idle;
};

/* Chooses from those that are due; *look_at becomes earlier if another one will be. */
struct pool_due pool_due_choose(struct pool *pool, int64_t now, int64_t *look_at);

/* Tells so many of the chosen ones to leave. */
void pool_due_leave(struct pool *pool, int n, int64_t now);

#endif
