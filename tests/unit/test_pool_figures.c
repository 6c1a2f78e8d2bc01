/*
 * The figures of a pool over the life and death of its workers, and the sampling of its
 * history.
 */
#include "unit.h"

#include "fake_pool.h"
#include "pool_figures.h"
#include "pool_history.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Totals are by name, and the pools of all tests have the same. */
static struct figures before;

static struct pool *
pool_of(int64_t workers)
{
	struct pool *pool = new_pool(new_generation(new_listener(), workers, 0, 0, 0), 1000);

	memset(&pool->history, 0, sizeof(pool->history));
	pool_history_init(pool, 1000);
	totals_read(pool->figures.totals, &before);
	return pool;
}

static uint64_t
total(struct pool *pool, enum figure figure)
{
	struct figures sum;

	pool_figures_publish(pool, NULL);
	totals_read(pool->figures.totals, &sum);
	return sum.n[figure] - before.n[figure];
}

/* A request begins, and the master looks if the worker rings; returns whether it did. */
static bool
begin(struct pool *pool, size_t slot, int64_t now)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	bool rang =
	    scoreboard_begin(pool->scoreboard, slot, (struct sockaddr *)&peer, sizeof(peer), true);

	pool->scoreboard->slots[slot].since_ms = now;
	if (rang)
		pool_look(pool, now);
	return rang;
}

static void
finish(struct pool *pool, size_t slot, int64_t us)
{
	figures_count_duration(pool_figures_slot(pool, slot), us);
	scoreboard_change(pool->scoreboard, slot, ACTIVITY_IDLE);
}

static void
sample(struct pool *pool)
{
	int64_t now = world.sample_at;

	world.sample_at = 0;
	pool_sample(pool, now);
}

static void
assert_history(const struct pool *pool, int64_t now, const char *wanted)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	history_print(&pool->history.past, now, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void
what_a_worker_has_done_outlives_it(void **state)
{
	struct pool *pool = pool_of(3);

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		begin(pool, i, 2000);
		figures_count(pool_figures_slot(pool, i), FIGURE_BYTES_OUT, 100);
		finish(pool, i, 7000);
	}
	assert_int_equal(total(pool, FIGURE_REQUESTS), 3);
	for (int64_t now = 5000; now < 50000; now += 2000) {
		all_say(pool, ACTIVITY_IDLE);
		pool_look(pool, now);
		reap(pool, (size_t)now / 1000 % 3, killed, now + 1000);
	}
	assert_true(pool->crashes > 20);
	assert_int_equal(total(pool, FIGURE_REQUESTS), 3);
	assert_int_equal(total(pool, FIGURE_ACCEPTED), 3);
	assert_int_equal(total(pool, FIGURE_BYTES_OUT), 300);
	assert_int_equal(total(pool, FIGURE_DURATION_SUM), 21000);
	assert_int_equal(total(pool, FIGURE_DURATIONS + figures_bucket(7000)), 3);
	end_pool(pool);
}

static void
a_pool_that_comes_back_goes_on(void **state)
{
	struct pool *pool = pool_of(2);
	struct figures first = before;

	(void)state;
	begin(pool, 0, 2000);
	finish(pool, 0, 10);
	end_pool(pool); /* nobody has asked for its figures */
	pool = pool_of(2);
	before = first;
	assert_int_equal(total(pool, FIGURE_REQUESTS), 1);
	begin(pool, 0, 2000);
	assert_int_equal(total(pool, FIGURE_REQUESTS), 2);
	end_pool(pool);
}

static void
a_pool_that_ends_tells_what_is_left_at_each_death(void **state)
{
	struct pool *pool = pool_of(2);
	struct figures sum;

	(void)state;
	begin(pool, 0, 2000);
	pool_stop(pool, false, 3000);
	figures_count(pool_figures_slot(pool, 0), FIGURE_BYTES_IN, 55);
	reap(pool, 1, left, 4000);
	totals_read(pool->figures.totals, &sum); /* as another master would */
	assert_int_equal(sum.n[FIGURE_BYTES_IN] - before.n[FIGURE_BYTES_IN], 55);
	figures_count(pool_figures_slot(pool, 0), FIGURE_BYTES_IN, 11);
	reap(pool, 0, left, 5000);
	totals_read(pool->figures.totals, &sum);
	assert_int_equal(sum.n[FIGURE_BYTES_IN] - before.n[FIGURE_BYTES_IN], 66);
	assert_int_equal(sum.n[FIGURE_REQUESTS] - before.n[FIGURE_REQUESTS], 1);
	end_pool(pool);
}

static void
a_worker_that_lies_takes_nothing_away(void **state)
{
	struct pool *pool = pool_of(2);

	(void)state;
	figures_count(pool_figures_slot(pool, 0), FIGURE_BYTES_IN, 1000);
	assert_int_equal(total(pool, FIGURE_BYTES_IN), 1000);
	figures_clear(pool_figures_slot(pool, 0));
	assert_int_equal(total(pool, FIGURE_BYTES_IN), 1000);
	end_pool(pool);
}

static void
deaths_are_told_apart(void **state)
{
	struct pool *pool = pool_of(4);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		pool->scoreboard->slots[i].requests = 1;
	reap(pool, 0, SIGSEGV, 5000);
	reap(pool, 1, 3 << 8, 5000);
	reap(pool, 2, left, 5000); /* in order, and had been of use */
	reap(pool, 1, cannot_start, 5001);
	reap(pool, 0, SIGSEGV, 5001); /* before it was ready */
	assert_int_equal(total(pool, FIGURE_DIED_SIGNAL), 1);
	assert_int_equal(total(pool, FIGURE_DIED_EXIT), 1);
	assert_int_equal(total(pool, FIGURE_DIED_BOOT), 2);
	assert_int_equal(total(pool, FIGURE_DIED_OOM), 0);
	assert_int_equal(total(pool, FIGURE_CRASHES), 4);
	assert_int_equal(total(pool, FIGURE_CRASHES), pool->crashes);
	assert_int_equal(total(pool, FIGURE_RESPAWNS), pool->respawns);
	end_pool(pool);
}

static void
there_are_figures_for_any_number_of_workers(void **state)
{
	struct pool *pool = pool_of(200);

	(void)state;
	for (size_t i = 0; i < 200; i++)
		figures_count(pool_figures_slot(pool, i), FIGURE_BYTES_IN, 1);
	assert_int_equal(total(pool, FIGURE_BYTES_IN), 200);
	end_pool(pool);
}

/* ---- the history ---- */

static void
who_begins_first_wakes_the_history_and_it_rests_again(void **state)
{
	struct pool *pool = pool_of(4);

	(void)state;
	pool_look(pool, 2000);
	assert_int_equal(world.sample_at, 0);
	assert_true(begin(pool, 0, 23000));
	assert_int_equal(world.sample_at, 30000);
	finish(pool, 0, 2000000);
	assert_false(begin(pool, 1, 25000));
	finish(pool, 1, 2000000);
	sample(pool);
	assert_int_equal(world.sample_at, 0);
	assert_history(pool, 30000, "0;0,0,0;0,0,0;1,0,2");
	pool_look(pool, 40000);
	assert_int_equal(world.sample_at, 0);
	assert_true(begin(pool, 2, 55000));
	assert_int_equal(world.sample_at, 60000);
	end_pool(pool);
}

/* A timer may be early: it is set by the time at which the loop woke. */
static void
who_is_looked_at_too_early_does_not_rest_untold(void **state)
{
	struct pool *pool = pool_of(4);

	(void)state;
	begin(pool, 0, 3000);
	finish(pool, 0, 1000);
	world.sample_at = 0;
	pool_sample(pool, 9990);
	assert_int_equal(world.sample_at, 10000);
	sample(pool);
	assert_int_equal(world.sample_at, 0);
	assert_history(pool, 10000, "0;1,0,1");
	end_pool(pool);
}

static void
nonsense_makes_nobody_busier_than_all(void **state)
{
	const int64_t nonsense[] = { INT64_MIN, INT64_MAX, -1, 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		struct pool *pool = pool_of(4);

		begin(pool, 0, 2000);
		pool->scoreboard->slots[0].since_ms = nonsense[i];
		pool_figures_slot(pool, 1)->n[FIGURE_DURATION_SUM] = (uint64_t)nonsense[i];
		sample(pool);
		assert_in_range(pool->history.past.steps[0].busy, 0, 4);
		sample(pool);
		assert_in_range(pool->history.past.steps[1].busy, 0, 4);
		end_pool(pool);
	}
}

static void
as_long_as_somebody_is_busy_it_is_sampled(void **state)
{
	struct pool *pool = pool_of(4);

	(void)state;
	begin(pool, 0, 0);
	begin(pool, 1, 5000);
	world.queue = 3;
	sample(pool);
	assert_int_equal(world.sample_at, 20000);
	world.queue = 0;
	assert_history(pool, 10000, "0;2,3,2"); /* 1.5 on the average */
	for (int64_t end = 20000; end < 100000; end += 10000) {
		sample(pool);
		assert_int_equal(world.sample_at, end + 10000);
	}
	finish(pool, 0, 95000000);
	finish(pool, 1, 90000000);
	assert_int_equal(world.sample_at, 100000);
	sample(pool);
	assert_int_equal(world.sample_at, 0);
	assert_history(pool, 115000,
		       "5;2,3,2;2,0,0;2,0,0;2,0,0;2,0,0;2,0,0;2,0,0;2,0,0;2,0,0;1,0,0;0,0,0");
	end_pool(pool);
}

static void
the_longest_queue_is_that_of_any_look_while_nobody_is_idle(void **state)
{
	struct pool *pool = pool_of(2);

	(void)state;
	begin(pool, 0, 1000);
	world.queue = 9; /* on their way to the other one */
	pool_look(pool, 1001);
	begin(pool, 1, 1002);
	world.queue = 5;
	pool_look(pool, 1003);
	world.queue = 2;
	pool_look(pool, 1004);
	sample(pool);
	assert_history(pool, 10000, "0;2,5,2");
	sample(pool);
	assert_history(pool, 20000, "0;2,5,2;2,2,0");
	end_pool(pool);
}

static void
the_limits_have_an_alarm_of_their_own(void **state)
{
	struct pool *pool = pool_of(4);

	(void)state;
	pool->current->conf->request_timeout = 60000;
	pool_look(pool, 1000);
	assert_int_equal(pool->scoreboard->alarm, ALARM_LIMITS | ALARM_HISTORY);
	assert_true(begin(pool, 0, 2000));
	assert_int_equal(pool->scoreboard->alarm, 0);
	finish(pool, 0, 10);
	sample(pool);
	assert_int_equal(pool->scoreboard->alarm, ALARM_HISTORY);
	assert_true(begin(pool, 0, 12000)); /* rings the one and both know */
	assert_int_equal(world.sample_at, 20000);
	assert_int_equal(world.wake_at, 62000);
	finish(pool, 0, 10);
	end_pool(pool);
}

static void
nonsense_of_workers_stays_within_bounds(void **state)
{
	struct pool *pool = pool_of(3);

	(void)state;
	begin(pool, 0, 2000);
	pool->scoreboard->slots[0].since_ms = INT64_MIN / 4000;
	figures_count(pool_figures_slot(pool, 0), FIGURE_DURATION_SUM, UINT64_C(1) << 50);
	sample(pool);
	assert_history(pool, 10000, "0;3,0,1");
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_worker_has_done_outlives_it),
		cmocka_unit_test(a_pool_that_comes_back_goes_on),
		cmocka_unit_test(a_pool_that_ends_tells_what_is_left_at_each_death),
		cmocka_unit_test(a_worker_that_lies_takes_nothing_away),
		cmocka_unit_test(deaths_are_told_apart),
		cmocka_unit_test(there_are_figures_for_any_number_of_workers),
		cmocka_unit_test(who_begins_first_wakes_the_history_and_it_rests_again),
		cmocka_unit_test(who_is_looked_at_too_early_does_not_rest_untold),
		cmocka_unit_test(nonsense_makes_nobody_busier_than_all),
		cmocka_unit_test(as_long_as_somebody_is_busy_it_is_sampled),
		cmocka_unit_test(the_longest_queue_is_that_of_any_look_while_nobody_is_idle),
		cmocka_unit_test(the_limits_have_an_alarm_of_their_own),
		cmocka_unit_test(nonsense_of_workers_stays_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
