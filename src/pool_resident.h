/*
 * Pools whose programs accept by themselves: no worker tells who is idle.  A program is
 * taken for busy while it has a connection that came from the pool's socket, which the
 * kernel tells (accepted.h); whoever must go is chosen by processor time.  For pool*.c
 * and status.c only.
 */
#ifndef PREFORKD_POOL_RESIDENT_H
#define PREFORKD_POOL_RESIDENT_H

#include "pool.h"

bool pool_resident(const struct pool *pool); /* is the current generation of this kind? */

/*
 * Tells idle and busy ones of the census apart, which has them all as idle.  Programs that
 * have more connections than one each are busy only if the queue does not go; *look_at (or
 * NULL) becomes earlier when that must be seen.
 */
void pool_resident_census(struct pool *pool, struct policy_census *c, int64_t now,
			  int64_t *look_at);

/* From here on processor time is counted; surplus is what has used none, or the least. */
void pool_resident_mark(struct pool *pool);

/* Tells n to leave: none that has a connection, unless there are more than may be. */
void pool_resident_retire(struct pool *pool, int n, bool too_many, int64_t now);

/* As seen just now. */
unsigned pool_resident_busy(const struct pool *pool);

#endif
