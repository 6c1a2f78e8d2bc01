#include "pool.h"

#include "pool_old.h"
#include "pool_slots.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECOUNT_MS  50
#define FULL_LOG_MS 60000

struct pool *
pool_new(const char *name, const struct pool_ops *ops)
{
	static uint32_t last_id;
	struct pool *pool = util_calloc(1, sizeof(*pool));

	pool->name = util_strdup(name);
	pool->title = util_format("preforkd: pool %s", name);
	pool->id = ++last_id;
	pool->ops = ops;
	pool->scoreboard = scoreboard_new(CONF_MAX_WORKERS);
	if (!pool->scoreboard) {
		log_error("pool %s: cannot map the scoreboard: %s", name, strerror(errno));
		free(pool->title);
		free(pool->name);
		free(pool);
		return NULL;
	}
	return pool;
}

static void
free_generations(struct generation *gen)
{
	while (gen) {
		struct generation *next = gen->next;

		generation_free(gen);
		gen = next;
	}
}

void
pool_free(struct pool *pool)
{
	if (!pool)
		return;
	generation_free(pool->current);
	generation_free(pool->trial);
	free_generations(pool->old);
	scoreboard_free(pool->scoreboard, CONF_MAX_WORKERS);
	free(pool->trial_error);
	free(pool->slots);
	free(pool->title);
	free(pool->name);
	free(pool);
}

static void
limits_of(const struct pool *pool, struct policy_limits *l)
{
	const struct conf_pool *conf = pool->current->conf;
	int max = (int)conf->max_workers, extra = pool->extra;

	l->fixed = conf->workers > 0;
	l->spare_timeout = conf->spare_timeout;
	l->max = l->fixed ? max + extra : max;
	l->min_spare = l->fixed ? 0 : (int)conf->min_spare_workers + extra;
	l->max_spare = l->fixed ? l->max : (int)conf->max_spare_workers + extra;
}

/* The workers of the current generation, by their slots and the scoreboard. */
static void
take_census(struct pool *pool, struct policy_census *c)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];
		enum activity activity;

		if (slot->gen != pool->current ||
		    (slot->state != SLOT_STARTING && slot->state != SLOT_RUNNING))
			continue;
		activity = scoreboard_activity(pool->scoreboard, i, slot->pid);
		/*
		 * One that is changing counts as idle: if it goes busy, it rings after this
		 * look; if it goes idle, to count it as busy would start one too many.
		 */
		if (slot->state == SLOT_STARTING || activity == ACTIVITY_HELD)
			c->starting++;
		else if (activity == ACTIVITY_IDLE || activity == ACTIVITY_CHANGING)
			c->idle++;
		else
			c->busy++;
	}
	c->queue = pool->ops->queue(pool->current->listener);
	if (c->queue < 0)
		c->queue = 0;
	c->low = scoreboard_low(pool->scoreboard);
	c->room = pool->ops->room();
}

static void
log_full(struct pool *pool, const struct policy_plan *plan, const struct policy_census *c)
{
	unsigned held_back;

	if (plan->saturated && log_limit_pass(&pool->full_limit, FULL_LOG_MS, &held_back))
		log_warn("pool %s: all %d workers are busy and %d connections wait: raise "
			 "%s if the machine can bear it",
			 pool->name, c->busy, c->queue,
			 pool->current->conf->workers > 0 ? "workers" : "max_workers");
	if (plan->starved && log_limit_pass(&pool->room_limit, FULL_LOG_MS, &held_back))
		log_warn("pool %s: needs more workers, but the global max_workers is reached",
			 pool->name);
}

static void
start_workers(struct pool *pool, int n, int64_t now)
{
	while (n-- > 0 && pool_slots_spawn(pool, pool->current, SLOT_STARTING, now) == 0)
		;
}

/* Idle workers go first; busy ones only when a limit was lowered. */
static void
retire_workers(struct pool *pool, int n, int64_t now)
{
	for (int pass = 0; pass < 2 && n > 0; pass++)
		for (size_t i = pool->nslots; i-- > 0 && n > 0;) {
			struct slot *slot = &pool->slots[i];
			bool idle =
			    scoreboard_activity(pool->scoreboard, i, slot->pid) == ACTIVITY_IDLE;

			if (slot->gen != pool->current || slot->state != SLOT_RUNNING ||
			    (pass == 0 && !idle))
				continue;
			pool_slots_drain(pool, slot, now);
			n--;
		}
}

/* Returns false if the bell came to ring for more than the census has seen: look again. */
static bool
size_pool(struct pool *pool, int64_t now, int64_t *look_at)
{
	static const struct policy_plan none = { .ring_above = INT_MAX };
	struct scoreboard *sb = pool->scoreboard;
	int below = sb->ring_below, above = sb->ring_above;
	struct policy_limits limits;
	struct policy_census census;
	struct policy_plan plan = none;

	limits_of(pool, &limits);
	take_census(pool, &census);
	policy_look(&limits, &census, &pool->policy, now, &plan);
	log_full(pool, &plan, &census);
	log_debug("pool %s: %d starting, %d idle (%d by count), %d busy, %d queued: start %d, "
		  "retire %d",
		  pool->name, census.starting, census.idle, scoreboard_idle(sb), census.busy,
		  census.queue, plan.start, plan.retire);
	start_workers(pool, plan.start, now);
	retire_workers(pool, plan.retire, now);
	if (plan.reset_low)
		scoreboard_reset_low(sb);
	scoreboard_set_bell(sb, plan.ring_below, plan.ring_above);
	pool->starved = plan.starved;
	pool->ops->watch(pool, plan.watch);
	pool_slots_earliest(look_at, plan.look_at);
	pool_slots_earliest(look_at, pool->policy.next_try > now ? pool->policy.next_try : 0);
	return plan.ring_below <= below && plan.ring_above >= above;
}

void
pool_look(struct pool *pool, int64_t now)
{
	int64_t look_at = 0;

	scoreboard_hush(pool->scoreboard);
	pool_slots_sync(pool, now);
	if (!scoreboard_correct(pool->scoreboard, pool->nslots, pool_slots_alive, pool))
		pool_slots_earliest(&look_at, now + RECOUNT_MS);
	if (pool->current && !pool->stopping && !size_pool(pool, now, &look_at))
		size_pool(pool, now, &look_at);
	pool_old_sweep(pool, now, &look_at);
	pool_slots_earliest(&look_at, pool_slots_next(pool, now));
	pool->ops->wake_at(pool, look_at);
}

unsigned
pool_active(const struct pool *pool)
{
	return pool->counts[SLOT_STARTING] + pool->counts[SLOT_RUNNING];
}

/* ---- reload ---- */

static void
try_failed(struct pool *pool, char *why)
{
	if (pool->trial_error)
		free(why);
	else
		pool->trial_error = why;
}

/* As many as could take over what the old ones do now, and what is asked for at a start. */
static unsigned
workers_to_try(struct pool *pool, const struct conf_pool *conf)
{
	struct policy_census c = { 0 };
	int64_t n = conf->start_workers;

	if (pool->current) {
		take_census(pool, &c);
		if (conf->workers == CONF_UNSET && c.busy + conf->min_spare_workers > n)
			n = c.busy + conf->min_spare_workers;
		if (n == 0)
			n = 1; /* what replaces something that works must have been seen to start */
	}
	return (unsigned)(n < conf->max_workers ? n : conf->max_workers);
}

void
pool_try(struct pool *pool, struct generation *gen, int64_t now)
{
	pool->trial = gen;
	gen->phase = GENERATION_TRIAL;
	free(pool->trial_error);
	pool->trial_error = NULL;
	pool->trial_workers = workers_to_try(pool, gen->conf);
	for (unsigned i = 0; i < pool->trial_workers; i++)
		if (pool_slots_spawn(pool, gen, SLOT_STARTING, now) < 0) {
			try_failed(pool, util_format("pool %s: cannot fork a worker: %s",
						     pool->name, strerror(errno)));
			return;
		}
}

enum pool_try
pool_try_state(const struct pool *pool)
{
	unsigned ready = 0;

	if (pool->trial_error)
		return POOL_TRY_FAILED;
	for (size_t i = 0; i < pool->nslots; i++)
		ready += pool->slots[i].gen == pool->trial && pool->slots[i].state == SLOT_RUNNING;
	return ready >= pool->trial_workers ? POOL_TRY_READY : POOL_TRY_PENDING;
}

void
pool_commit(struct pool *pool, int64_t now)
{
	struct generation *before = pool->current;

	pool->current = pool->trial;
	pool->trial = NULL;
	pool->current->phase = GENERATION_CURRENT;
	if (pool->current->gate >= 0)
		close(pool->current->gate);
	pool->current->gate = -1;
	policy_forgive(&pool->policy);
	policy_ready(&pool->policy, now);
	pool->extra = 0;
	if (before)
		pool_old_add(pool, before, pool_old_phase(before), now);
	pool_look(pool, now);
}

void
pool_take_back(struct pool *pool, int64_t now)
{
	struct generation *gen = pool->trial;

	if (!gen)
		return;
	pool->trial = NULL;
	pool_old_add(pool, gen, GENERATION_RETIRING, now);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen)
			pool_slots_end(pool, &pool->slots[i], now);
	pool_look(pool, now);
}

void
pool_resize(struct pool *pool, struct conf_pool *conf)
{
	conf_pool_free(pool->current->conf);
	pool->current->conf = conf;
	pool->extra = 0;
	policy_forgive(&pool->policy);
}

void
pool_scale(struct pool *pool, int delta, int64_t now)
{
	const struct conf_pool *conf = pool->current->conf;
	int extra = pool->extra + delta;
	bool fixed = conf->workers > 0;
	int64_t low = fixed ? conf->workers : conf->min_spare_workers;
	int64_t high = fixed ? conf->workers : conf->max_spare_workers;

	if (low + extra < (fixed ? 1 : 0) ||
	    high + extra > (fixed ? CONF_MAX_WORKERS : conf->max_workers)) {
		log_notice("pool %s: stays as it is, its limit is reached", pool->name);
		return;
	}
	pool->extra = extra;
	if (delta < 0 && !fixed) {
		struct policy_census c;

		take_census(pool, &c);
		if (c.idle > conf->min_spare_workers + extra)
			retire_workers(pool, 1, now);
	}
	pool_look(pool, now);
}

void
pool_stop(struct pool *pool, bool fast, int64_t now)
{
	pool_take_back(pool, now);
	pool->stopping = true;
	pool->ops->watch(pool, false);
	if (pool->current) {
		struct generation *gen = pool->current;

		pool->current = NULL;
		pool_old_add(pool, gen, fast ? GENERATION_RETIRING : pool_old_phase(gen), now);
	}
	if (fast && !pool->fast) {
		pool->fast = true;
		for (size_t i = 0; i < pool->nslots; i++)
			pool_slots_end(pool, &pool->slots[i], now);
	}
	pool_look(pool, now);
}

bool
pool_is_gone(const struct pool *pool)
{
	return !pool->current && !pool->trial && !pool->old;
}
