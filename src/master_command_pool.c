/*
 * The commands that are about a pool or a worker.
 */
#include "master_command.h"

#include "conf_value.h"

#include <stdlib.h>
#include <string.h>

/* ---- pools by name ---- */

static struct pool *
find_pool(const char *name)
{
	for (size_t i = 0; i < master.npools; i++)
		if (!master.pools[i]->stopping && strcmp(master.pools[i]->name, name) == 0)
			return master.pools[i];
	return NULL;
}

/* The pool that the command began with; it may be gone. */
static struct pool *
own_pool(const struct master_command *c)
{
	for (size_t i = 0; i < master.npools; i++)
		if (master.pools[i]->id == c->pool_id)
			return master.pools[i];
	return NULL;
}

static char *
names_of_pools(void)
{
	char *names = util_strdup("");

	for (size_t i = 0; i < master.npools; i++) {
		char *longer;

		if (master.pools[i]->stopping)
			continue;
		longer = util_format("%s%s%s", names, *names ? ", " : "", master.pools[i]->name);
		free(names);
		names = longer;
	}
	return names;
}

struct pool *
command_pool(struct master_command *c)
{
	struct pool *pool = find_pool(c->request.words[1]);
	char *names;

	if (pool) {
		c->pool_id = pool->id;
		return pool;
	}
	names = names_of_pools();
	command_finish(c, false, "there is no pool \"%s\"; there are: %s", c->request.words[1],
		       names);
	free(names);
	return NULL;
}

/* The same, and it serves. */
static struct pool *
serving_pool(struct master_command *c)
{
	struct pool *pool = command_pool(c);

	if (!pool || pool->current)
		return pool;
	command_finish(c, false, "pool %s is drained: resume it first", pool->name);
	return NULL;
}

static void
begin_recycle(struct master_command *c, FILE *out)
{
	struct pool *pool = NULL;

	(void)out;
	if (c->request.n > 1 && !(pool = serving_pool(c)))
		return;
	c->ticket = master_again_begin(RELOAD_RECYCLE, pool);
	command_finish(c, true, "the recycling has begun");
}

static void
begin_resume(struct master_command *c, FILE *out)
{
	struct pool *pool = command_pool(c);

	(void)out;
	if (!pool)
		return;
	if (!pool->parked) {
		command_finish(c, false, "pool %s is not drained", pool->name);
		return;
	}
	c->ticket = master_again_begin(RELOAD_RESUME, pool);
	command_finish(c, true, "the resuming has begun");
}

/* ---- pools ---- */

/* N, +N or -N: how many more than the configuration says. */
static int
extra_of(const struct pool *pool, const char *text, int *extra, char **err)
{
	bool relative = text[0] == '+' || text[0] == '-';
	int64_t n;

	if (conf_value_count(text + relative, 0, CONF_MAX_WORKERS, &n, err) < 0)
		return -1;
	if (relative)
		*extra = pool->extra + (int)(text[0] == '-' ? -n : n);
	else
		*extra = (int)n - pool_base(pool);
	return 0;
}

static void
say_size(struct master_command *c, const struct pool *pool)
{
	bool fixed = pool->current->conf->workers > 0;
	int n = pool_base(pool) + pool->extra;

	if (fixed)
		command_finish(c, true, "pool %s has %d worker%s", pool->name, n,
			       util_plural((unsigned)n));
	else
		command_finish(c, true, "pool %s keeps %d spare worker%s, and has %u now",
			       pool->name, n, util_plural((unsigned)n), pool_active(pool));
}

static void
begin_scale(struct master_command *c, FILE *out)
{
	struct pool *pool = serving_pool(c);
	char *err = NULL;
	int extra;

	(void)out;
	if (!pool)
		return;
	if (extra_of(pool, c->request.words[2], &extra, &err) < 0)
		command_finish(c, false, "%s", err);
	else if (!pool_scale(pool, extra, util_now_ms()))
		command_finish(
		    c, false, "pool %s cannot have %s %d: it would be below 0 or above %lld",
		    pool->name, pool->current->conf->workers > 0 ? "workers" : "spare workers",
		    pool_base(pool) + extra, (long long)pool->current->conf->max_workers);
	else
		command_finish(c, true, "pool %s is being scaled", pool->name);
	free(err);
}

static void
look_at_scale(struct master_command *c)
{
	struct pool *pool = own_pool(c);

	if (!pool || !pool->current)
		command_finish(c, false, "the pool is gone");
	else if (pool->policy.next_try > util_now_ms())
		command_finish(c, false, "pool %s: workers do not start: %s", pool->name,
			       pool->last_failure ? pool->last_failure : "see the log");
	else if (pool->settled && pool->starved && pool->ops->room() <= 0)
		command_finish(c, false,
			       "pool %s has %u worker%s: there is no room for more, see "
			       "max_workers",
			       pool->name, pool_active(pool), util_plural(pool_active(pool)));
	else if (pool->settled && !pool->starved && !pool_is_draining(pool))
		say_size(c, pool); /* else old workers have its places until they leave */
}

static void
begin_drain(struct master_command *c, FILE *out)
{
	struct pool *pool = command_pool(c);

	(void)out;
	if (!pool)
		return;
	if (pool->current) {
		log_notice("pool %s: draining", pool->name);
		master_forget_stored(pool);
		pool_park(pool, util_now_ms());
	}
	command_finish(c, true, "pool %s drains", pool->name);
}

static void
look_at_drain(struct master_command *c)
{
	struct pool *pool = own_pool(c);

	if (!pool)
		command_finish(c, true, "the pool is gone");
	else if (pool->current)
		command_finish(c, false, "pool %s was resumed", pool->name);
	else if (pool->drained)
		command_finish(c, true, "pool %s is drained", pool->name);
}

static void
begin_kill(struct master_command *c, FILE *out)
{
	int64_t pid, now = util_now_ms();
	char *err = NULL;

	(void)out;
	if (conf_value_count(c->request.words[1], 1, INT32_MAX, &pid, &err) < 0) {
		command_finish(c, false, "%s", err);
		free(err);
		return;
	}
	for (size_t i = 0; i < master.npools; i++) {
		struct pool *pool = master.pools[i];

		if (!pool_end_worker(pool, (pid_t)pid, c->request.now, now))
			continue;
		c->pool_id = pool->id;
		c->pid = (pid_t)pid;
		command_finish(c, true, "worker %d of pool %s leaves", (int)pid, pool->name);
		return;
	}
	command_finish(c, false, "%d is the pid of no worker", (int)pid);
}

static void
look_at_kill(struct master_command *c)
{
	const struct pool *pool = own_pool(c);

	if (!pool || !pool_has_worker(pool, c->pid))
		command_finish(c, true, "worker %d has ended", (int)c->pid);
}

const struct command_word command_words_pool[] = {
	{ "recycle", "recycle [POOL]", 0, 1, false, true, begin_recycle, command_look_for_outcome },
	{ "resume", "resume POOL", 1, 1, false, true, begin_resume, command_look_for_outcome },
	{ "drain", "drain POOL", 1, 1, false, true, begin_drain, look_at_drain },
	{ "scale", "scale POOL N|+N|-N", 2, 2, false, true, begin_scale, look_at_scale },
	{ "kill", "kill PID [--now]", 1, 1, false, false, begin_kill, look_at_kill },
};

const size_t command_words_pool_n = ARRAY_LEN(command_words_pool);
