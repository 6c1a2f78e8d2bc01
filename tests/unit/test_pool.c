/*
 * A pool without processes: pool_ops that only write down what they were asked, and
 * workers that the test plays itself.
 */
#include "unit.h"

#include "pool.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	pid_t last_pid;
	int fork_error; /* errno of the next forks, or 0 */
	int queue, handshakes, room;
	int64_t wake_at;
	bool watching;
	int signals[200]; /* by pid - 1000: the last signal */
	pid_t left_behind;
} world;

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
	world.signals[pid - 1000] = sig;
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
fake_watch(struct pool *pool, bool on)
{
	(void)pool;
	world.watching = on;
}

static void
fake_left_behind(pid_t session)
{
	world.left_behind = session;
}

static const struct pool_ops fake_ops = {
	.spawn = fake_spawn,
	.signal = fake_signal,
	.queue = fake_queue,
	.handshakes = fake_handshakes,
	.room = fake_room,
	.wake_at = fake_wake_at,
	.watch = fake_watch,
	.left_behind = fake_left_behind,
};

static struct listener *
new_listener(void)
{
	struct listener *l = util_calloc(1, sizeof(*l));

	l->fd = -1;
	l->address.sa.ss_family = AF_UNIX;
	return l;
}

/* A generation of an echo pool with these sizes, on a listener of the test's. */
static struct generation *
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
	gen->service = &service_echo;
	gen->gate = -1;
	gen->listener = l;
	l->users++;
	return gen;
}

/* The worker in a slot says what it does; the census word is left to be corrected. */
static void
say(struct pool *pool, size_t slot, enum activity activity)
{
	pool->scoreboard->slots[slot].pid = (uint32_t)pool->slots[slot].pid;
	pool->scoreboard->slots[slot].activity = activity;
}

static void
all_say(struct pool *pool, enum activity activity)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_STARTING || pool->slots[i].state == SLOT_RUNNING)
			say(pool, i, activity);
}

static const int killed = 9, left = 0, cannot_start = WORKER_CANNOT_START << 8;

static struct pool *
new_pool(struct generation *gen, int64_t now)
{
	struct pool *pool = pool_new("test", &fake_ops);

	memset(&world, 0, sizeof(world));
	world.last_pid = 1000;
	world.room = 1000;
	pool_try(pool, gen, now);
	all_say(pool, ACTIVITY_HELD);
	pool_look(pool, now);
	assert_int_equal(pool_try_state(pool), POOL_TRY_READY);
	pool_commit(pool, now);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, now);
	return pool;
}

static void
end_pool(struct pool *pool)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			pool_reaped(pool, pool->slots[i].pid, left, 1);
	pool_free(pool);
}

static void
a_start_makes_just_the_starting_workers(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	assert_int_equal(pool_active(pool), 5);
	assert_int_equal(world.wake_at, 0);
	assert_int_equal(pool->scoreboard->ring_below, 5);
	end_pool(pool);
}

static void
workers_on_their_way_from_the_gate_are_not_missing(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	say(pool, 2, ACTIVITY_CHANGING);
	pool_look(pool, 1001);
	assert_int_equal(pool_active(pool), 5);
	say(pool, 2, ACTIVITY_BUSY);
	pool_look(pool, 1002);
	assert_int_equal(pool_active(pool), 6);
	end_pool(pool);
}

static void
a_busy_pool_grows_by_deficit_and_queue(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		say(pool, i, ACTIVITY_BUSY);
	world.queue = 4;
	pool_look(pool, 1001);
	assert_int_equal(pool_active(pool), 12);
	end_pool(pool);
}

static void
a_dead_worker_is_replaced_and_its_slot_used_again(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	assert_true(pool_reaped(pool, 1002, killed, 5000));
	assert_false(pool_reaped(pool, 1002, killed, 5000));
	pool_look(pool, 5000);
	assert_int_equal(pool->nslots, 4);
	assert_int_equal(pool->slots[1].pid, 1005);
	assert_int_equal(pool->crashes, 1);
	end_pool(pool);
}

static void
workers_that_cannot_start_are_tried_ever_less(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);
	int64_t now = 10000;

	(void)state;
	for (pid_t pid = 1001; pid <= world.last_pid && pid < 1100; pid++) {
		pool_reaped(pool, pid, cannot_start, now);
		pool_look(pool, now);
	}
	assert_in_range(world.last_pid, 1010, 1014);
	assert_in_range(world.wake_at, now + 1000, now + 1100);
	pool_look(pool, world.wake_at);
	assert_int_equal(pool_active(pool), 1);
	end_pool(pool);
}

static void
a_fork_that_fails_is_tried_again_later(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	world.fork_error = EAGAIN;
	pool_reaped(pool, 1001, killed, 5000);
	pool_look(pool, 5000);
	assert_int_equal(pool_active(pool), 3);
	assert_int_equal(world.wake_at, 5100);
	world.fork_error = 0;
	pool_look(pool, 5100);
	assert_int_equal(pool_active(pool), 4);
	end_pool(pool);
}

static void
a_worker_that_is_never_ready_is_killed(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 1, 0, 0, 0), 1000);

	(void)state;
	pool_reaped(pool, 1001, killed, 5000);
	pool_look(pool, 5000);
	assert_int_equal(world.wake_at, 35000);
	pool_look(pool, 35000);
	assert_int_equal(world.signals[2], SIGKILL);
	assert_int_equal(pool->slots[0].state, SLOT_KILLED);
	end_pool(pool);
}

static void
surplus_is_retired_by_a_signal_that_lets_it_finish(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 12, 2, 4), 1000);

	(void)state;
	assert_int_equal(world.wake_at, 11000);
	pool_look(pool, 11000);
	assert_int_equal(pool_active(pool), 4);
	assert_int_equal(world.signals[12], WORKER_SIGNAL_RETIRE);
	end_pool(pool);
}

static void
a_new_generation_takes_over_when_it_is_ready(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(new_generation(l, 3, 0, 0, 0), 1000);

	(void)state;
	pool_try(pool, new_generation(l, 3, 0, 0, 0), 2000);
	pool_look(pool, 2000);
	assert_int_equal(pool_try_state(pool), POOL_TRY_PENDING);
	assert_int_equal(world.signals[1], 0);
	all_say(pool, ACTIVITY_HELD);
	pool_look(pool, 2001);
	assert_int_equal(pool_try_state(pool), POOL_TRY_READY);
	pool_commit(pool, 2002);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(world.signals[i], WORKER_SIGNAL_RETIRE);
	assert_int_equal(pool_active(pool), 3);
	assert_non_null(pool->old);
	for (pid_t pid = 1001; pid <= 1003; pid++)
		pool_reaped(pool, pid, left, 2003);
	pool_look(pool, 2003);
	assert_null(pool->old);
	end_pool(pool);
}

static void
a_new_generation_that_dies_is_taken_back(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(new_generation(l, 3, 0, 0, 0), 1000);

	(void)state;
	pool_try(pool, new_generation(l, 3, 0, 0, 0), 2000);
	pool_reaped(pool, 1005, cannot_start, 2001);
	assert_int_equal(pool_try_state(pool), POOL_TRY_FAILED);
	assert_non_null(strstr(pool->trial_error, "status 70"));
	pool_take_back(pool, 2002);
	assert_int_equal(world.signals[4], SIGTERM);
	assert_int_equal(world.signals[6], SIGTERM);
	assert_int_equal(world.signals[1], 0);
	pool_reaped(pool, 1004, SIGTERM, 2003);
	pool_reaped(pool, 1006, SIGTERM, 2003);
	pool_look(pool, 2003);
	assert_int_equal(pool_active(pool), 3);
	assert_int_equal(pool->policy.failures, 0);
	end_pool(pool);
}

static void
a_graceful_stop_climbs_the_ladder(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_stop(pool, false, 2000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_FINISH);
	assert_int_equal(world.wake_at, 32000);
	pool_look(pool, 32000);
	assert_int_equal(world.signals[1], SIGTERM);
	assert_int_equal(world.wake_at, 37000);
	pool_look(pool, 37000);
	assert_int_equal(world.signals[1], SIGKILL);
	pool_reaped(pool, 1001, killed, 37001);
	pool_reaped(pool, 1002, killed, 37001);
	pool_look(pool, 37001);
	assert_true(pool_is_gone(pool));
	pool_free(pool);
}

static void
a_queue_without_workers_is_emptied_by_new_ones(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	world.queue = 1;
	pool_stop(pool, false, 2000);
	pool_reaped(pool, 1001, killed, 2001);
	pool_reaped(pool, 1002, killed, 2001);
	pool_look(pool, 2001);
	assert_int_equal(pool->counts[SLOT_DRAINING], 1);
	world.queue = 0;
	pool_reaped(pool, 1003, left, 2002);
	pool_look(pool, 2002);
	assert_true(pool_is_gone(pool));
	pool_free(pool);
}

static void
a_handshake_under_way_is_waited_for(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 1, 0, 0, 0), 1000);

	(void)state;
	world.handshakes = 1;
	pool_stop(pool, false, 2000);
	pool_reaped(pool, 1001, left, 2001);
	pool_look(pool, 2001);
	assert_false(pool_is_gone(pool));
	assert_in_range(world.wake_at, 2002, 2100);
	world.handshakes = 0;
	world.queue = 1;
	pool_look(pool, 2050);
	assert_int_equal(pool->counts[SLOT_DRAINING], 1);
	world.queue = 0;
	pool_reaped(pool, 1002, left, 2060);
	pool_look(pool, 2060);
	assert_true(pool_is_gone(pool));
	pool_free(pool);
}

static void
the_busy_ones_close_the_listener_once_the_queue_is_empty(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_stop(pool, false, 2000);
	pool_reaped(pool, 1001, left, 2001);
	pool_look(pool, 2001);
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	assert_null(pool->old->listener);
	end_pool(pool);
}

static void
a_second_stop_makes_it_fast(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_stop(pool, false, 2000);
	pool_stop(pool, true, 3000);
	assert_int_equal(world.signals[1], SIGTERM);
	assert_int_equal(world.wake_at, 8000);
	end_pool(pool);
}

static void
a_program_whose_worker_died_is_reported(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool->scoreboard->slots[0].program = 4711;
	pool_reaped(pool, 1001, killed, 2000);
	assert_int_equal(world.left_behind, 4711);
	end_pool(pool);
}

static void
one_more_and_one_less(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_scale(pool, 1, 2000);
	assert_int_equal(pool_active(pool), 3);
	all_say(pool, ACTIVITY_IDLE);
	pool_scale(pool, -1, 2001);
	pool_scale(pool, -1, 2001);
	assert_int_equal(pool_active(pool), 1);
	pool_scale(pool, -1, 2002);
	assert_int_equal(pool_active(pool), 1);
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_makes_just_the_starting_workers),
		cmocka_unit_test(workers_on_their_way_from_the_gate_are_not_missing),
		cmocka_unit_test(a_busy_pool_grows_by_deficit_and_queue),
		cmocka_unit_test(a_dead_worker_is_replaced_and_its_slot_used_again),
		cmocka_unit_test(workers_that_cannot_start_are_tried_ever_less),
		cmocka_unit_test(a_fork_that_fails_is_tried_again_later),
		cmocka_unit_test(a_worker_that_is_never_ready_is_killed),
		cmocka_unit_test(surplus_is_retired_by_a_signal_that_lets_it_finish),
		cmocka_unit_test(a_new_generation_takes_over_when_it_is_ready),
		cmocka_unit_test(a_new_generation_that_dies_is_taken_back),
		cmocka_unit_test(a_graceful_stop_climbs_the_ladder),
		cmocka_unit_test(a_queue_without_workers_is_emptied_by_new_ones),
		cmocka_unit_test(a_handshake_under_way_is_waited_for),
		cmocka_unit_test(the_busy_ones_close_the_listener_once_the_queue_is_empty),
		cmocka_unit_test(a_second_stop_makes_it_fast),
		cmocka_unit_test(a_program_whose_worker_died_is_reported),
		cmocka_unit_test(one_more_and_one_less),
	};

	log_set_level(LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
