#include "pool_due.h"

#include "pool_slots.h"

#include <inttypes.h>
#include <stdio.h>

/* Up to a tenth earlier, by the process: workers of one start do not all go at once. */
static int64_t
age_limit(const struct slot *slot)
{
	int64_t age = slot->gen->conf->max_worker_age;

	return age - (int64_t)((uint32_t)slot->pid * 2654435761U % 1000) * age / 10000;
}

static void
describe(const struct slot *slot, const struct scoreboard_view *view, enum worker_due why,
	 int64_t now, char *text, size_t size)
{
	int64_t age = (now - slot->forked) / 1000;

	switch (why) {
	case DUE_REQUESTS:
		snprintf(text, size, "%" PRIu64 " request%s", view->requests,
			 util_plural(view->requests));
		break;
	case DUE_MEMORY:
		snprintf(text, size,
			 "its memory is above max_worker_memory, after %" PRIu64 " request%s",
			 view->requests, util_plural(view->requests));
		break;
	case DUE_CPU:
		snprintf(text, size, "half of its rlimit_cpu is used, after %" PRIu64 " request%s",
			 view->requests, util_plural(view->requests));
		break;
	default:
		snprintf(text, size, "%" PRId64 " s old", age);
	}
}

static enum worker_due
why_due(const struct pool *pool, size_t i, int64_t now)
{
	const struct slot *slot = &pool->slots[i];
	uint32_t said = atomic_load(&pool->scoreboard->slots[i].due);

	if (said == DUE_REQUESTS || said == DUE_MEMORY || said == DUE_CPU)
		return (enum worker_due)said;
	if (slot->gen->conf->max_worker_age > 0 && now - slot->forked >= age_limit(slot))
		return DUE_AGE;
	return DUE_NOT;
}

static bool
is_candidate(const struct pool *pool, const struct slot *slot)
{
	return slot->gen == pool->current && slot->state == SLOT_RUNNING && slot->due == DUE_NOT;
}

/* Chosen ones count until they are gone: so many more processes there may be. */
static struct pool_due
count(const struct pool *pool, int *total, int *leaving)
{
	struct pool_due due = { 0 };

	*total = *leaving = 0;
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];

		if (slot->gen != pool->current || slot->state == SLOT_FREE)
			continue;
		*total += slot->state != SLOT_DRAINING;
		if (slot->due == DUE_NOT)
			continue;
		if (slot->state != SLOT_RUNNING) {
			++*leaving;
			continue;
		}
		due.chosen++;
		due.idle += scoreboard_activity(pool->scoreboard, i, slot->pid) == ACTIVITY_IDLE;
	}
	return due;
}

struct pool_due
pool_due_choose(struct pool *pool, int64_t now, int64_t *look_at)
{
	int total, leaving;
	struct pool_due due = count(pool, &total, &leaving);
	int places = policy_due_max(total) - due.chosen - leaving;
	char text[96];

	for (size_t i = 0; i < pool->nslots && places > 0; i++) {
		struct slot *slot = &pool->slots[i];

		if (!is_candidate(pool, slot))
			continue;
		slot->due = why_due(pool, i, now);
		if (slot->due != DUE_NOT) {
			struct scoreboard_view view;

			scoreboard_read(pool->scoreboard, i, slot->pid, &view);
			describe(slot, &view, slot->due, now, text, sizeof(text));
			log_info("pool %s: worker %d is due for replacement: %s", pool->name,
				 (int)slot->pid, text);
			due.chosen++;
			due.idle += view.activity == ACTIVITY_IDLE;
			places--;
		} else if (slot->gen->conf->max_worker_age > 0) {
			pool_slots_earliest(look_at, slot->forked + age_limit(slot));
		}
	}
	return due;
}

void
pool_due_leave(struct pool *pool, int n, int64_t now)
{
	for (size_t i = 0; i < pool->nslots && n > 0; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->due == DUE_NOT || slot->state != SLOT_RUNNING ||
		    slot->gen != pool->current)
			continue;
		pool_slots_drain(pool, slot, now);
		n--;
	}
}
