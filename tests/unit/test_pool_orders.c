/*
 * What an operator orders of a running pool: drain and resume, other sizes, the end of
 * a worker.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "worker.h"

#include <limits.h>

/* ---- drain and resume ---- */

static struct generation *
as_parked(const struct pool *pool)
{
	struct generation *gen = new_generation(new_listener(), 4, 0, 0, 0);

	conf_pool_free(gen->conf);
	gen->conf = conf_pool_copy(pool->parked);
	return gen;
}

static void
a_parked_pool_finishes_and_is_drained(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);
	struct conf_pool *conf = conf_pool_copy(pool->current->conf);

	(void)state;
	logged_begin(LOG_NOTICE);
	say(pool, 0, ACTIVITY_BUSY);
	pool_park(pool, 2000);
	assert_null(pool->current);
	assert_int_equal(conf_pool_diff(pool->parked, conf), 0);
	for (int i = 1; i <= 4; i++)
		assert_int_equal(world.signals[i], WORKER_SIGNAL_FINISH);
	for (size_t i = 1; i < 4; i++)
		reap(pool, i, left, 2001);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_RETIRE); /* the queue is empty */
	assert_int_equal(world.wake_at, 32000);
	assert_false(pool->drained);
	reap(pool, 0, left, 9000);
	assert_true(pool->drained);
	assert_int_equal(world.wake_at, 0);
	assert_int_equal(pool_processes(pool), 0);
	assert_int_equal(pool->crashes, 0);
	pool_look(pool, 9001);
	assert_int_equal(logged_lines("pool test: drained"), 1);
	logged_end();
	conf_pool_free(conf);
	end_pool(pool);
}

static void
a_pool_without_workers_parks_at_once(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 0, 0, 5), 1000);

	(void)state;
	pool_look(pool, 60000);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			reap(pool, i, left, 60001);
	assert_true(world.watching);
	pool_park(pool, 70000);
	assert_false(world.watching);
	assert_true(pool->drained);
	end_pool(pool);
}

static void
connections_that_wait_are_served_before_a_pool_is_drained(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	world.queue = 3;
	pool_park(pool, 2000);
	for (size_t i = 0; i < 4; i++)
		pool_reaped(pool, pool->slots[i].pid, killed, 2001);
	pool_look(pool, 2001);
	assert_int_equal(pool->counts[SLOT_DRAINING], 3);
	assert_false(pool->drained);
	world.queue = 0;
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			reap(pool, i, left, 2002);
	assert_true(pool->drained);
	end_pool(pool);
}

static void
a_drained_pool_is_resumed_as_it_was(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	pool_park(pool, 2000);
	for (size_t i = 0; i < 4; i++)
		reap(pool, i, left, 2001);
	replace_generation(pool, as_parked(pool), 3000);
	assert_null(pool->parked);
	assert_int_equal(pool_active(pool), 4);
	assert_true(pool->settled);
	assert_int_equal(pool->current->conf->workers, 4);
	end_pool(pool);
}

static void
a_pool_that_drains_is_resumed_beside_its_last_workers(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	logged_begin(LOG_NOTICE);
	say(pool, 0, ACTIVITY_BUSY);
	pool_park(pool, 2000);
	reap(pool, 1, left, 2001);
	replace_generation(pool, as_parked(pool), 3000);
	assert_int_equal(pool_active(pool), 4);
	assert_int_equal(pool->counts[SLOT_DRAINING], 3);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_DRAINING)
			reap(pool, i, left, 3001);
	assert_int_equal(logged_lines("drained"), 0);
	assert_null(pool->old);
	assert_int_equal(pool_active(pool), 4);
	logged_end();
	end_pool(pool);
}

static void
a_resumption_that_fails_leaves_the_pool_drained(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_park(pool, 2000);
	reap(pool, 0, left, 2001);
	reap(pool, 1, left, 2001);
	pool_try(pool, as_parked(pool), 3000);
	pool_reaped(pool, pool->slots[0].pid, cannot_start, 3001);
	assert_int_equal(pool_try_state(pool), POOL_TRY_FAILED);
	pool_take_back(pool, 3001);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			reap(pool, i, ended, 3002);
	assert_non_null(pool->parked);
	assert_true(pool->drained);
	assert_int_equal(pool_processes(pool), 0);
	assert_int_equal(pool->crashes, 0);
	end_pool(pool);
}

static void
a_parked_pool_can_be_stopped(void **state)
{
	(void)state;
	for (int drained = 0; drained < 2; drained++) {
		struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

		say(pool, 0, ACTIVITY_BUSY);
		pool_park(pool, 2000);
		reap(pool, 1, left, 2001);
		if (drained)
			reap(pool, 0, left, 2002);
		pool_stop(pool, false, 3000);
		assert_int_equal(pool_is_gone(pool), drained);
		if (!drained) {
			pool_stop(pool, true, 3001);
			assert_int_equal(world.signals[1], SIGTERM);
			reap(pool, 0, ended, 3002);
		}
		assert_true(pool_is_gone(pool));
		pool_free(pool);
	}
}

static void
a_parked_pool_is_not_saturated(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	world.queue = 5;
	pool_look(pool, 2000);
	assert_int_equal(pool->saturation.since, 2000);
	pool_park(pool, 3000);
	world.queue = 0;
	for (size_t i = 0; i < 2; i++)
		reap(pool, i, left, 4000);
	for (int i = 0; i < 10 && world.wake_at != 0; i++)
		pool_look(pool, world.wake_at);
	assert_int_equal(pool->saturation.since, 0);
	end_pool(pool);
}

/* ---- other sizes ---- */

static void
a_fixed_pool_is_scaled_up_and_down(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	assert_int_equal(pool_base(pool), 4);
	assert_true(pool_scale(pool, 3, 2000));
	assert_int_equal(pool_active(pool), 7);
	pool_look(pool, 2000);
	assert_false(pool->settled);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2001);
	assert_true(pool->settled);
	assert_true(pool_scale(pool, 3, 2002));
	assert_int_equal(pool_active(pool), 7);
	say(pool, 6, ACTIVITY_BUSY);
	assert_true(pool_scale(pool, -2, 2003));
	assert_int_equal(pool_active(pool), 2);
	assert_int_equal(pool->slots[6].state, SLOT_RUNNING); /* idle ones first */
	for (size_t i = 0; i < 7; i++)
		if (pool->slots[i].state == SLOT_DRAINING)
			reap(pool, i, left, 2004);
	pool_look(pool, 2005);
	assert_true(pool->settled);
	assert_int_equal(pool_active(pool), 2);
	end_pool(pool);
}

static void
a_trial_of_a_smaller_pool_than_was_taken_off_has_one_worker(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(new_generation(l, 10, 0, 0, 0), 1000);

	(void)state;
	assert_true(pool_scale(pool, -8, 2000));
	pool_try(pool, new_generation(l, 3, 0, 0, 0), 3000);
	assert_int_equal(pool->trial_workers, 1);
	end_pool(pool);
}

static void
spare_workers_are_scaled_at_once(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	assert_int_equal(pool_base(pool), 5);
	assert_true(pool_scale(pool, 4, 2000));
	assert_int_equal(pool_active(pool), 9);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2001);
	assert_int_equal(pool->scoreboard->ring_below, 9);
	assert_int_equal(pool->scoreboard->ring_above, 14);
	assert_true(pool_scale(pool, -3, 2002));
	assert_int_equal(pool_active(pool), 2);
	assert_int_equal(pool->scoreboard->ring_below, 2);
	assert_true(pool_scale(pool, 0, 2003));
	assert_int_equal(pool_active(pool), 5);
	end_pool(pool);
}

static void
fewer_spare_workers_end_no_busy_one(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 8, 5, 10), 1000);

	(void)state;
	for (size_t i = 0; i < 3; i++)
		say(pool, i, ACTIVITY_BUSY);
	assert_true(pool_scale(pool, -4, 2000));
	assert_int_equal(pool_active(pool), 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pool->slots[i].state, SLOT_RUNNING);
	end_pool(pool);
}

static void
fewer_spare_workers_end_none_that_is_needed(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		say(pool, i, ACTIVITY_BUSY);
	pool_look(pool, 2000);
	assert_int_equal(pool->counts[SLOT_STARTING], 4);
	assert_true(pool_scale(pool, -3, 2001));
	assert_int_equal(pool->counts[SLOT_RUNNING], 5);
	assert_int_equal(pool->counts[SLOT_DRAINING], 0);
	end_pool(pool);
}

static void
a_size_beyond_the_bounds_is_refused_and_changes_nothing(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	assert_false(pool_scale(pool, -4, 2000));
	assert_false(pool_scale(pool, CONF_MAX_WORKERS - 3, 2000));
	assert_int_equal(pool->extra, 0);
	assert_int_equal(pool_active(pool), 4);
	assert_true(pool_scale(pool, -3, 2000));
	assert_int_equal(pool_active(pool), 1);
	end_pool(pool);

	pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);
	assert_false(pool_scale(pool, -6, 2000));
	assert_false(pool_scale(pool, 11, 2000));
	assert_int_equal(pool->extra, 0);
	assert_int_equal(pool_active(pool), 5);
	assert_true(pool_scale(pool, 10, 2000));
	assert_int_equal(pool_active(pool), 15);
	assert_true(pool_scale(pool, -5, 2001));
	assert_int_equal(pool->scoreboard->ring_below, 1); /* on demand */
	end_pool(pool);
}

static void
a_reload_in_place_takes_the_size_back(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	pool_scale(pool, 2, 2000);
	all_say(pool, ACTIVITY_IDLE);
	pool_resize(pool, conf_pool_copy(pool->current->conf));
	pool_look(pool, 2001);
	assert_int_equal(pool->extra, 0);
	assert_int_equal(pool_active(pool), 4);
	end_pool(pool);
}

/* ---- one worker ---- */

static void
a_worker_that_is_told_to_leave_is_replaced(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	assert_false(pool_has_worker(pool, 999));
	assert_false(pool_end_worker(pool, 999, false, 2000));
	assert_false(pool_is_draining(pool));
	assert_true(pool_has_worker(pool, 1002));
	assert_true(pool_end_worker(pool, 1002, false, 2000));
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	assert_true(pool_is_draining(pool));
	assert_int_equal(pool_active(pool), 4);
	reap(pool, 1, left, 2001);
	assert_false(pool_is_draining(pool));
	assert_false(pool_has_worker(pool, 1002));
	assert_int_equal(pool->crashes, 0);
	end_pool(pool);
}

static void
a_worker_that_must_leave_at_once_is_soon_killed(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	say(pool, 1, ACTIVITY_BUSY);
	assert_true(pool_end_worker(pool, 1002, true, 2000));
	assert_int_equal(world.signals[2], SIGTERM);
	for (int i = 0; i < 10 && world.wake_at != 0 && world.wake_at <= 12000; i++)
		pool_look(pool, world.wake_at);
	assert_int_equal(world.signals[2], SIGKILL);
	reap(pool, 1, killed, 12001);
	assert_int_equal(pool_active(pool), 4);
	end_pool(pool);
}

/* The ladder's KILL is asked for, too: it says nothing of the workers that start. */
static void
a_worker_that_was_told_to_leave_and_had_to_be_killed_is_no_crash(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	say(pool, 1, ACTIVITY_BUSY);
	pool_end_worker(pool, 1002, false, 2000);
	all_say(pool, ACTIVITY_BUSY);
	pool_look(pool, 32000);
	assert_int_equal(world.signals[2], SIGTERM);
	pool_look(pool, 37000);
	assert_int_equal(world.signals[2], SIGKILL);
	reap(pool, 1, killed, 37001);
	assert_int_equal(pool->crashes, 0);
	assert_int_equal(pool->policy.failures, 0);
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_pool_finishes_and_is_drained),
		cmocka_unit_test(a_pool_without_workers_parks_at_once),
		cmocka_unit_test(connections_that_wait_are_served_before_a_pool_is_drained),
		cmocka_unit_test(a_drained_pool_is_resumed_as_it_was),
		cmocka_unit_test(a_pool_that_drains_is_resumed_beside_its_last_workers),
		cmocka_unit_test(a_resumption_that_fails_leaves_the_pool_drained),
		cmocka_unit_test(a_parked_pool_can_be_stopped),
		cmocka_unit_test(a_parked_pool_is_not_saturated),
		cmocka_unit_test(a_fixed_pool_is_scaled_up_and_down),
		cmocka_unit_test(a_trial_of_a_smaller_pool_than_was_taken_off_has_one_worker),
		cmocka_unit_test(spare_workers_are_scaled_at_once),
		cmocka_unit_test(fewer_spare_workers_end_no_busy_one),
		cmocka_unit_test(fewer_spare_workers_end_none_that_is_needed),
		cmocka_unit_test(a_size_beyond_the_bounds_is_refused_and_changes_nothing),
		cmocka_unit_test(a_reload_in_place_takes_the_size_back),
		cmocka_unit_test(a_worker_that_is_told_to_leave_is_replaced),
		cmocka_unit_test(a_worker_that_must_leave_at_once_is_soon_killed),
		cmocka_unit_test(a_worker_that_was_told_to_leave_and_had_to_be_killed_is_no_crash),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
