/*
 * What a pool has done: the figures of the workers that live, of those that are gone, and
 * of the pool itself, which go into its totals whenever somebody asks.
 */
#ifndef PREFORKD_POOL_FIGURES_H
#define PREFORKD_POOL_FIGURES_H

#include "pool.h"

/* -1 with errno. */
int pool_figures_init(struct pool *pool);
void pool_figures_end(struct pool *pool);

/*
 * In a worker: the memory of its pool's workers is no business of another pool's.  What the
 * master has of it is not touched: so it stays shared.
 */
void pool_figures_forget(const struct pool *pool);

/* Before a worker is forked: its slot, cleared; NULL with errno. */
struct figures_slot *pool_figures_prepare(struct pool *pool, size_t slot);
struct figures_slot *pool_figures_slot(const struct pool *pool, size_t slot);

/* Its worker is gone: what it has done stays. */
void pool_figures_keep(struct pool *pool, size_t slot);

/* One more of what the master counts itself. */
void pool_figures_one_more(struct pool *pool, enum figure figure);

/* Of this master's own time. */
void pool_figures_sum(const struct pool *pool, struct figures *sum);

/* Adds to the totals what is new in sum, or (NULL) at all. */
void pool_figures_publish(struct pool *pool, const struct figures *sum);

#endif
