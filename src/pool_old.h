/*
 * Generations on their way out: their workers finish, some with an accept queue to
 * empty first.  For pool.c only.
 */
#ifndef PREFORKD_POOL_OLD_H
#define PREFORKD_POOL_OLD_H

#include "pool.h"

/*
 * The generation joins the old ones and its workers are told to leave: after their
 * connection (RETIRING), or when the queue of their listener is empty too (FINISHING).
 */
void pool_old_add(struct pool *pool, struct generation *gen, enum generation_phase phase,
		  int64_t now);

/* FINISHING if its listener ends with it: nobody else accepts there, now or later. */
enum generation_phase pool_old_phase(const struct generation *gen);

/* Lets go of what has come to its end; *look_at becomes earlier if there is more to do. */
void pool_old_sweep(struct pool *pool, int64_t now, int64_t *look_at);

#endif
