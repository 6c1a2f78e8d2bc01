/*
 * Samples the history of a pool at the end of each step in which a request has begun or
 * somebody was busy; between them nobody wakes up for it.  For pool.c and the master only.
 */
#ifndef PREFORKD_POOL_HISTORY_H
#define PREFORKD_POOL_HISTORY_H

#include "pool.h"

void pool_history_init(struct pool *pool, int64_t now);

/* Begins to sample if a worker has rung the alarm. */
void pool_history_look(struct pool *pool, int64_t now);

/* The time that sample_at() was told has come. */
void pool_history_sample(struct pool *pool, int64_t now);

#endif
