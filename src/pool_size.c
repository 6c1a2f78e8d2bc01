#include "pool_size.h"

#include "events.h"
#include "pool_due.h"
#include "pool_words.h"
#include "pool_resident.h"
#include "pool_slots.h"

#include <limits.h>
#include <string.h>

#define FULL_LOG_MS 60000

static void
limits_of(const struct pool *pool, struct policy_limits *l)
{
	const struct conf_pool *conf = pool->current->conf;
	int max = (int)conf->max_workers, extra = pool->extra;

	l->fixed = conf->workers > 0;
	l->keeps = pool->current->service->keeps_connections;
	l->unseen = pool_resident(pool);
	l->spare_timeout = conf->spare_timeout;
	l->max = l->fixed ? max + extra : max;
	l->min_spare = l->fixed ? 0 : (int)conf->min_spare_workers + extra;
	l->max_spare = l->fixed ? l->max : (int)conf->max_spare_workers + extra;
}

int
pool_size_places(const struct pool *pool, int64_t max, const struct conf_pool *conf)
{
	return (int)(max + conf->old_generation_max) - (int)pool_processes(pool);
}

void
pool_size_census(struct pool *pool, struct policy_census *c, int64_t now, int64_t *look_at)
{
	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];
		enum activity activity;

		if (slot->gen != pool->current || slot->due != DUE_NOT ||
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
		c->kept += activity == ACTIVITY_KEEPALIVE;
		c->closing += activity == ACTIVITY_CLOSING;
	}
	c->queue = pool->ops->queue(pool->current->listener);
	if (c->queue < 0)
		c->queue = 0;
	c->low = scoreboard_low(pool->scoreboard);
	if (pool_resident(pool))
		pool_resident_census(pool, c, now, look_at);
}

/* Workers that wait for a rate are busy, too. */
static const char *
remedy_of(const struct conf_pool *conf)
{
	bool rates = conf->rate_limit > 0 || conf->rate_limit_per_source > 0;

	if (conf->workers > 0)
		return rates ? "workers or the rate limits" : "workers";
	return rates ? "max_workers or the rate limits" : "max_workers";
}

static void
log_full(struct pool *pool, const struct policy_plan *plan, const struct policy_census *c,
	 int64_t now, int64_t *look_at)
{
	char request[POOL_WORDS_BYTES] = "";
	struct saturation_look look = {
		.pool = pool->name,
		.remedy = remedy_of(pool->current->conf),
		.request = request,
		.saturated = plan->saturated,
		.busy = c->busy,
		.queue = c->queue,
	};
	unsigned held_back;

	if (plan->saturated)
		pool_words_longest(pool, now, request);
	pool_slots_earliest(look_at, saturation_look(&pool->saturation, &look, now));
	if (plan->starved && pool->ops->room() <= 0 &&
	    log_limit_pass(&pool->room_limit, FULL_LOG_MS, &held_back)) {
		log_warn(
		    "pool %s: needs more workers, but the global max_workers is reached: raise "
		    "it, or lower max_workers of other pools",
		    pool->name);
		events_add(pool->name, EVENT_LIMIT,
			   "needs more workers, but the global max_workers is reached");
	}
}

static void
start_workers(struct pool *pool, int n, int64_t now)
{
	while (n-- > 0 && pool_slots_spawn(pool, pool->current, SLOT_STARTING, now) == 0)
		;
}

void
pool_size_retire(struct pool *pool, int n, int64_t now)
{
	struct policy_limits limits;

	if (pool_resident(pool)) {
		limits_of(pool, &limits);
		pool_resident_retire(pool, n, (int)pool_active(pool) > limits.max, now);
		return;
	}
	for (int pass = 0; pass < 2 && n > 0; pass++)
		for (size_t i = pool->nslots; i-- > 0 && n > 0;) {
			struct slot *slot = &pool->slots[i];
			bool idle =
			    scoreboard_activity(pool->scoreboard, i, slot->pid) == ACTIVITY_IDLE;

			if (slot->gen != pool->current || slot->state != SLOT_RUNNING ||
			    slot->due != DUE_NOT || (pass == 0 && !idle))
				continue;
			pool_slots_drain(pool, slot, now);
			n--;
		}
}

bool
pool_size(struct pool *pool, int64_t now, int64_t *look_at)
{
	static const struct policy_plan none = { .ring_above = INT_MAX };
	struct scoreboard *sb = pool->scoreboard;
	int below = sb->ring_below, above = sb->ring_above;
	struct pool_due due = pool_due_choose(pool, now, look_at);
	struct policy_limits limits;
	struct policy_census census;
	struct policy_plan plan = none;

	limits_of(pool, &limits);
	pool_size_census(pool, &census, now, look_at);
	census.room = (int)util_min(pool->ops->room(),
				    pool_size_places(pool, limits.max, pool->current->conf));
	census.room += due.chosen; /* their places are given twice, for a moment */
	if (census.idle == 0)
		pool->history.longest_queue =
		    (int)util_max(pool->history.longest_queue, census.queue);
	policy_look(&limits, &census, &pool->policy, now, &plan);
	log_full(pool, &plan, &census, now, look_at);
	log_debug("pool %s: %d starting, %d idle (%d by count), %d busy, %d queued: start %d, "
		  "retire %d",
		  pool->name, census.starting, census.idle, scoreboard_idle(sb), census.busy,
		  census.queue, plan.start, plan.retire);
	start_workers(pool, plan.start, now);
	pool_size_retire(pool, plan.retire, now);
	pool_due_leave(pool, policy_due_leave(&limits, &census, due.chosen), now);
	if (plan.reset_low)
		scoreboard_reset_low(sb);
	if (plan.reset_low && limits.unseen) {
		scoreboard_note_low(sb, census.idle);
		pool_resident_mark(pool);
	}
	if (plan.ring_below > 0)
		plan.ring_below += due.idle;
	scoreboard_set_bell(sb, plan.ring_below, plan.ring_above);
	pool->ops->give_way(pool, plan.give_way);
	atomic_store(&sb->crowded,
		     plan.give_way > 0 || plan.saturated ? (unsigned)census.queue : 0);
	pool->starved = plan.starved;
	pool->settled = plan.start + plan.retire + census.starting == 0 &&
			(plan.starved || !policy_wants_more(&limits, &census));
	pool->ops->watch(pool, plan.watch);
	pool_slots_earliest(look_at, plan.look_at);
	pool_slots_earliest(look_at, pool->policy.next_try > now ? pool->policy.next_try : 0);
	return plan.ring_below <= below && plan.ring_above >= above;
}
