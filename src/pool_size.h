/*
 * The size of a pool: census, policy, and what comes of it.  For pool.c only.
 */
#ifndef PREFORKD_POOL_SIZE_H
#define PREFORKD_POOL_SIZE_H

#include "pool.h"

/*
 * Starts and retires workers of the current generation.  Returns false if the bell came
 * to ring for more than the census has seen: look again.
 */
bool pool_size(struct pool *pool, int64_t now, int64_t *look_at);

/*
 * The workers of the current generation, by their slots and the scoreboard; not room.
 * *look_at (or NULL) becomes earlier if it is not sure.
 */
void pool_size_census(struct pool *pool, struct policy_census *c, int64_t now, int64_t *look_at);

/* Tells n to leave: idle ones first, busy ones only when a limit was lowered. */
void pool_size_retire(struct pool *pool, int n, int64_t now);

/*
 * How many more processes there may be: max of the current generation, and
 * old_generation_max beside.
 */
int pool_size_places(const struct pool *pool, int64_t max, const struct conf_pool *conf);

#endif
