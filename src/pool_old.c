#include "pool_old.h"

#include "pool_size.h"
#include "pool_slots.h"

/* How long a listener that ends waits for handshakes that have begun. */
#define HANDSHAKE_MS      2000
#define HANDSHAKE_LOOK_MS 50

/* So many workers in vain, and a queue is given up: they die before they serve. */
#define IN_VAIN_MAX 10

void
pool_old_add(struct pool *pool, struct generation *gen, enum generation_phase phase, int64_t now)
{
	gen->phase = phase;
	gen->next = pool->old;
	pool->old = gen;
	if (phase == GENERATION_FINISHING) {
		listener_finish(gen->listener);
		gen->finish_by = now + HANDSHAKE_MS;
	}
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen)
			pool_slots_drain(pool, &pool->slots[i], now);
}

enum generation_phase
pool_old_phase(const struct generation *gen)
{
	bool stays = gen->listener->users > 1 || gen->listener->inherited;

	return stays ? GENERATION_RETIRING : GENERATION_FINISHING;
}

/* A listener that ends may still have a queue, and nobody left to accept it. */
static void
empty_queue(struct pool *pool, struct generation *gen, int queue, int64_t now)
{
	int may = (int)gen->conf->max_workers - (int)pool_slots_of(pool, gen);
	int places = pool_size_places(pool, gen->conf->max_workers, gen->conf);

	/* Within the limit for all generations; but somebody must empty it. */
	if (pool->current && places < may)
		may = places > 0 ? places : pool_slots_of(pool, gen) == 0;
	for (int n = queue < may ? queue : may; n > 0; n--)
		if (pool_slots_spawn(pool, gen, SLOT_DRAINING, now) < 0)
			return;
}

/* Its queue is empty, so clients are better refused, while the last workers are busy. */
static void
close_listener(struct pool *pool, struct generation *gen)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen)
			pool_slots_retire(pool, &pool->slots[i]);
	listener_release(gen->listener);
	gen->listener = NULL;
}

/* Nobody is left who would find the queue empty, and say so by leaving, before long. */
static bool
all_are_busy(const struct pool *pool, const struct generation *gen)
{
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];

		if (slot->gen == gen &&
		    !activity_is_busy(scoreboard_activity(pool->scoreboard, i, slot->pid)))
			return false;
	}
	return true;
}

/* Asked in this order: who is done with a handshake meanwhile is in the queue. */
static bool
may_still_come(const struct pool *pool, const struct generation *gen)
{
	return pool->ops->handshakes(gen->listener) > 0 || pool->ops->queue(gen->listener) > 0;
}

/* Everything that a client believes to be connected is accepted, or may still come. */
static void
finish_generation(struct pool *pool, struct generation *gen, int64_t now, int64_t *look_at)
{
	bool in_time = now < gen->finish_by, stored = gen->listener->stored;
	int queue = pool->ops->queue(gen->listener);

	if (stored && !in_time) {
		close_listener(pool, gen); /* nothing holds connections back: no end in sight */
	} else if (queue > 0 && gen->in_vain < IN_VAIN_MAX && (!gen->emptied || in_time)) {
		gen->emptied = false;
		empty_queue(pool, gen, queue, now);
		if (pool_slots_of(pool, gen) == 0)
			pool_slots_earliest(look_at, pool->policy.next_try);
		if (stored)
			pool_slots_earliest(look_at, gen->finish_by);
	} else if (in_time && !stored && may_still_come(pool, gen)) {
		pool_slots_earliest(look_at, now + HANDSHAKE_LOOK_MS);
	} else if (gen->emptied || pool_slots_of(pool, gen) == 0 ||
		   (queue == 0 && (!in_time || all_are_busy(pool, gen)))) {
		if (queue > 0 && gen->in_vain >= IN_VAIN_MAX)
			log_error(
			    "pool %s: workers die before they serve: %d waiting on %s given up",
			    pool->name, queue, gen->listener->name);
		close_listener(pool, gen);
	} else if (in_time) {
		pool_slots_earliest(look_at, gen->finish_by);
	}
}

/* Old generations whose last worker is gone go too. */
void
pool_old_sweep(struct pool *pool, int64_t now, int64_t *look_at)
{
	struct generation **at = &pool->old;

	while (*at) {
		struct generation *gen = *at;
		bool finishing = gen->phase == GENERATION_FINISHING && !pool->fast;

		if (finishing && gen->listener) {
			finish_generation(pool, gen, now, look_at);
		} else {
			/* Who stays for its last connection must not look like one who accepts. */
			listener_release(gen->listener);
			gen->listener = NULL;
		}
		if (pool_slots_of(pool, gen) > 0 || (finishing && gen->listener)) {
			at = &gen->next;
			continue;
		}
		*at = gen->next;
		generation_free(gen);
	}
}
