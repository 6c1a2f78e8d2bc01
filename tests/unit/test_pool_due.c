/*
 * Workers that are due for replacement: when they are chosen, how many, and that nobody
 * is missed.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "worker.h"

#include <errno.h>

/* It says that it has served enough. */
static void
served_enough(struct pool *pool, size_t slot)
{
	scoreboard_want_leave(pool->scoreboard, slot, DUE_REQUESTS);
}

/* Due and not yet reaped. */
static unsigned
count_due(const struct pool *pool)
{
	unsigned n = 0;

	for (size_t i = 0; i < pool->nslots; i++)
		n += pool->slots[i].state != SLOT_FREE && pool->slots[i].due != DUE_NOT;
	return n;
}

static void
a_worker_that_is_due_leaves_once_another_one_is_ready(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	served_enough(pool, 1);
	pool_look(pool, 2000);
	assert_int_equal(pool->counts[SLOT_STARTING], 1);
	assert_int_equal(world.sent[2], 0);
	pool_look(pool, 2010);
	assert_int_equal(pool_active(pool), 5);
	assert_int_equal(world.sent[2], 0);
	say(pool, 4, ACTIVITY_IDLE);
	pool_look(pool, 2020);
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	assert_int_equal(pool_active(pool), 4);
	reap(pool, 1, left, 2030);
	assert_int_equal(pool_active(pool), 4);
	assert_int_equal(world.last_pid, 1005);
	assert_int_equal(pool->crashes + pool->respawns, 0);
	pool_look(pool, 3000);
	assert_int_equal(world.wake_at, 0);
	end_pool(pool);
}

static void
the_log_says_who_is_due_and_why(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	logged_begin(LOG_INFO);
	pool->scoreboard->slots[1].requests = 100;
	served_enough(pool, 1);
	for (int i = 0; i < 3; i++)
		pool_look(pool, 2000 + i);
	assert_int_equal(logged_lines("is due for replacement"), 1);
	assert_int_equal(
	    logged_lines("pool test: worker 1002 is due for replacement: 100 requests"), 1);
	logged_end();
	end_pool(pool);
}

static void
one_that_comes_of_age_is_due(void **state)
{
	struct generation *gen = new_generation(new_listener(), 4, 0, 0, 0);
	int64_t last = 0;
	struct pool *pool;

	(void)state;
	gen->conf->max_worker_age = 100000;
	pool = new_pool(gen, 1000);
	for (int n = 1; n <= 4; n++) {
		int64_t now = last;

		while (count_due(pool) == 0) {
			assert_true(world.wake_at > now);
			now = world.wake_at;
			pool_look(pool, now);
		}
		assert_in_range(now, 91000, 101000); /* up to a tenth earlier */
		for (size_t i = 0; i < pool->nslots; i++)
			if (pool->slots[i].state == SLOT_STARTING)
				say(pool, i, ACTIVITY_IDLE);
		pool_look(pool, now);
		for (size_t i = 0; i < pool->nslots; i++)
			if (pool->slots[i].state == SLOT_DRAINING)
				reap(pool, i, left, now);
		last = now;
	}
	assert_int_equal(world.last_pid, 1008);
	assert_int_equal(pool_active(pool), 4);
	pool_look(pool, last + 1000);
	assert_in_range(world.wake_at, 181000, 201000); /* the new ones are young */
	end_pool(pool);
}

static void
at_most_a_tenth_is_due_at_once_and_those_that_leave_count(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 40, 0, 0, 0), 1000);

	(void)state;
	for (size_t i = 0; i < 40; i++)
		served_enough(pool, i);
	pool_look(pool, 2000);
	assert_int_equal(count_due(pool), 4);
	assert_int_equal(pool_active(pool), 44);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2001);
	assert_int_equal(pool->counts[SLOT_DRAINING], 4);
	for (int i = 0; i < 5; i++)
		pool_look(pool, 2002 + i);
	assert_int_equal(count_due(pool), 4);
	reap(pool, 0, left, 2010);
	assert_int_equal(count_due(pool), 4);
	assert_int_equal(pool->counts[SLOT_STARTING], 1);
	end_pool(pool);
}

static void
who_is_not_missed_leaves_without_a_replacement(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 10, 5, 10), 1000);

	(void)state;
	served_enough(pool, 3);
	pool_look(pool, 2000);
	assert_int_equal(world.signals[4], WORKER_SIGNAL_RETIRE);
	assert_int_equal(world.last_pid, 1010);
	assert_int_equal(pool_active(pool), 9);
	end_pool(pool);
}

static void
nobody_leaves_while_no_other_one_can_start(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	world.fork_error = EAGAIN;
	served_enough(pool, 1);
	for (int64_t now = 2000; now < 60000; now = world.wake_at)
		pool_look(pool, now);
	assert_int_equal(world.sent[2], 0);
	assert_int_equal(pool_active(pool), 4);
	world.fork_error = 0;
	pool_look(pool, world.wake_at);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, world.wake_at + 1);
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	end_pool(pool);
}

static void
one_whose_replacement_dies_works_on(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	served_enough(pool, 1);
	pool_look(pool, 2000);
	for (pid_t pid = 1005; pid <= world.last_pid && pid < 1100; pid++) {
		pool_reaped(pool, pid, cannot_start, 2001);
		pool_look(pool, 2001);
	}
	assert_in_range(world.last_pid, 1012, 1016);
	assert_int_equal(world.sent[2], 0);
	assert_int_equal(pool_active(pool), 4);
	end_pool(pool);
}

static void
a_full_machine_makes_room_for_the_replacement(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	world.room = 0;
	served_enough(pool, 1);
	pool_look(pool, 2000);
	world.room = -1;
	pool_look(pool, 2001);
	assert_int_equal(pool_active(pool), 5);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2002);
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	end_pool(pool);
}

static void
a_pool_at_its_limit_recycles_too(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 20, 5, 10), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	world.queue = 50;
	pool_look(pool, 2000);
	assert_true(pool->saturation.since > 0);
	for (size_t i = 0; i < 20; i++)
		served_enough(pool, i);
	pool_look(pool, 2001);
	assert_int_equal(count_due(pool), 2);
	assert_int_equal(pool_processes(pool), 22);
	all_say(pool, ACTIVITY_BUSY);
	pool_look(pool, 2002);
	assert_int_equal(pool->counts[SLOT_DRAINING], 2);
	assert_int_equal(pool_active(pool), 20);
	end_pool(pool);
}

static void
who_takes_over_a_slot_is_not_due(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	served_enough(pool, 0);
	pool_look(pool, 2000);
	reap(pool, 0, killed, 2001);
	assert_int_equal(pool->crashes, 1);
	assert_int_equal(count_due(pool), 0);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2002);
	assert_int_equal(count_due(pool), 0);
	assert_int_equal(pool_active(pool), 2);
	end_pool(pool);
}

/* It is among the idle ones that the workers count. */
static void
the_bell_does_not_take_one_that_is_due_for_a_spare_one(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	assert_int_equal(pool->scoreboard->ring_below, 5);
	served_enough(pool, 3);
	pool_look(pool, 2000);
	assert_int_equal(pool->scoreboard->ring_below, 6);
	all_say(pool, ACTIVITY_IDLE);
	pool_look(pool, 2001);
	reap(pool, 3, left, 2002);
	assert_int_equal(pool->scoreboard->ring_below, 5);
	end_pool(pool);
}

static void
nonsense_in_a_slot_makes_nobody_due(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	pool->scoreboard->slots[0].due = 7;
	pool->scoreboard->slots[1].due = UINT32_MAX;
	pool_look(pool, 2000);
	assert_int_equal(count_due(pool), 0);
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_worker_that_is_due_leaves_once_another_one_is_ready),
		cmocka_unit_test(the_log_says_who_is_due_and_why),
		cmocka_unit_test(one_that_comes_of_age_is_due),
		cmocka_unit_test(at_most_a_tenth_is_due_at_once_and_those_that_leave_count),
		cmocka_unit_test(who_is_not_missed_leaves_without_a_replacement),
		cmocka_unit_test(nobody_leaves_while_no_other_one_can_start),
		cmocka_unit_test(one_whose_replacement_dies_works_on),
		cmocka_unit_test(a_full_machine_makes_room_for_the_replacement),
		cmocka_unit_test(a_pool_at_its_limit_recycles_too),
		cmocka_unit_test(who_takes_over_a_slot_is_not_due),
		cmocka_unit_test(the_bell_does_not_take_one_that_is_due_for_a_spare_one),
		cmocka_unit_test(nonsense_in_a_slot_makes_nobody_due),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
