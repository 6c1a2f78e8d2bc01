/*
 * A pool: its workers' life, reloads and stops.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
a_pool_that_dies_at_one_time_fills_no_log(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 90, 0, 0, 0), 1000);

	(void)state;
	logged_begin(LOG_ERR);
	for (size_t i = 0; i < 90; i++)
		pool_reaped(pool, pool->slots[i].pid, SIGSEGV, 1500);
	assert_in_range(logged_lines("workers do not stay alive"), 1, 6);
	assert_int_equal(logged_lines("next attempt in 30s"), 1);
	logged_end();
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
	pool_look(pool, 4000);
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
after_a_standstill_nobody_is_killed_without_a_word(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_stop(pool, false, 2000);
	pool_look(pool, 90000);
	assert_int_equal(world.signals[1], SIGTERM);
	assert_int_equal(world.wake_at, 95000);
	pool_look(pool, 95000);
	assert_int_equal(world.signals[1], SIGKILL);
	end_pool(pool);
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

/* All workers die as soon as they are forked, for so long; how many that are. */
static int
forks_in_vain(struct pool *pool, int status, int64_t from, int64_t until)
{
	pid_t first = world.last_pid;

	for (int64_t now = from; now < until && !pool_is_gone(pool); now++) {
		for (size_t i = 0; i < pool->nslots; i++)
			if (pool->slots[i].state != SLOT_FREE)
				pool_reaped(pool, pool->slots[i].pid, status, now);
		pool_look(pool, now);
	}
	return (int)(world.last_pid - first);
}

static void
a_queue_that_nobody_can_empty_is_given_up(void **state)
{
	const int statuses[] = { SIGSEGV, killed, cannot_start };

	(void)state;
	logged_begin(LOG_ERR);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

		world.queue = 2;
		pool_stop(pool, false, 2000);
		assert_in_range(forks_in_vain(pool, statuses[i], 2001, 6000), 1, 12);
		assert_true(pool_is_gone(pool));
		assert_int_equal(logged_lines(": 2 waiting on "), i + 1);
		pool_free(pool);
	}
	logged_end();
}

static void
who_serves_before_it_dies_empties_the_queue_too(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 1, 0, 0, 0), 1000);

	(void)state;
	world.queue = 50;
	pool_stop(pool, false, 2000);
	reap(pool, 0, SIGSEGV, 2001);
	for (; world.queue > 0; world.queue--) {
		assert_int_equal(pool->counts[SLOT_DRAINING], 1);
		pool->scoreboard->slots[0].requests = 1;
		reap(pool, 0, SIGSEGV, 5000);
	}
	reap(pool, 0, left, 5000);
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
busy_ones_alone_do_not_keep_the_listener(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	all_say(pool, ACTIVITY_BUSY);
	pool_stop(pool, false, 2000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_RETIRE);
	assert_null(pool->old->listener);
	end_pool(pool);
}

static void
one_that_does_not_stir_keeps_the_listener_for_two_seconds(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	pool_stop(pool, false, 2000);
	assert_int_equal(world.wake_at, 4000);
	pool_look(pool, 3999);
	assert_non_null(pool->old->listener);
	pool_look(pool, 4000);
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
to_be_told_to_end_at_once_again_gives_no_more_time(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);

	(void)state;
	for (int64_t now = 2000; now < 7000; now += 1000)
		assert_true(pool_end_worker(pool, 1001, true, now));
	assert_int_equal(world.signals[1], SIGTERM);
	pool_end_worker(pool, 1001, true, 7000);
	assert_int_equal(world.signals[1], SIGKILL);
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
the_place_of_a_dead_worker_among_its_source_is_free(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 2, 0, 0, 0), 1000);
	struct source_claims *claims = &pool->scoreboard->sources;

	(void)state;
	assert_true(source_claim(claims, 0, 1, 1));
	assert_false(source_claim(claims, 1, 1, 1));
	pool_reaped(pool, 1001, killed, 2000);
	assert_true(source_claim(claims, 1, 1, 1));
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

static void
crashes_and_their_replacements_are_counted(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 0, 5, 5, 10), 1000);

	(void)state;
	assert_null(pool->last_failure);
	reap(pool, 1, killed, 5000);
	assert_int_equal(pool->crashes, 1);
	assert_int_equal(pool->respawns, 1);
	assert_string_equal(pool->last_failure, "killed by signal 9 (Killed)");
	reap(pool, 2, 3 << 8, 5001);
	assert_string_equal(pool->last_failure, "exited with status 3");
	assert_int_equal(pool->crashes, 2);
	assert_int_equal(pool->respawns, 2);
	all_say(pool, ACTIVITY_BUSY);
	pool_look(pool, 6000);
	assert_int_equal(pool_active(pool), 10);
	assert_int_equal(pool->respawns, 2); /* growth is none */
	end_pool(pool);
}

static void
who_leaves_in_order_is_no_crash(void **state)
{
	struct listener *l = new_listener();
	struct pool *pool = new_pool(new_generation(l, 3, 0, 0, 0), 1000);

	(void)state;
	pool->scoreboard->slots[0].requests = 1;
	reap(pool, 0, left, 5000);
	assert_int_equal(pool->crashes, 0);
	all_say(pool, ACTIVITY_IDLE);
	replace_generation(pool, new_generation(l, 3, 0, 0, 0), 6000);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state == SLOT_DRAINING)
			reap(pool, i, killed, 7000); /* of the old ones */
	assert_int_equal(pool->crashes, 0);
	assert_int_equal(pool->respawns, 0);
	assert_null(pool->last_failure);
	end_pool(pool);
}

static void
a_fork_that_fails_is_the_last_failure_but_no_crash(void **state)
{
	struct pool *pool = new_pool(new_generation(new_listener(), 4, 0, 0, 0), 1000);

	(void)state;
	world.fork_error = EAGAIN;
	pool_scale(pool, 1, 5000);
	assert_string_equal(pool->last_failure, "fork: Resource temporarily unavailable");
	assert_int_equal(pool->crashes, 0);
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
		cmocka_unit_test(a_pool_that_dies_at_one_time_fills_no_log),
		cmocka_unit_test(a_fork_that_fails_is_tried_again_later),
		cmocka_unit_test(a_worker_that_is_never_ready_is_killed),
		cmocka_unit_test(surplus_is_retired_by_a_signal_that_lets_it_finish),
		cmocka_unit_test(a_new_generation_takes_over_when_it_is_ready),
		cmocka_unit_test(a_new_generation_that_dies_is_taken_back),
		cmocka_unit_test(a_graceful_stop_climbs_the_ladder),
		cmocka_unit_test(after_a_standstill_nobody_is_killed_without_a_word),
		cmocka_unit_test(a_queue_without_workers_is_emptied_by_new_ones),
		cmocka_unit_test(a_queue_that_nobody_can_empty_is_given_up),
		cmocka_unit_test(who_serves_before_it_dies_empties_the_queue_too),
		cmocka_unit_test(a_handshake_under_way_is_waited_for),
		cmocka_unit_test(the_busy_ones_close_the_listener_once_the_queue_is_empty),
		cmocka_unit_test(busy_ones_alone_do_not_keep_the_listener),
		cmocka_unit_test(one_that_does_not_stir_keeps_the_listener_for_two_seconds),
		cmocka_unit_test(a_second_stop_makes_it_fast),
		cmocka_unit_test(to_be_told_to_end_at_once_again_gives_no_more_time),
		cmocka_unit_test(a_program_whose_worker_died_is_reported),
		cmocka_unit_test(the_place_of_a_dead_worker_among_its_source_is_free),
		cmocka_unit_test(one_more_and_one_less),
		cmocka_unit_test(crashes_and_their_replacements_are_counted),
		cmocka_unit_test(who_leaves_in_order_is_no_crash),
		cmocka_unit_test(a_fork_that_fails_is_the_last_failure_but_no_crash),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
