#include "pool_limits.h"

#include "address.h"
#include "events.h"
#include "pool_figures.h"
#include "pool_slots.h"
#include "procinfo.h"
#include "worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Between the signal that ends a request and the one that ends its worker. */
#define EXPIRE_TO_KILL_MS 10000

/* Limits may be told apart from "none" by a time that never comes. */
#define NEVER INT64_MAX

static int64_t
limit_of(int64_t option)
{
	return option > 0 ? option : NEVER;
}

/* The shorter of a generation's two limits. */
static int64_t
shortest(const struct generation *gen)
{
	return util_min(limit_of(gen->conf->slow_request), limit_of(gen->conf->request_timeout));
}

static bool
has_limits(const struct pool *pool)
{
	bool any = pool->current && shortest(pool->current) != NEVER;

	for (const struct generation *gen = pool->old; gen && !any; gen = gen->next)
		any = shortest(gen) != NEVER;
	return any;
}

/* "worker 12, client 1.2.3.4:5: request 7 "GET /" runs for 10.0 s (option): waits" */
static void
tell(const struct pool *pool, const struct slot *slot, const struct scoreboard_view *view,
     int64_t age, const char *option, const char *action)
{
	char client[ADDRESS_TEXT_BYTES], text[4 * SCOREBOARD_TEXT_BYTES + 1];
	char waits[448], program[480] = "";

	address_format((const struct sockaddr *)&view->peer, view->peer_len, client);
	util_escape(text, sizeof(text), view->text, strlen(view->text));
	procinfo_waits_for(slot->pid, waits, sizeof(waits));
	if (view->program > 1) {
		int n = snprintf(program, sizeof(program), "; its program %d: ", view->program);

		procinfo_waits_for(view->program, program + n, sizeof(program) - (size_t)n);
	}
	log_warn("pool %s: worker %d, client %s: request %" PRIu64 "%s%s runs for %" PRId64
		 ".%" PRId64 " s (%s): %s%s%s",
		 pool->name, (int)slot->pid, client, view->requests, text[0] ? " " : "", text,
		 age / 1000, age % 1000 / 100, option, waits, program, action);
}

static void
look_at_expired(struct pool *pool, struct slot *slot, const struct scoreboard_view *view,
		int64_t now, int64_t *next)
{
	int64_t kill_at = slot->expired_at + EXPIRE_TO_KILL_MS;

	if (now < kill_at) {
		pool_slots_earliest(next, kill_at);
		return;
	}
	log_warn("pool %s: worker %d, request %" PRIu64 " still runs %" PRId64
		 " s after its TERM: KILL",
		 pool->name, (int)slot->pid, view->requests, (now - slot->expired_at) / 1000);
	pool_slots_kill(pool, slot, now);
}

/* The worker itself judges whether it is still that request, and so never dies idle. */
static void
expire(struct pool *pool, size_t i, const struct scoreboard_view *view, int64_t now)
{
	struct slot *slot = &pool->slots[i];

	pool_figures_one_more(pool, FIGURE_TIMED_OUT);
	atomic_store(&pool->scoreboard->slots[i].expired, (uint32_t)view->requests);
	pool->ops->signal(slot->pid, WORKER_SIGNAL_EXPIRE);
	slot->expired = view->requests;
	slot->expired_at = now;
	events_add(pool->name, EVENT_TIMEOUT,
		   "worker %d: request %" PRIu64 "%s%s is ended by request_timeout", (int)slot->pid,
		   view->requests, view->text[0] ? " " : "", view->text);
}

static void
look_at_busy(struct pool *pool, size_t i, const struct scoreboard_view *view, int64_t now,
	     int64_t *next)
{
	struct slot *slot = &pool->slots[i];
	int64_t since = pool_slots_since(slot, view->since_ms, now), age = now - since;
	int64_t slow = limit_of(slot->gen->conf->slow_request);
	int64_t timeout = limit_of(slot->gen->conf->request_timeout);

	if (slot->expired == view->requests) {
		look_at_expired(pool, slot, view, now, next);
	} else if (age >= timeout) {
		tell(pool, slot, view, age, "request_timeout", ": TERM");
		expire(pool, i, view, now);
		pool_slots_earliest(next, now + EXPIRE_TO_KILL_MS);
	} else if (timeout != NEVER) {
		pool_slots_earliest(next, since + timeout);
	}
	if (slow == NEVER || slot->told_slow == view->requests || slot->expired == view->requests)
		return;
	if (age < slow) {
		pool_slots_earliest(next, since + slow);
		return;
	}
	tell(pool, slot, view, age, "slow_request", "");
	events_add(pool->name, EVENT_SLOW,
		   "worker %d: request %" PRIu64 "%s%s runs for %" PRId64 ".%" PRId64
		   " s (slow_request)",
		   (int)slot->pid, view->requests, view->text[0] ? " " : "", view->text, age / 1000,
		   age % 1000 / 100);
	slot->told_slow = view->requests;
}

/* Returns whether any worker is busy. */
static bool
look_at_all(struct pool *pool, int64_t now, int64_t *next)
{
	bool busy = false;

	for (size_t i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];
		struct scoreboard_view view;

		if (slot->state != SLOT_RUNNING && slot->state != SLOT_DRAINING)
			continue;
		scoreboard_read(pool->scoreboard, i, slot->pid, &view);
		if (!activity_is_busy(view.activity) && view.activity != ACTIVITY_CHANGING)
			continue;
		busy = true;
		if (activity_is_busy(view.activity))
			look_at_busy(pool, i, &view, now, next);
	}
	return busy;
}

static void
limit_new_requests(const struct generation *gen, int64_t now, int64_t *next)
{
	if (gen && shortest(gen) != NEVER)
		pool_slots_earliest(next, now + shortest(gen));
}

void
pool_limits_look(struct pool *pool, int64_t now, int64_t *look_at)
{
	_Atomic uint32_t *alarm = &pool->scoreboard->alarm;
	int64_t next = 0;

	if (!has_limits(pool)) {
		atomic_fetch_and(alarm, ~(unsigned)ALARM_LIMITS);
		pool->limits_at = 0;
		return;
	}
	if (pool->limits_at == 0 && atomic_load(alarm) & ALARM_LIMITS)
		return; /* nobody has been busy since */
	if (pool->limits_at > now) {
		pool_slots_earliest(look_at, pool->limits_at);
		return;
	}
	/* Set before the look: who goes busy behind it will ring. */
	atomic_fetch_or(alarm, ALARM_LIMITS);
	if (!look_at_all(pool, now, &next)) {
		pool->limits_at = 0;
		return;
	}
	atomic_fetch_and(alarm, ~(unsigned)ALARM_LIMITS);
	/* Requests that begin from now on, also in what empties its queue, have no earlier one. */
	limit_new_requests(pool->current, now, &next);
	for (const struct generation *gen = pool->old; gen; gen = gen->next)
		limit_new_requests(gen, now, &next);
	pool->limits_at = next;
	pool_slots_earliest(look_at, next);
}

void
pool_limits_changed(struct pool *pool)
{
	atomic_fetch_and(&pool->scoreboard->alarm, ~(unsigned)ALARM_LIMITS);
	pool->limits_at = 0;
}
