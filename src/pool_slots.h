/*
 * The slots of a pool and the life of the processes in them: fork, ready, the way out,
 * the end.  For pool.c only.
 */
#ifndef PREFORKD_POOL_SLOTS_H
#define PREFORKD_POOL_SLOTS_H

#include "pool.h"

/*
 * Forks a worker of gen into a free slot, in state STARTING or DRAINING.  -1 with errno:
 * there is no slot (ENOSPC), or the log and the policy know what fork(2) said.
 */
int pool_slots_spawn(struct pool *pool, struct generation *gen, enum slot_state state, int64_t now);

/* The processes of a generation that are not reaped. */
unsigned pool_slots_of(const struct pool *pool, const struct generation *gen);

/* Takes over what the workers say: who is ready, who is late. */
void pool_slots_sync(struct pool *pool, int64_t now);

/*
 * Moves those that must go along the stop ladder.  Returns when the next step is due, or
 * the next one that starts is late; 0: never.
 */
int64_t pool_slots_next(struct pool *pool, int64_t now);

/* Makes *at the earlier one; 0 is never. */
void pool_slots_earliest(int64_t *at, int64_t when);

/* Tells a worker to leave when it has finished (drain), or now (end). */
void pool_slots_drain(struct pool *pool, struct slot *slot, int64_t now);
void pool_slots_end(struct pool *pool, struct slot *slot, int64_t now);

/* Tells a worker that empties the queue that it is empty: to accept no more. */
void pool_slots_retire(struct pool *pool, struct slot *slot);

/* Since when it does what it does: as it says, but not before it was, nor after now. */
int64_t pool_slots_since(const struct slot *slot, int64_t said, int64_t now);

/* The slot of a worker that lives, or NULL. */
struct slot *pool_slots_find(const struct pool *pool, pid_t pid);

/* Kills it; for whoever does not end otherwise. */
void pool_slots_kill(struct pool *pool, struct slot *slot, int64_t now);

/* For scoreboard_correct(): arg is the pool. */
bool pool_slots_alive(const void *arg, size_t slot);

#endif
