/*
 * Pools whose programs accept by themselves: who is taken for busy, what is watched, and
 * who must go.
 */
#include "unit.h"

#include "fake_pool.h"
#include "pool_resident.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

static bool
never_run(void)
{
	return true;
}

static const struct service resident = { .run = never_run };

/* At most 20; spare_timeout is 10 s. */
static struct pool *
resident_pool(int64_t workers, int64_t start, int64_t min, int64_t max_spare)
{
	struct generation *gen = new_generation(new_listener(), workers, start, min, max_spare);

	gen->service = &resident;
	return new_pool(gen, 1000);
}

/* Ready, with a program. */
static void
become_ready(struct pool *pool)
{
	all_say(pool, ACTIVITY_IDLE);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			pool->scoreboard->slots[i].program = (uint32_t)(5000 + i);
}

/* The world as it is from now on, seen by the pool. */
static void
see(struct pool *pool, int accepted, int queue, int64_t now)
{
	world.accepted = accepted;
	world.queue = queue;
	become_ready(pool);
	pool_look(pool, now);
}

static bool
is_leaving(const struct pool *pool, size_t slot)
{
	return pool->slots[slot].state == SLOT_DRAINING;
}

static void
an_idle_pool_watches_its_socket_and_has_no_timer(void **state)
{
	struct pool *pool = resident_pool(0, 5, 5, 10);

	(void)state;
	see(pool, 0, 0, 5000);
	assert_true(world.watching);
	assert_int_equal(world.wake_at, 0);
	assert_int_equal(pool->scoreboard->ring_below, 0);
	end_pool(pool);
}

static void
programs_with_a_connection_are_missed_as_spare_ones(void **state)
{
	struct pool *pool = resident_pool(0, 5, 5, 10);

	(void)state;
	see(pool, 3, 0, 5000);
	assert_int_equal(pool_active(pool), 8);
	end_pool(pool);
}

static void
a_queue_that_idle_programs_are_about_to_take_starts_none_beside_the_spare_ones(void **state)
{
	struct pool *pool = resident_pool(0, 10, 0, 20);

	(void)state;
	see(pool, 2, 6, 5000);
	assert_int_equal(pool_active(pool), 10);
	see(pool, 10, 6, 5010);
	assert_int_equal(pool_active(pool), 16);
	end_pool(pool);
}

static void
a_queue_that_nobody_takes_makes_the_pool_grow_whoever_seems_to_be_idle(void **state)
{
	struct pool *pool = resident_pool(0, 2, 0, 20);

	(void)state;
	see(pool, 0, 1, 5000);
	assert_int_equal(pool_active(pool), 2);
	see(pool, 0, 1, 7000);
	assert_int_equal(pool_active(pool), 3);
	end_pool(pool);
}

static void
with_many_connections_each_only_a_queue_that_stands_makes_the_pool_grow(void **state)
{
	struct pool *pool = resident_pool(0, 2, 0, 20);

	(void)state;
	see(pool, 100, 1, 5000);
	assert_int_equal(pool_active(pool), 2);
	assert_int_equal(world.wake_at, 5020);
	see(pool, 100, 0, 5020);
	see(pool, 100, 1, 6000);
	assert_int_equal(pool_active(pool), 2);
	see(pool, 100, 1, 6020);
	assert_int_equal(pool_active(pool), 3);
	end_pool(pool);
}

static void
without_facts_from_the_kernel_it_is_the_same(void **state)
{
	struct pool *pool = resident_pool(0, 2, 0, 20);

	(void)state;
	see(pool, -1, 1, 5000);
	assert_int_equal(pool_active(pool), 2);
	see(pool, -1, 1, 5020);
	assert_int_equal(pool_active(pool), 3);
	end_pool(pool);
}

static void
a_program_that_leaves_has_a_connection_that_is_not_of_the_others(void **state)
{
	struct pool *pool = resident_pool(0, 6, 5, 20);

	(void)state;
	see(pool, 0, 0, 5000);
	assert_true(pool_end_worker(pool, pool->slots[0].pid, false, 5001));
	see(pool, 1, 0, 6000);
	assert_int_equal(pool_active(pool), 5);
	see(pool, 2, 0, 7000);
	assert_int_equal(pool_active(pool), 6);
	end_pool(pool);
}

static void
the_watch_is_armed_again_only_after_a_while(void **state)
{
	struct pool *pool = resident_pool(0, 5, 0, 20);

	(void)state;
	see(pool, 0, 0, 5000);
	assert_true(world.watching);
	policy_told(&pool->policy, 5000);
	see(pool, 0, 0, 5000);
	assert_false(world.watching);
	assert_int_equal(world.wake_at, 5001);
	see(pool, 0, 0, 5001);
	assert_true(world.watching);
	end_pool(pool);
}

static void
a_full_pool_is_watched_too_and_four_times_a_second(void **state)
{
	struct pool *pool = resident_pool(3, 0, 0, 0);

	(void)state;
	see(pool, 0, 0, 5000);
	assert_true(world.watching);
	assert_int_equal(pool->scoreboard->ring_below, 0);
	see(pool, 1, 0, 5100);
	assert_false(world.watching);
	assert_int_equal(world.wake_at, 5250);
	end_pool(pool);
}

static void
more_than_the_spare_ones_are_counted_until_they_go(void **state)
{
	struct pool *pool = resident_pool(0, 8, 0, 4);

	(void)state;
	see(pool, 8, 0, 5000); /* nobody tells when these become idle */
	assert_int_equal(world.wake_at, 6000);
	see(pool, 8, 0, 6000);
	assert_int_equal(world.wake_at, 7000);
	see(pool, 2, 0, 7000);
	see(pool, 0, 0, 8000);
	see(pool, 0, 0, 17000); /* ten seconds since 7000: six were idle at all looks */
	assert_int_equal(pool_active(pool), 6);
	end_pool(pool);
}

static void
the_least_used_go_and_none_that_has_a_connection(void **state)
{
	struct pool *pool = resident_pool(0, 6, 0, 2);

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		world.cpu_ns[i] = 1000 - (int64_t)i;
		world.holds[i] = POOL_HOLDS_NONE;
	}
	see(pool, 4, 0, 5000);
	see(pool, 1, 0, 6000); /* from here on time is counted */
	world.cpu_ns[0] += 5000;
	world.cpu_ns[1] += 1;
	world.cpu_ns[3] += 2;
	world.holds[4] = POOL_HOLDS;
	see(pool, 1, 0, 16000);
	assert_int_equal(pool_active(pool), 3);
	assert_true(is_leaving(pool, 2) && is_leaving(pool, 5) && is_leaving(pool, 1));
	assert_int_equal(world.signals[1 + 2], WORKER_SIGNAL_RETIRE);
	end_pool(pool);
}

static void
of_those_that_cannot_be_seen_only_who_has_done_nothing_goes(void **state)
{
	struct pool *pool = resident_pool(0, 6, 0, 2);

	(void)state;
	see(pool, 0, 0, 5000);
	for (size_t i = 0; i < 5; i++)
		world.cpu_ns[i] += 1;
	see(pool, 0, 0, 11000);
	assert_int_equal(pool_active(pool), 5);
	assert_true(is_leaving(pool, 5));
	end_pool(pool);
}

static void
when_a_limit_is_lowered_the_idle_ones_go_first(void **state)
{
	struct pool *pool = resident_pool(0, 4, 0, 20);
	struct conf_pool *conf;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		world.holds[i] = i == 3 ? POOL_HOLDS_NONE : POOL_HOLDS;
	see(pool, 3, 0, 5000);
	conf = conf_pool_copy(pool->current->conf);
	conf->max_workers = 2;
	pool_resize(pool, conf);
	see(pool, 3, 0, 6000);
	assert_int_equal(pool_active(pool), 2);
	assert_true(is_leaving(pool, 3));
	end_pool(pool);
}

static void
a_trial_that_is_taken_back_may_finish_its_requests(void **state)
{
	struct listener *l = new_listener();
	struct generation *gen = new_generation(l, 1, 0, 0, 0), *next;
	struct pool *pool;

	(void)state;
	gen->service = &resident;
	pool = new_pool(gen, 1000);
	next = new_generation(l, 1, 0, 0, 0);
	next->service = &resident;
	pool_try(pool, next, 2000);
	all_say(pool, ACTIVITY_HELD);
	pool_take_back(pool, 3000);
	assert_int_equal(world.signals[2], WORKER_SIGNAL_RETIRE);
	assert_int_equal(world.wake_at, 33000);
	end_pool(pool);
}

static void
the_end_of_a_program_is_told_in_its_own_words(void **state)
{
	static const char words[] = "exited with status 3";
	struct pool *pool = resident_pool(1, 0, 0, 0);

	(void)state;
	see(pool, 0, 0, 1001);
	memcpy(pool->scoreboard->slots[0].text, words, sizeof(words));
	reap(pool, 0, WORKER_PROGRAM_ENDED << 8, 1100);
	assert_int_equal(pool->crashes, 1);
	assert_int_equal(pool->policy.failures, 1);
	assert_string_equal(pool->last_failure, "ended, its program exited with status 3");
	see(pool, 0, 0, 1200);
	reap(pool, 0, WORKER_LEFT << 8, 1300); /* of use, as its worker has found */
	assert_int_equal(pool->crashes, 1);
	assert_int_equal(pool_active(pool), 1);
	end_pool(pool);
}

static void
who_is_busy_is_at_most_who_is_there(void **state)
{
	struct pool *pool = resident_pool(3, 0, 0, 0);

	(void)state;
	see(pool, 2, 0, 5000);
	assert_int_equal(pool_busy(pool), 2);
	see(pool, 50, 0, 6000);
	assert_int_equal(pool_busy(pool), 3);
	see(pool, -1, 0, 7000);
	assert_int_equal(pool_busy(pool), 0);
	end_pool(pool);
}

static void
a_program_that_ends_before_it_was_seen_to_be_ready_is_no_crash(void **state)
{
	struct pool *pool = resident_pool(2, 0, 0, 0);

	(void)state;
	see(pool, 0, 0, 5000);
	reap(pool, 0, left, 5001);
	assert_int_equal(pool->slots[0].state, SLOT_STARTING);
	reap(pool, 0, left, 5002);
	assert_int_equal(pool->crashes, 0);
	reap(pool, 0, ended, 5003);
	assert_int_equal(pool->crashes, 1);
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_pool_watches_its_socket_and_has_no_timer),
		cmocka_unit_test(programs_with_a_connection_are_missed_as_spare_ones),
		cmocka_unit_test(
		    a_queue_that_idle_programs_are_about_to_take_starts_none_beside_the_spare_ones),
		cmocka_unit_test(
		    a_queue_that_nobody_takes_makes_the_pool_grow_whoever_seems_to_be_idle),
		cmocka_unit_test(
		    with_many_connections_each_only_a_queue_that_stands_makes_the_pool_grow),
		cmocka_unit_test(without_facts_from_the_kernel_it_is_the_same),
		cmocka_unit_test(a_program_that_leaves_has_a_connection_that_is_not_of_the_others),
		cmocka_unit_test(the_watch_is_armed_again_only_after_a_while),
		cmocka_unit_test(a_full_pool_is_watched_too_and_four_times_a_second),
		cmocka_unit_test(more_than_the_spare_ones_are_counted_until_they_go),
		cmocka_unit_test(the_least_used_go_and_none_that_has_a_connection),
		cmocka_unit_test(of_those_that_cannot_be_seen_only_who_has_done_nothing_goes),
		cmocka_unit_test(when_a_limit_is_lowered_the_idle_ones_go_first),
		cmocka_unit_test(a_trial_that_is_taken_back_may_finish_its_requests),
		cmocka_unit_test(the_end_of_a_program_is_told_in_its_own_words),
		cmocka_unit_test(who_is_busy_is_at_most_who_is_there),
		cmocka_unit_test(a_program_that_ends_before_it_was_seen_to_be_ready_is_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
