#include "pool_slots.h"

#include "events.h"
#include "pool_figures.h"
#include "pool_words.h"
#include "procinfo.h"
#include "worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define EARLY_DEATH_LOG_MS 1000
#define DEATH_LOG_MS       50 /* and so many at once */
#define DEATH_LOG_BURST    1000
#define FORK_LOG_MS        10000

static void
set_state(struct pool *pool, struct slot *slot, enum slot_state state, int64_t now)
{
	pool->counts[slot->state]--;
	pool->counts[state]++;
	slot->state = state;
	slot->since = now;
}

static struct slot *
free_slot(struct pool *pool)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_FREE)
			return &pool->slots[i];
	if (pool->nslots == CONF_MAX_WORKERS)
		return NULL;
	pool->counts[SLOT_FREE]++;
	return &pool->slots[pool->nslots++];
}

static void
set_last_failure(struct pool *pool, char *text)
{
	free(pool->last_failure);
	pool->last_failure = text;
}

static void
note_fork_failure(struct pool *pool, int error, int64_t now)
{
	char remedy[POOL_WORDS_BYTES], more[LOG_MORE_BYTES];
	unsigned held_back;

	policy_fork_failed(&pool->policy, now);
	set_last_failure(pool, util_format("fork: %s", strerror(error)));
	if (!log_limit_pass(&pool->fork_limit, FORK_LOG_MS, &held_back))
		return;
	pool_words_fork_remedy(error, remedy);
	log_error("pool %s: cannot fork a worker: %s; %u run, and it will be tried again%s%s",
		  pool->name, strerror(error), pool_active(pool), remedy,
		  log_limit_more(held_back, more));
	events_add(pool->name, EVENT_LIMIT, "cannot fork a worker: %s; %u run%s", strerror(error),
		   pool_active(pool), remedy);
}

int
pool_slots_spawn(struct pool *pool, struct generation *gen, enum slot_state state, int64_t now)
{
	struct slot *slot = free_slot(pool);
	size_t index;
	pid_t pid;

	if (!slot) {
		errno = ENOSPC;
		return -1;
	}
	index = (size_t)(slot - pool->slots);
	scoreboard_clear(pool->scoreboard, index);
	pid = pool_figures_prepare(pool, index) ? pool->ops->spawn(pool, gen, index) : -1;
	if (pid < 0) {
		int error = errno;

		note_fork_failure(pool, error, now);
		errno = error;
		return -1;
	}
	policy_forked(&pool->policy);
	slot->pid = pid;
	slot->gen = gen;
	slot->forked = now;
	slot->step = POLICY_STEP_DRAIN;
	slot->retired = slot->late = slot->at_once = false;
	slot->due = DUE_NOT;
	slot->told_slow = slot->expired = SLOT_NO_REQUEST;
	slot->cpu_mark = 0;
	if (pool->owed > 0 && gen == pool->current) {
		pool->owed--;
		pool->respawns++;
	}
	set_state(pool, slot, state, now);
	return 0;
}

unsigned
pool_slots_of(const struct pool *pool, const struct generation *gen)
{
	unsigned n = 0;

	for (size_t i = 0; i < pool->nslots; i++)
		n += pool->slots[i].gen == gen;
	return n;
}

bool
pool_slots_alive(const void *arg, size_t slot)
{
	const struct pool *pool = arg;

	return pool->slots[slot].state != SLOT_FREE;
}

void
pool_slots_kill(struct pool *pool, struct slot *slot, int64_t now)
{
	pool->ops->signal(slot->pid, SIGKILL);
	set_state(pool, slot, SLOT_KILLED, now);
}

static int64_t
late_at(const struct slot *slot)
{
	return slot->since + slot->gen->conf->boot_timeout;
}

/* STARTING: ready, still in its time, or late. */
static void
sync_starting(struct pool *pool, size_t i, int64_t now)
{
	struct slot *slot = &pool->slots[i];

	if (scoreboard_activity(pool->scoreboard, i, slot->pid) != ACTIVITY_NONE) {
		set_state(pool, slot, SLOT_RUNNING, now);
		policy_ready(&pool->policy, now);
	} else if (now >= late_at(slot)) {
		char waits[448];

		procinfo_waits_for(slot->pid, waits, sizeof(waits));
		log_warn("pool %s: worker %d is not ready within boot_timeout: KILL; it was at: %s",
			 pool->name, (int)slot->pid, waits);
		slot->late = true;
		pool_slots_kill(pool, slot, now);
	}
}

void
pool_slots_sync(struct pool *pool, int64_t now)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_STARTING)
			sync_starting(pool, i, now);
}

int64_t
pool_slots_since(const struct slot *slot, int64_t said, int64_t now)
{
	return util_min(util_max(said, slot->forked), now);
}

void
pool_slots_retire(struct pool *pool, struct slot *slot)
{
	pool->ops->signal(slot->pid, WORKER_SIGNAL_RETIRE);
	slot->retired = true;
}

void
pool_slots_drain(struct pool *pool, struct slot *slot, int64_t now)
{
	if (slot->state != SLOT_STARTING && slot->state != SLOT_RUNNING &&
	    slot->state != SLOT_DRAINING)
		return;
	if (slot->gen->phase == GENERATION_FINISHING)
		pool->ops->signal(slot->pid, WORKER_SIGNAL_FINISH);
	else
		pool_slots_retire(pool, slot);
	if (slot->state != SLOT_DRAINING)
		set_state(pool, slot, SLOT_DRAINING, now);
}

void
pool_slots_end(struct pool *pool, struct slot *slot, int64_t now)
{
	/* Once more must not give it more time. */
	if (slot->state == SLOT_FREE || slot->state == SLOT_KILLED || slot->at_once)
		return;
	pool->ops->signal(slot->pid, SIGTERM);
	set_state(pool, slot, SLOT_DRAINING, now);
	slot->step = POLICY_STEP_TERM;
	slot->at_once = true;
}

static int64_t
grace_of(const struct pool *pool, const struct slot *slot)
{
	bool waits_at_gate = slot->gen->gate >= 0 && !slot->gen->service->run;
	const struct generation *newest = pool->current ? pool->current : slot->gen;

	return pool->fast || slot->at_once || waits_at_gate ? 0 : newest->conf->graceful_timeout;
}

static void
tell_step(const struct pool *pool, const struct slot *slot, int64_t now)
{
	const char *signal = slot->step == POLICY_STEP_TERM ? "TERM" : "KILL";
	bool had_time = grace_of(pool, slot) > 0;
	char request[POOL_WORDS_BYTES];

	pool_words_request(pool, (size_t)(slot - pool->slots), request);
	log_warn("pool %s: worker %d still works after %" PRId64 " s: %s%s%s%s", pool->name,
		 (int)slot->pid, (now - slot->since) / 1000, signal,
		 had_time ? " (graceful_timeout)" : "", request[0] ? "; " : "", request);
	events_add(pool->name, EVENT_TIMEOUT,
		   "old worker %d still worked after %" PRId64 " s%s: %s%s%s", (int)slot->pid,
		   (now - slot->since) / 1000, had_time ? " (graceful_timeout)" : "", signal,
		   request[0] ? "; " : "", request);
}

/* One worker on the ladder; returns when its next step is due, or 0. */
static int64_t
step_down(struct pool *pool, struct slot *slot, int64_t now)
{
	int64_t next;
	enum policy_step step = policy_step(grace_of(pool, slot), now - slot->since, &next);

	/* When the master itself has stood still: nobody is killed who was not told before. */
	if (step == POLICY_STEP_KILL && slot->step < POLICY_STEP_TERM) {
		slot->since = now - grace_of(pool, slot);
		step = policy_step(grace_of(pool, slot), now - slot->since, &next);
	}
	if (step > slot->step) {
		slot->step = step;
		tell_step(pool, slot, now);
		if (step == POLICY_STEP_KILL) {
			pool_slots_kill(pool, slot, now);
			return 0;
		}
		pool->ops->signal(slot->pid, SIGTERM);
	}
	return next == 0 ? 0 : slot->since + next;
}

void
pool_slots_earliest(int64_t *at, int64_t when)
{
	if (when != 0 && (*at == 0 || when < *at))
		*at = when;
}

int64_t
pool_slots_next(struct pool *pool, int64_t now)
{
	int64_t at = 0;

	for (size_t i = 0; i < pool->nslots; i++) {
		struct slot *slot = &pool->slots[i];

		if (slot->state == SLOT_DRAINING)
			pool_slots_earliest(&at, step_down(pool, slot, now));
		else if (slot->state == SLOT_STARTING)
			pool_slots_earliest(&at, late_at(slot));
	}
	return at;
}

/* Asks the kernel, which counts them: each can be asked for only once. */
static bool
was_out_of_memory(const struct slot *slot, int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && slot->state != SLOT_KILLED &&
	       procinfo_oom_killed();
}

static bool
lost_its_program(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_PROGRAM_ENDED;
}

/* It was ended because its request had lasted too long. */
static bool
is_expired(const struct slot *slot, uint64_t requests)
{
	return slot->expired == requests;
}

/* Told to go, or left as a worker may: but not without having been of use. */
static bool
is_expected(const struct slot *slot, int status, bool early, uint64_t requests)
{
	if (slot->state == SLOT_DRAINING || slot->state == SLOT_KILLED ||
	    is_expired(slot, requests))
		return true;
	return WIFEXITED(status) && WEXITSTATUS(status) == WORKER_LEFT && !early;
}

static void
log_end(struct pool *pool, const struct slot *slot, const char *end, bool expected, bool early,
	uint64_t requests, int64_t now)
{
	unsigned held_back = 0;
	char life[POOL_WORDS_BYTES], more[LOG_MORE_BYTES];

	pool_words_life(slot, requests, now, life);
	if (expected)
		log_info("pool %s: worker %d %s %s", pool->name, (int)slot->pid, end, life);
	else if (early ? log_limit_pass(&pool->early_limit, EARLY_DEATH_LOG_MS, &held_back)
		       : log_limit_burst(&pool->death_limit, DEATH_LOG_MS, DEATH_LOG_BURST,
					 &held_back))
		log_warn("pool %s: worker %d %s %s%s", pool->name, (int)slot->pid, end, life,
			 log_limit_more(held_back, more));
}

static void
log_back_off(const struct pool *pool, const char *end, int64_t now)
{
	int64_t wait = pool->policy.next_try - now;

	if (wait <= 0 || pool->policy.failures == 0)
		return;
	log_error("pool %s: workers do not stay alive: the last one %s; next attempt in "
		  "%" PRId64 "s, or at a reload",
		  pool->name, end, (wait + 999) / 1000);
	events_add(pool->name, EVENT_BACKOFF, "workers do not stay alive: the last one %s", end);
}

/* Why it died, for the figures. */
static enum figure
reason_of(enum policy_death how, int status, bool oom)
{
	if (oom)
		return FIGURE_DIED_OOM;
	if (how == POLICY_NEVER_READY)
		return FIGURE_DIED_BOOT;
	return WIFSIGNALED(status) ? FIGURE_DIED_SIGNAL : FIGURE_DIED_EXIT;
}

/* A death that nobody asked for: the policy must know. */
static void
count_failure(struct pool *pool, const struct slot *slot, enum policy_death how, enum figure reason,
	      const char *end, int64_t now)
{
	int64_t next_try;

	events_add(pool->name, EVENT_DEATH, "worker %d %s%s", (int)slot->pid,
		   slot->late ? "was not ready within boot_timeout: " : "", end);
	if (slot->gen == pool->trial && !pool->trial_error)
		pool->trial_error =
		    util_format("pool %s: a new worker %s before it could serve", pool->name, end);
	if (slot->gen != pool->current)
		return;
	pool->crashes++;
	pool_figures_one_more(pool, reason);
	pool->owed++;
	set_last_failure(pool, util_strdup(end));
	next_try = pool->policy.next_try;
	policy_died(&pool->policy, how, slot->forked, now);
	if (how < POLICY_FROM_OUTSIDE && pool->policy.next_try != next_try)
		log_back_off(pool, end, now);
}

static enum policy_death
judge(const struct slot *slot, int status, uint64_t requests, int64_t now)
{
	/* Its worker has looked whether it was, and may have been quicker than our next look. */
	if (slot->gen->service->run && WIFEXITED(status) && WEXITSTATUS(status) == WORKER_LEFT)
		return POLICY_OF_USE;
	if (slot->state == SLOT_STARTING || slot->state == SLOT_KILLED)
		return POLICY_NEVER_READY;
	if (requests > 0 || now - slot->since >= POLICY_OF_USE_MS)
		return POLICY_OF_USE;
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGTERM))
		return POLICY_FROM_OUTSIDE;
	return POLICY_OF_NO_USE;
}

/* Made to empty a queue, it has not: see pool_old.c. */
static bool
died_in_vain(const struct slot *slot, int status, enum policy_death how)
{
	bool made_for_it = slot->state == SLOT_DRAINING && slot->since == slot->forked;

	return made_for_it && how != POLICY_OF_USE &&
	       !(WIFEXITED(status) && WEXITSTATUS(status) == WORKER_LEFT);
}

struct slot *
pool_slots_find(const struct pool *pool, pid_t pid)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE && pool->slots[i].pid == pid)
			return &pool->slots[i];
	return NULL;
}

bool
pool_reaped(struct pool *pool, pid_t pid, int status, int64_t now)
{
	struct slot *slot = pool_slots_find(pool, pid);
	const struct scoreboard_slot *said;
	enum policy_death how;
	bool expected, early, of_living, oom;
	uint64_t requests;
	size_t index;
	char end[POOL_WORDS_BYTES];

	if (!slot)
		return false;
	index = (size_t)(slot - pool->slots);
	said = &pool->scoreboard->slots[index];
	requests = atomic_load(&said->requests);
	/* It may have become ready, and even served, since the last look. */
	if (slot->state == SLOT_STARTING &&
	    scoreboard_activity(pool->scoreboard, index, pid) != ACTIVITY_NONE)
		set_state(pool, slot, SLOT_RUNNING, now);
	how = judge(slot, status, requests, now);
	early = how < POLICY_FROM_OUTSIDE;
	expected = is_expected(slot, status, early, requests);
	of_living = slot->gen->phase <= GENERATION_CURRENT;
	oom = was_out_of_memory(slot, status);
	pool_words_end(pool, slot, status, oom, end);
	log_end(pool, slot, end, expected, early, requests, now);
	if (!expected || (slot->late && of_living))
		count_failure(pool, slot, how, reason_of(how, status, oom), end, now);
	slot->gen->in_vain += died_in_vain(slot, status, how);
	/* Who leaves by itself has found the queue empty; who cannot start never will. */
	if (slot->gen->phase == GENERATION_FINISHING && WIFEXITED(status) && !slot->retired &&
	    !lost_its_program(status))
		slot->gen->emptied = true;
	if (atomic_load(&said->program) != 0)
		pool->ops->left_behind((pid_t)atomic_load(&said->program));
	pool_figures_keep(pool, index);
	complaints_forget(&pool->scoreboard->complaints, pid);
	scoreboard_clear(pool->scoreboard, index);
	pool->recount = true;
	slot->gen = NULL;
	set_state(pool, slot, SLOT_FREE, now);
	return true;
}
