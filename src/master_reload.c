/*
 * A reload, and the start, which is one from nothing: plan, trial, then commit or take
 * back.  Nothing that serves is touched before the commit, and the commit cannot fail.
 */
#include "master_private.h"

#include "events.h"
#include "handover.h"
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OUTCOME_BYTES 4096 /* an error may quote what the file has, however long it is */

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool
on_trial(const struct reload_entry *entry)
{
	return entry->action == RELOAD_REPLACE || entry->action == RELOAD_NEW;
}

static void
drop_plan(void)
{
	close_fd(&master.gate);
	listener_release(master.control_new);
	master.control_new = NULL;
	if (master.log_fd != STDERR_FILENO)
		close_fd(&master.log_fd);
	master.log_fd = -1;
	reload_free(master.plan);
	master.plan = NULL;
}

/* A pool that was made for the plan has no generation of its own yet. */
static void
take_back_trials(void)
{
	int64_t now = util_now_ms();

	for (size_t i = 0; i < master.plan->n; i++) {
		struct pool *pool = master.plan->entries[i].pool;

		if (!pool ||
		    (!on_trial(&master.plan->entries[i]) && (pool->current || pool->parked)))
			continue;
		if (pool->current || pool->parked)
			pool_take_back(pool, now);
		else
			pool_stop(pool, true, now);
	}
}

static const char *const kinds[] = {
	[RELOAD_FILE] = "reload",
	[RELOAD_RECYCLE] = "recycle",
	[RELOAD_RESUME] = "resume",
};

const char *
master_reload_word(void)
{
	return kinds[master.kind];
}

void
master_set_outcome(const char *what, bool ok, char *text)
{
	util_cut(text, OUTCOME_BYTES);
	free(master.outcome.text);
	master.outcome = (struct master_outcome){
		.ticket = master.ticket, .ok = ok, .what = what, .text = text, .at = util_now_ms()
	};
}

/* why: "FILE:LINE: text", or what a new worker did. */
static void
refuse(const char *why)
{
	if (master.state == MASTER_STARTING) {
		log_error("cannot start: %s", why);
		handover_tell("failed %s", why);
		master.status = 1;
		master.state = MASTER_STOPPING;
	} else {
		master.file_refused |= master.kind == RELOAD_FILE;
		log_error("%s refused, nothing was changed: %s", kinds[master.kind], why);
		notify_still_ready("The %s was refused: %s", kinds[master.kind], why);
		events_add(NULL, EVENT_RELOAD, "%s refused: %s", kinds[master.kind], why);
		master_set_outcome(kinds[master.kind], false, util_strdup(why));
	}
}

void
master_reload_cancel(const char *why)
{
	if (!master.plan)
		return;
	take_back_trials();
	refuse(why);
	drop_plan();
}

/* A daemon that went into the background let go of it: nobody would ever read that log. */
static int
check_stderr(const struct log_target *target, char **err)
{
	struct stat st;

	if (master.state == MASTER_STARTING || target->kind != LOG_TO_STDERR ||
	    fstat(STDERR_FILENO, &st) < 0 || st.st_rdev != makedev(1, 3))
		return 0;
	return util_fail(err, "standard error is /dev/null since the start: it takes a restart");
}

/* The new log must be open before the commit; in the foreground it is stderr always. */
static int
open_log(char **err)
{
	const char *now = master.conf ? master.conf->log : NULL;
	char *why = NULL;

	if (!master.plan->conf || master.options.foreground ||
	    (now && strcmp(now, master.plan->conf->log) == 0))
		return 0;
	if (check_stderr(&master.plan->log, &why) == 0)
		master.log_fd = log_target_open(&master.plan->log, &why);
	return master.log_fd < 0 ? reload_fail_global(master.plan->conf, "log", why, err) : 0;
}

static void
adopt_log(void)
{
	if (master.log_fd >= 0)
		log_adopt(&master.plan->log, master.log_fd);
	master.log_fd = -1;
}

static void
adopt_control(void)
{
	if (master.control_new)
		master_control_adopt(master.control_new);
	else
		master_control_change(&master.plan->control);
	master.control_new = NULL;
}

/* Each generation on trial gets the reading end of one pipe: its end of file is "go". */
static int
open_gates(char **err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return util_fail(err, "pipe: %s", strerror(errno));
	master.gate = fds[1];
	for (size_t i = 0; i < master.plan->n; i++) {
		struct reload_entry *entry = &master.plan->entries[i];

		if (!on_trial(entry))
			continue;
		entry->gen->gate = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
		if (entry->gen->gate < 0)
			util_fail(err, "pipe: %s", strerror(errno));
	}
	close(fds[0]);
	return *err ? -1 : 0;
}

static void
start_trials(void)
{
	int64_t now = util_now_ms();

	for (size_t i = 0; i < master.plan->n; i++) {
		struct reload_entry *entry = &master.plan->entries[i];
		struct generation *gen = entry->gen;

		if (!entry->pool)
			entry->pool = master_pool_add(gen->conf->name);
		if (!entry->pool)
			return; /* the step after this sees that it is missing */
		if (!on_trial(entry))
			continue;
		entry->gen = NULL;
		gen->number = master.generation + 1;
		pool_try(entry->pool, gen, now);
	}
}

/* A plan, or NULL with err, which is freed. */
static unsigned
begin(enum reload_kind kind, struct reload_plan *plan, char *err)
{
	unsigned ticket = ++master.ticket;

	master.kind = kind;
	master.begun_ms = util_now_ms();
	master.plan = plan;
	if (!plan || open_log(&err) < 0 || master_control_open(&err) < 0 || open_gates(&err) < 0) {
		refuse(err);
		drop_plan();
		free(err);
		return ticket;
	}
	if (master.state == MASTER_STARTING) {
		/* There is no other to go back to, and workers inherit it. */
		adopt_log();
		master_set_log(plan->conf);
	}
	start_trials();
	for (size_t i = 0; i < master.npools; i++)
		pool_look(master.pools[i], util_now_ms());
	return ticket;
}

unsigned
master_reload_begin(void)
{
	struct reload_plan *plan;
	char *err = NULL;

	if (master.plan || master_upgrade_is_under_way() || master_handover_is_under_way()) {
		master.reload_again = true;
		return master.ticket + 1;
	}
	master.reload_again = false;
	if (master.state == MASTER_RUNNING)
		notify_reloading();
	plan = reload_plan(master.options.file, master.pools, master.npools, &err);
	return begin(RELOAD_FILE, plan, err);
}

unsigned
master_again_begin(enum reload_kind kind, struct pool *only)
{
	struct reload_plan *plan;
	char *err = NULL;

	notify_reloading();
	plan = reload_plan_again(kind, master.pools, master.npools, only, &err);
	return begin(kind, plan, err);
}

/* ---- commit ---- */

/* A listener that ends is not for the next instance. */
void
master_forget_stored(const struct pool *pool)
{
	if (!pool->current || !pool->current->listener->stored)
		return;
	pool->current->listener->stored = false;
	notify_unstore(pool->name);
}

/* The service manager keeps it over a restart, in place of the one before it. */
static void
note_listener(const struct pool *pool, struct listener *listener)
{
	log_notice("pool %s: listening on %s", pool->name, listener->name);
	if (!notify_can_store() || listener->inherited || listener->stored)
		return;
	master_forget_stored(pool);
	notify_store(pool->name, listener->fd);
	listener->stored = true;
}

static void
commit_entry(struct reload_entry *entry, int64_t now)
{
	struct pool *pool = entry->pool;

	if (on_trial(entry)) {
		struct generation *gen = pool->trial;

		if (entry->opened)
			note_listener(pool, gen->listener);
		else
			listener_change(gen->listener, &gen->listen);
		if (master.plan->kind == RELOAD_FILE)
			pool->extra = 0;
		pool_commit(pool, now);
		return;
	}
	if (entry->action == RELOAD_PARKED) {
		pool->drained |= !pool->parked; /* by the master before us */
		conf_pool_free(pool->parked);
		pool->parked = generation_yield(entry->gen);
		pool->extra = 0;
		return;
	}
	listener_change(pool->current->listener, &entry->gen->listen);
	pool->current->listen = entry->gen->listen;
	pool_resize(pool, generation_yield(entry->gen));
}

/* A socket that goes from one pool to another is stored under the name of the new one. */
static void
forget_moved(const struct pool *taker)
{
	const struct listener *l = taker->trial->listener;

	for (size_t i = 0; i < master.npools; i++)
		if (master.pools[i] != taker && master.pools[i]->current &&
		    master.pools[i]->current->listener == l)
			master_forget_stored(master.pools[i]);
}

static void
store_moved(void)
{
	for (size_t i = 0; notify_can_store() && i < master.npools; i++) {
		const struct pool *pool = master.pools[i];

		if (!pool->current || pool->current->listener->inherited ||
		    pool->current->listener->stored)
			continue;
		notify_store(pool->name, pool->current->listener->fd);
		pool->current->listener->stored = true;
	}
}

/* What the file says of the daemon as a whole. */
static void
commit_daemon(struct conf *conf)
{
	struct conf *old = master.conf;

	adopt_log();
	adopt_control();
	master_set_log(conf);
	if (old && strcmp(old->pid_file, conf->pid_file) != 0)
		log_warn("pid_file takes effect at the next start");
	master.conf = conf;
	conf_free(old);
}

static void
commit(void)
{
	int64_t now = util_now_ms();
	bool first = master.state == MASTER_STARTING;
	char *outcome = first ? NULL : master_outcome_of_plan(kinds[master.kind]);

	if (first)
		notify_drop_stored(); /* before new ones get their names */
	reload_block_listeners(master.plan);
	close_fd(&master.gate);
	master.generation++;
	if (master.plan->conf) {
		commit_daemon(master.plan->conf);
		master.file_refused = false;
	}
	master.plan->conf = NULL;
	for (size_t i = 0; i < master.plan->n; i++)
		if (on_trial(&master.plan->entries[i]))
			forget_moved(master.plan->entries[i].pool);
	for (size_t i = 0; i < master.plan->n; i++)
		commit_entry(&master.plan->entries[i], now);
	for (size_t i = 0; i < master.npools; i++)
		if (master_drops(master.pools[i])) {
			master_forget_stored(master.pools[i]);
			pool_stop(master.pools[i], false, now);
		}
	store_moved();
	if (!first) {
		log_notice("%s", outcome);
		events_add(NULL, EVENT_RELOAD, "%s", outcome);
		master_set_outcome(kinds[master.kind], true, outcome);
	}
	drop_plan();
	master_look_all(false);
	if (first)
		master_ready();
	else
		master_tell_ready();
}

/* Looks how the trial goes; true when that ended it, one way or the other. */
static bool
decide(void)
{
	bool pending = false;

	for (size_t i = 0; i < master.plan->n; i++) {
		const struct reload_entry *entry = &master.plan->entries[i];

		if (!entry->pool) {
			master_reload_cancel("no memory or descriptor for another pool");
			return true;
		}
		if (!on_trial(entry))
			continue;
		switch (pool_try_state(entry->pool)) {
		case POOL_TRY_PENDING:
			pending = true;
			break;
		case POOL_TRY_READY:
			break;
		case POOL_TRY_FAILED:
			master_reload_cancel(entry->pool->trial_error);
			return true;
		}
	}
	if (!pending)
		commit();
	return !pending;
}

void
master_reload_step(void)
{
	for (;;) {
		master_control_look(); /* they hear of this outcome before there is another one */
		if (!master.plan && master.reload_again && master.state == MASTER_RUNNING &&
		    !master_upgrade_is_under_way() && !master_handover_is_under_way())
			master_reload_begin();
		if (!master.plan || !decide())
			return;
	}
}
