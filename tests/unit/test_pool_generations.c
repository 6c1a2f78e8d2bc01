/*
 * Old generations that still serve: the places they have, and what a trial does then.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "pool_slots.h"

#include <signal.h>
#include <stdlib.h>

static struct generation *
small_generation(struct listener *l, int64_t workers, int64_t beside)
{
	struct generation *gen = new_generation(l, workers, 0, 0, 0);

	gen->conf->old_generation_max = beside;
	return gen;
}

static void
all_ready(struct pool *pool, enum activity activity)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_STARTING)
			say(pool, i, activity);
}

/* The first that is told to leave and has not. */
static size_t
one_that_leaves(const struct pool *pool)
{
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_DRAINING)
			return i;
	fail_msg("nobody leaves");
	return 0;
}

static void
a_trial_starts_no_more_than_there_may_be_beside(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(small_generation(l, 4, 2), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	replace_generation(pool, small_generation(l, 4, 2), 2000);
	assert_int_equal(pool_slots_of(pool, pool->current), 2);
	assert_int_equal(pool_processes(pool), 6);
	for (unsigned n = 3; n <= 4; n++) {
		reap(pool, one_that_leaves(pool), left, 3000);
		assert_int_equal(pool_slots_of(pool, pool->current), n);
		assert_int_equal(pool_processes(pool), 6);
	}
	reap(pool, one_that_leaves(pool), left, 3001);
	assert_int_equal(pool_processes(pool), 5);
	end_pool(pool);
}

static void
a_trial_waits_for_places_and_goes_on(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(small_generation(l, 4, 2), 1000);

	(void)state;
	logged_begin(LOG_NOTICE);
	all_say(pool, ACTIVITY_BUSY);
	replace_generation(pool, small_generation(l, 4, 2), 2000);
	pool_try(pool, small_generation(l, 4, 2), 3000);
	assert_true(pool->trial_waits);
	for (int64_t now = 3000; now < 3010; now++)
		pool_look(pool, now);
	assert_int_equal(pool_slots_of(pool, pool->trial), 0);
	assert_int_equal(pool_try_state(pool), POOL_TRY_PENDING);
	assert_int_equal(logged_lines("new ones wait for their places (old_generation_max)"), 1);
	for (int i = 0; i < 4; i++) {
		reap(pool, one_that_leaves(pool), left, 4000);
		all_ready(pool, ACTIVITY_HELD);
		assert_true(pool_processes(pool) <= 6);
	}
	pool_look(pool, 4001);
	assert_int_equal(pool_try_state(pool), POOL_TRY_READY);
	pool_commit(pool, 4002);
	assert_int_equal(logged_lines("wait for their places"), 1);
	logged_end();
	end_pool(pool);
}

static void
a_shorter_time_to_leave_holds_for_those_that_leave_already(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(small_generation(l, 2, 2), 1000);
	struct conf_pool *shorter;
	size_t old;

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	replace_generation(pool, small_generation(l, 2, 2), 2000);
	old = one_that_leaves(pool);
	pool_look(pool, 31000);
	assert_int_not_equal(world.signals[pool->slots[old].pid - 1000], SIGTERM);
	shorter = conf_pool_copy(pool->current->conf);
	shorter->graceful_timeout = 20000;
	pool_resize(pool, shorter);
	pool_look(pool, 31001);
	assert_int_equal(world.signals[pool->slots[old].pid - 1000], SIGTERM);
	end_pool(pool);
}

static void
a_trial_of_a_smaller_pool_does_not_wait_for_the_present_ones(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(small_generation(l, 8, 2), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	pool_end_worker(pool, pool->slots[0].pid, false, 2000);
	pool_look(pool, 2000);
	pool_try(pool, small_generation(l, 2, 2), 3000);
	assert_false(pool->trial_waits);
	assert_true(pool_slots_of(pool, pool->trial) > 0);
	end_pool(pool);
}

static void
a_trial_that_waits_can_be_taken_back(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(small_generation(l, 4, 2), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	replace_generation(pool, small_generation(l, 4, 2), 2000);
	pool_try(pool, small_generation(l, 4, 2), 3000);
	pool_take_back(pool, 3001);
	assert_null(pool->trial);
	assert_int_equal(pool_processes(pool), 6);
	reap(pool, one_that_leaves(pool), left, 3002);
	assert_int_equal(pool_slots_of(pool, pool->current), 3);
	end_pool(pool);
}

static void
over_many_generations_there_are_never_too_many_processes(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool;
	unsigned seed = 7, commits = 0;
	int64_t now = 1000;

	(void)state;
	pool = new_pool(small_generation(l, 10, 4), now);
	world.last_pid = FAKE_FIRST_PID - 1;
	for (int step = 0; step < 20000; step++, now += 10) {
		size_t i = (size_t)rand_r(&seed) % pool->nslots;

		if (!pool->trial)
			pool_try(pool, small_generation(l, 10, 4), now);
		if (pool->slots[i].state == SLOT_STARTING)
			say(pool, i,
			    pool->slots[i].gen == pool->trial ? ACTIVITY_HELD : ACTIVITY_BUSY);
		else if (pool->slots[i].state == SLOT_DRAINING)
			pool_reaped(pool, pool->slots[i].pid, left, now);
		if (world.last_pid > FAKE_FIRST_PID + FAKE_PIDS / 2)
			world.last_pid = FAKE_FIRST_PID - 1; /* those have long gone */
		pool_look(pool, now);
		assert_true(pool_processes(pool) <= 14);
		if (pool_try_state(pool) == POOL_TRY_READY) {
			pool_commit(pool, now);
			commits++;
		}
		assert_true(pool_processes(pool) <= 14);
	}
	assert_true(commits > 200);
	end_pool(pool);
}

/* Workers of the current generation that were told to leave have places, too. */
static void
those_that_leave_the_current_generation_count_for_a_trial(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(new_generation(l, 4, 0, 0, 0), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	for (pid_t pid = 1001; pid <= 1008; pid++) {
		assert_true(pool_end_worker(pool, pid, false, 2000));
		all_say(pool, ACTIVITY_BUSY);
	}
	assert_int_equal(pool_processes(pool), 8);
	pool_try(pool, new_generation(l, 4, 0, 0, 0), 3000);
	assert_int_equal(pool_processes(pool), 8);
	assert_true(pool->trial_waits);
	end_pool(pool);
}

static void
a_generation_that_empties_its_queue_stays_in_its_places(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);
	struct generation *next = new_generation(new_listener(), 0, 5, 5, 10);

	(void)state;
	pool->current->conf->old_generation_max = next->conf->old_generation_max = 1;
	pool_look(pool, 1001);
	all_say(pool, ACTIVITY_BUSY);
	pool_try(pool, next, 2000);
	all_ready(pool, ACTIVITY_HELD);
	pool_look(pool, 2001);
	world.queue = 100;
	pool_commit(pool, 2002);
	pool_look(pool, 2003);
	assert_true(pool_processes(pool) <= 21);
	world.queue = 0;
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trial_starts_no_more_than_there_may_be_beside),
		cmocka_unit_test(a_trial_waits_for_places_and_goes_on),
		cmocka_unit_test(a_shorter_time_to_leave_holds_for_those_that_leave_already),
		cmocka_unit_test(a_trial_of_a_smaller_pool_does_not_wait_for_the_present_ones),
		cmocka_unit_test(a_trial_that_waits_can_be_taken_back),
		cmocka_unit_test(over_many_generations_there_are_never_too_many_processes),
		cmocka_unit_test(those_that_leave_the_current_generation_count_for_a_trial),
		cmocka_unit_test(a_generation_that_empties_its_queue_stays_in_its_places),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
