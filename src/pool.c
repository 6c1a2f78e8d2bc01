#include "pool.h"

#include "events.h"
#include "pool_figures.h"
#include "pool_history.h"
#include "pool_limits.h"
#include "pool_old.h"
#include "pool_resident.h"
#include "pool_size.h"
#include "pool_slots.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECOUNT_MS  50
#define SLOTS_BYTES (CONF_MAX_WORKERS * sizeof(struct slot))

/* The master notes each fork there: of a page that workers had, each would keep a copy. */
static struct slot *
slots_new(void)
{
	void *slots = mmap(NULL, SLOTS_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (slots == MAP_FAILED)
		return NULL;
	madvise(slots, SLOTS_BYTES, MADV_DONTFORK);
	return slots;
}

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
	pool->give_fds[0] = pool->give_fds[1] = -1;
	pool->places_fd = memfd_create("places", MFD_CLOEXEC);
	if (!pool->scoreboard || pool->places_fd < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pool->give_fds) <
		0 ||
	    !(pool->slots = slots_new()) || pool_figures_init(pool) < 0) {
		log_error("pool %s: cannot make its scoreboard: %s%s", name, strerror(errno),
			  errno == EMFILE ? ": raise LimitNOFILE of the unit" : "");
		pool_free(pool);
		return NULL;
	}
	pool_history_init(pool, util_now_ms());
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
	pool_figures_end(pool);
	scoreboard_free(pool->scoreboard, CONF_MAX_WORKERS);
	conf_pool_free(pool->parked);
	free(pool->last_failure);
	free(pool->trial_error);
	close(pool->give_fds[0]);
	close(pool->give_fds[1]);
	close(pool->places_fd);
	if (pool->slots)
		munmap(pool->slots, SLOTS_BYTES);
	free(pool->title);
	free(pool->name);
	free(pool);
}

unsigned
pool_processes(const struct pool *pool)
{
	return pool->counts[SLOT_STARTING] + pool->counts[SLOT_RUNNING] +
	       pool->counts[SLOT_DRAINING] + pool->counts[SLOT_KILLED];
}

unsigned
pool_busy(const struct pool *pool)
{
	unsigned busy = pool_resident(pool) ? pool_resident_busy(pool) : 0;

	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE) {
			enum activity activity =
			    scoreboard_activity(pool->scoreboard, i, pool->slots[i].pid);

			busy += activity == ACTIVITY_WAITING || activity_is_busy(activity);
		}
	return busy;
}

static void
try_failed(struct pool *pool, char *why)
{
	if (pool->trial_error)
		free(why);
	else
		pool->trial_error = why;
}

/*
 * Forks what the trial still lacks, or as many as there are places for beside the old
 * workers that still serve.  If there is none, these are waited for: they have a time
 * limit of their own.
 */
static void
try_more(struct pool *pool, int64_t now)
{
	const struct conf_pool *conf = pool->trial->conf;
	unsigned forked = pool_slots_of(pool, pool->trial);
	/* However many there are of the present ones: they leave only when these are ready. */
	int64_t max = util_max(conf->max_workers, (int64_t)pool_active(pool) - forked);
	int places = pool_size_places(pool, max, conf);
	bool leaving = pool->counts[SLOT_DRAINING] + pool->counts[SLOT_KILLED] > 0;

	if (leaving && forked == 0 && places > 0)
		pool->trial_workers = (unsigned)util_min(pool->trial_workers, places);
	for (; !pool->trial_error && forked < pool->trial_workers; forked++) {
		if (leaving && pool_size_places(pool, max, conf) <= 0) {
			if (!pool->trial_waits)
				log_notice("pool %s: old workers still serve: new ones wait for "
					   "their places (old_generation_max)",
					   pool->name);
			pool->trial_waits = true;
			return;
		}
		if (pool_slots_spawn(pool, pool->trial, SLOT_STARTING, now) < 0)
			try_failed(pool, util_format("pool %s: cannot fork a worker: %s",
						     pool->name, strerror(errno)));
	}
}

static void
note_complaint(const char *text, unsigned more, void *arg)
{
	const struct pool *pool = arg;

	events_warn(pool->name, text, more);
}

void
pool_look(struct pool *pool, int64_t now)
{
	int64_t look_at = 0;

	scoreboard_hush(pool->scoreboard);
	complaints_take(&pool->scoreboard->complaints, note_complaint, pool);
	pool_slots_sync(pool, now);
	if (scoreboard_correct(pool->scoreboard, pool->nslots, pool_slots_alive, pool))
		pool->recount = false;
	else if (pool->recount)
		pool_slots_earliest(&look_at, now + RECOUNT_MS);
	if (pool->current && !pool->stopping && !pool_size(pool, now, &look_at))
		pool_size(pool, now, &look_at);
	if (pool->trial)
		try_more(pool, now);
	pool_limits_look(pool, now, &look_at);
	pool_history_look(pool, now);
	if (pool->stopping)
		pool_figures_publish(pool, NULL); /* another one may tell of it */
	pool_old_sweep(pool, now, &look_at);
	if (pool->parked && !pool->drained && !pool->old) {
		pool->drained = true;
		log_notice("pool %s: drained", pool->name);
	}
	pool_slots_earliest(&look_at, pool_slots_next(pool, now));
	pool->ops->wake_at(pool, look_at);
}

void
pool_sample(struct pool *pool, int64_t now)
{
	pool_history_sample(pool, now);
}

unsigned
pool_active(const struct pool *pool)
{
	return pool->counts[SLOT_STARTING] + pool->counts[SLOT_RUNNING];
}

/* ---- reload ---- */

/*
 * Each one that waits has a worker: without a limit that says otherwise one source, or the
 * two of a client with IPv4 and IPv6, cannot have them all.
 */
static int64_t
max_delayed_per_source(const struct conf_pool *conf)
{
	return conf->max_connections_per_source > 0 ? CONF_MAX_WORKERS
						    : util_max(conf->max_workers / 4, 1);
}

/* What workers that run must know of options that change in place. */
static void
give_orders(struct pool *pool)
{
	const struct conf_pool *conf = pool->current->conf;

	atomic_store(&pool->scoreboard->max_requests, (uint32_t)conf->max_requests_per_worker);
	atomic_store(&pool->scoreboard->max_queue_wait_ms, conf->max_queue_wait);
	atomic_store(&pool->scoreboard->graceful_timeout_ms, conf->graceful_timeout);
	atomic_store(&pool->scoreboard->max_delayed_per_source,
		     (uint32_t)max_delayed_per_source(conf));
	pool_limits_changed(pool);
}

/* As many as could take over what the old ones do now, and what is asked for at a start. */
static unsigned
workers_to_try(struct pool *pool, const struct conf_pool *conf, int64_t now)
{
	struct policy_census c = { 0 };
	int64_t n = conf->start_workers + (conf->workers > 0 ? pool->extra : 0);

	if (pool->current) {
		pool_size_census(pool, &c, now, NULL);
		if (conf->workers == CONF_UNSET && c.busy + conf->min_spare_workers > n)
			n = c.busy + conf->min_spare_workers;
		/*
		 * What replaces something that works must have been seen to start, also when
		 * more was taken off the old size than the new one has.
		 */
		n = util_max(n, 1);
	}
	n = util_min(n, conf->max_workers + (conf->workers > 0 ? util_max(pool->extra, 0) : 0));
	return (unsigned)(pool->current ? util_min(n, conf->old_generation_max) : n);
}

void
pool_try(struct pool *pool, struct generation *gen, int64_t now)
{
	pool->trial = gen;
	gen->phase = GENERATION_TRIAL;
	free(pool->trial_error);
	pool->trial_error = NULL;
	pool->trial_waits = false;
	pool->trial_workers = workers_to_try(pool, gen->conf, now);
	try_more(pool, now);
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
	conf_pool_free(pool->parked);
	pool->parked = NULL;
	give_orders(pool);
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
	/* A program that accepts by itself may have a connection: it leaves in order. */
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen && !gen->service->run)
			pool_slots_end(pool, &pool->slots[i], now);
	pool_look(pool, now);
}

void
pool_resize(struct pool *pool, struct conf_pool *conf)
{
	generation_change(pool->current, conf);
	pool->extra = 0;
	policy_forgive(&pool->policy);
	give_orders(pool);
}

int
pool_base(const struct pool *pool)
{
	const struct conf_pool *conf = pool->current->conf;

	return (int)(conf->workers > 0 ? conf->workers : conf->min_spare_workers);
}

bool
pool_scale(struct pool *pool, int extra, int64_t now)
{
	const struct conf_pool *conf = pool->current->conf;
	bool fixed = conf->workers > 0;
	int64_t high = fixed ? conf->workers : conf->max_spare_workers;
	int fewer = pool->extra - extra;

	if (pool_base(pool) + extra < (fixed ? 1 : 0) || -fewer > pool->ops->room() ||
	    high + extra > (fixed ? CONF_MAX_WORKERS : conf->max_workers))
		return false;
	pool->extra = extra;
	if (fewer > 0 && !fixed) {
		struct policy_census c;

		pool_size_census(pool, &c, now, NULL);
		pool_size_retire(pool, (int)util_min(fewer, c.idle - pool_base(pool) - extra), now);
	}
	pool_look(pool, now);
	return true;
}

bool
pool_is_draining(const struct pool *pool)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == pool->current && pool->slots[i].state >= SLOT_DRAINING)
			return true;
	return false;
}

bool
pool_has_worker(const struct pool *pool, pid_t pid)
{
	return pool_slots_find(pool, pid) != NULL;
}

bool
pool_end_worker(struct pool *pool, pid_t pid, bool fast, int64_t now)
{
	struct slot *slot = pool_slots_find(pool, pid);

	if (!slot)
		return false;
	if (fast)
		pool_slots_end(pool, slot, now);
	else
		pool_slots_drain(pool, slot, now);
	pool_look(pool, now);
	return true;
}

static int
reopen_generation(const struct generation *gen, char **err)
{
	return gen && gen->service->reopen ? gen->service->reopen(gen->prepared, err) : 0;
}

int
pool_reopen(const struct pool *pool, char **err)
{
	reopen_generation(pool->current, err);
	reopen_generation(pool->trial, err);
	for (const struct generation *gen = pool->old; gen; gen = gen->next)
		reopen_generation(gen, err);
	return *err ? -1 : 0;
}

void
pool_park(struct pool *pool, int64_t now)
{
	struct generation *gen = pool->current;

	pool->parked = conf_pool_copy(gen->conf);
	pool->drained = false;
	pool->current = NULL;
	pool->starved = false;
	pool->ops->watch(pool, false);
	saturation_end(&pool->saturation, pool->name);
	pool_old_add(pool, gen, pool_old_phase(gen), now);
	pool_look(pool, now);
}

void
pool_stop(struct pool *pool, bool fast, int64_t now)
{
	pool_take_back(pool, now);
	pool->stopping = true;
	conf_pool_free(pool->parked); /* its name may be another one's now */
	pool->parked = NULL;
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
