#include "pool_figures.h"

#include <errno.h>
#include <stdlib.h>

/* Slots are mapped as they are used: rlimit_as of a worker counts what it does not touch. */
#define CHUNK_SLOTS 64

int
pool_figures_init(struct pool *pool)
{
	pool->figures.totals = totals_open(pool->name);
	return pool->figures.totals ? 0 : -1;
}

void
pool_figures_forget(const struct pool *pool)
{
	const struct pool_figures *f = &pool->figures;

	for (size_t i = 0; i < f->nchunks; i++)
		figures_slots_free(f->chunks[i], CHUNK_SLOTS);
}

void
pool_figures_end(struct pool *pool)
{
	if (pool->figures.totals)
		pool_figures_publish(pool, NULL);
	totals_close(pool->figures.totals);
	pool_figures_forget(pool);
	free(pool->figures.chunks);
}

struct figures_slot *
pool_figures_slot(const struct pool *pool, size_t slot)
{
	return &pool->figures.chunks[slot / CHUNK_SLOTS][slot % CHUNK_SLOTS];
}

struct figures_slot *
pool_figures_prepare(struct pool *pool, size_t slot)
{
	struct pool_figures *f = &pool->figures;
	struct figures_slot *own;

	if (slot / CHUNK_SLOTS == f->nchunks) {
		struct figures_slot *chunk = figures_slots_new(CHUNK_SLOTS);

		if (!chunk)
			return NULL;
		f->chunks = util_realloc(f->chunks, f->nchunks + 1, sizeof(*f->chunks));
		f->chunks[f->nchunks++] = chunk;
	}
	own = pool_figures_slot(pool, slot);
	figures_clear(own);
	return own;
}

/* The scoreboard counts connections and requests for its own purposes, so they stand there. */
static void
add_slot(const struct pool *pool, size_t slot, struct figures *sum)
{
	const struct scoreboard_slot *said = &pool->scoreboard->slots[slot];

	figures_add(sum, pool_figures_slot(pool, slot));
	sum->n[FIGURE_ACCEPTED] += atomic_load(&said->connections);
	sum->n[FIGURE_REQUESTS] += atomic_load(&said->requests);
}

void
pool_figures_keep(struct pool *pool, size_t slot)
{
	add_slot(pool, slot, &pool->figures.gone);
}

void
pool_figures_one_more(struct pool *pool, enum figure figure)
{
	pool->figures.gone.n[figure]++;
}

void
pool_figures_sum(const struct pool *pool, struct figures *sum)
{
	static const enum figure refusals[REFUSALS] = {
		[REFUSED_QUEUE] = FIGURE_SHED,
		[REFUSED_ACCESS] = FIGURE_REFUSED_ACCESS,
		[REFUSED_TIMES] = FIGURE_REFUSED_TIMES,
		[REFUSED_LOAD] = FIGURE_REFUSED_LOAD,
		[REFUSED_SOURCE] = FIGURE_REFUSED_SOURCE,
		[REFUSED_PROXY] = FIGURE_REFUSED_PROXY,
	};

	*sum = pool->figures.gone;
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			add_slot(pool, i, sum);
	sum->n[FIGURE_CRASHES] = pool->crashes;
	sum->n[FIGURE_RESPAWNS] = pool->respawns;
	for (size_t i = 0; i < REFUSALS; i++)
		sum->n[refusals[i]] = atomic_load(&pool->scoreboard->refused[i]);
	sum->n[FIGURE_DELAYED] = atomic_load(&pool->scoreboard->delayed);
}

void
pool_figures_publish(struct pool *pool, const struct figures *sum)
{
	struct figures now;

	if (!sum)
		pool_figures_sum(pool, &now);
	totals_add(pool->figures.totals, sum ? sum : &now, &pool->figures.published);
}
