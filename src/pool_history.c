#include "pool_history.h"

#include "pool_figures.h"

/* All that workers have done and are doing now. */
struct work {
	struct figures sum;
	int busy;
	uint64_t us; /* spent on requests, as far as those that run have come */
};

static void
measure(const struct pool *pool, struct work *work, int64_t now)
{
	pool_figures_sum(pool, &work->sum);
	work->busy = 0;
	work->us = work->sum.n[FIGURE_DURATION_SUM];
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct scoreboard_slot *said = &pool->scoreboard->slots[i];
		enum activity activity;
		int64_t since;

		if (pool->slots[i].state == SLOT_FREE)
			continue;
		activity = scoreboard_activity(pool->scoreboard, i, pool->slots[i].pid);
		if (!activity_is_busy(activity) && activity != ACTIVITY_CHANGING)
			continue;
		work->busy++;
		/* What it says may be nonsense. */
		since = util_max(atomic_load(&said->since_ms), 0);
		work->us += (uint64_t)util_max(now - since, 0) * 1000;
	}
}

static uint64_t
begun(const struct work *work)
{
	return work->sum.n[FIGURE_ACCEPTED] + work->sum.n[FIGURE_REQUESTS];
}

static void
remember(struct pool *pool, const struct work *work)
{
	struct pool_history *h = &pool->history;

	h->us = work->us;
	h->requests = work->sum.n[FIGURE_REQUESTS];
	h->longest_queue = 0;
}

void
pool_history_init(struct pool *pool, int64_t now)
{
	history_init(&pool->history.past, now);
	atomic_store(&pool->scoreboard->alarm, ALARM_HISTORY);
}

void
pool_history_look(struct pool *pool, int64_t now)
{
	struct history *past = &pool->history.past;
	struct work work;

	if (past->quiet_since == 0 || atomic_load(&pool->scoreboard->alarm) & ALARM_HISTORY)
		return;
	measure(pool, &work, now);
	history_wake(past, now, work.sum.n);
	pool->ops->sample_at(pool, history_step_end(now));
}

/* On the average of the step, which tells more than who is busy at its end. */
static int
busy_on_average(const struct pool *pool, const struct work *work)
{
	int64_t most = (int64_t)pool->nslots * HISTORY_STEP_MS * 1000;
	int64_t us = (int64_t)(work->us - pool->history.us);

	us = util_min(util_max(us, 0), most);
	return (int)((us + HISTORY_STEP_MS * 1000 - 1) / (HISTORY_STEP_MS * 1000));
}

static int
queue_length(const struct pool *pool)
{
	return pool->current ? pool->ops->queue(pool->current->listener) : 0;
}

/* Who begins from now on rings; but has somebody begun before that? */
static bool
comes_to_rest(struct pool *pool, const struct work *before, int64_t now)
{
	struct work work;

	if (before->busy > 0)
		return false;
	atomic_fetch_or(&pool->scoreboard->alarm, ALARM_HISTORY);
	measure(pool, &work, now);
	if (work.busy == 0 && begun(&work) == begun(before))
		return true;
	atomic_fetch_and(&pool->scoreboard->alarm, ~(unsigned)ALARM_HISTORY);
	return false;
}

void
pool_history_sample(struct pool *pool, int64_t now)
{
	struct pool_history *h = &pool->history;
	struct history_step step;
	struct work work;
	bool told;

	measure(pool, &work, now);
	step.busy = busy_on_average(pool, &work);
	step.queue = (int)util_max(queue_length(pool), h->longest_queue);
	step.requests = work.sum.n[FIGURE_REQUESTS] - h->requests;
	told = history_sample(&h->past, now, &step, work.sum.n);
	if (told)
		remember(pool, &work);
	if (told && comes_to_rest(pool, &work, now))
		history_rest(&h->past, now);
	else
		pool->ops->sample_at(pool, history_step_end(now));
}
