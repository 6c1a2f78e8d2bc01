#include "unit.h"

#include "fake_pool.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct fake_world world;

const int killed = SIGKILL, left = 0, ended = SIGTERM, cannot_start = WORKER_CANNOT_START << 8;

static pid_t
fake_spawn(struct pool *pool, struct generation *gen, size_t slot)
{
	(void)pool;
	(void)gen;
	(void)slot;
	if (world.fork_error) {
		errno = world.fork_error;
		return -1;
	}
	return ++world.last_pid;
}

static void
fake_signal(pid_t pid, int sig)
{
	size_t i = (size_t)(pid - FAKE_FIRST_PID + 1);

	assert_in_range(i, 1, FAKE_PIDS - 1);
	world.signals[i] = sig;
	world.sent[i]++;
}

static int
fake_queue(const struct listener *listener)
{
	(void)listener;
	return world.queue;
}

static int
fake_handshakes(const struct listener *listener)
{
	(void)listener;
	return world.handshakes;
}

static int
fake_room(void)
{
	return world.room;
}

static void
fake_wake_at(struct pool *pool, int64_t when)
{
	(void)pool;
	world.wake_at = when;
}

static void
fake_sample_at(struct pool *pool, int64_t when)
{
	(void)pool;
	world.sample_at = when;
}

static void
fake_watch(struct pool *pool, bool on)
{
	(void)pool;
	world.watching = on;
}

static void
fake_give_way(struct pool *pool, int n)
{
	(void)pool;
	world.give_way = n;
}

static int
fake_accepted(const struct listener *listener)
{
	(void)listener;
	return world.accepted;
}

static void
fake_examine(const struct listener *listener, struct pool_program *programs, size_t n)
{
	(void)listener;
	for (size_t i = 0; i < n; i++) {
		programs[i].cpu_ns = world.cpu_ns[programs[i].slot];
		programs[i].holds = world.holds[programs[i].slot];
	}
}

static void
fake_left_behind(pid_t session)
{
	world.left_behind = session;
}

const struct pool_ops fake_ops = {
	.spawn = fake_spawn,
	.signal = fake_signal,
	.queue = fake_queue,
	.handshakes = fake_handshakes,
	.room = fake_room,
	.wake_at = fake_wake_at,
	.sample_at = fake_sample_at,
	.give_way = fake_give_way,
	.watch = fake_watch,
	.accepted = fake_accepted,
	.examine = fake_examine,
	.left_behind = fake_left_behind,
};

struct listener *
new_listener(void)
{
	struct listener *l = util_calloc(1, sizeof(*l));

	l->fd = -1;
	l->address.sa.ss_family = AF_UNIX;
	return l;
}

struct generation *
new_generation(struct listener *l, int64_t workers, int64_t start, int64_t min, int64_t max_spare)
{
	struct generation *gen = util_calloc(1, sizeof(*gen));
	struct conf *conf = conf_new();

	gen->conf = conf_add_pool(conf, "test");
	conf->pools[0] = NULL;
	conf_free(conf);
	gen->conf->service = CONF_SERVICE_ECHO;
	gen->conf->graceful_timeout = 30000;
	gen->conf->workers = workers > 0 ? workers : CONF_UNSET;
	gen->conf->start_workers = workers > 0 ? workers : start;
	gen->conf->min_spare_workers = workers > 0 ? 0 : min;
	gen->conf->max_spare_workers = workers > 0 ? workers : max_spare;
	gen->conf->max_workers = workers > 0 ? workers : 20;
	gen->conf->old_generation_max = gen->conf->max_workers;
	gen->service = &service_echo;
	gen->gate = -1;
	gen->listener = l;
	l->users++;
	return gen;
}

void
say(struct pool *pool, size_t slot, enum activity activity)
{
	pool->scoreboard->slots[slot].pid = (uint32_t)pool->slots[slot].pid;
	pool->scoreboard->slots[slot].activity = activity;
}

void
all_say(struct pool *pool, enum activity activity)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_STARTING || pool->slots[i].state == SLOT_RUNNING)
			say(pool, i, activity);
}

struct pool *
new_pool(struct generation *gen, int64_t now)
{
	struct pool *pool = pool_new("test", &fake_ops);

	memset(&world, 0, sizeof(world));
	world.last_pid = FAKE_FIRST_PID - 1;
	world.room = 1000;
	replace_generation(pool, gen, now);
	return pool;
}

void
replace_generation(struct pool *pool, struct generation *gen, int64_t now)
{
	pool_try(pool, gen, now);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen)
			say(pool, i, ACTIVITY_HELD);
	pool_look(pool, now);
	assert_int_equal(pool_try_state(pool), POOL_TRY_READY);
	pool_commit(pool, now);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].gen == gen)
			say(pool, i, ACTIVITY_IDLE);
	pool_look(pool, now);
}

void
reap(struct pool *pool, size_t slot, int status, int64_t now)
{
	assert_true(pool_reaped(pool, pool->slots[slot].pid, status, now));
	pool_look(pool, now);
}

void
end_pool(struct pool *pool)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			pool_reaped(pool, pool->slots[i].pid, left, 1);
	pool_free(pool);
}
