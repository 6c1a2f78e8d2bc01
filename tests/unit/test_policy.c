/*
 * The policy by itself: single decisions, then hours of simulated load.
 */
#include "unit.h"

#include "policy.h"
#include "util.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const struct policy_limits dynamic = {
	.min_spare = 5, .max_spare = 10, .max = 150, .spare_timeout = 10000
};
static const struct policy_limits fixed = { .fixed = true, .max = 50 };
static const struct policy_limits on_demand = { .max = 150, .spare_timeout = 10000 };

/* A state in which workers have just proven that they can start. */
static struct policy_state
proven(int64_t now)
{
	struct policy_state state = { 0 };

	policy_ready(&state, now);
	return state;
}

static struct policy_plan
look(const struct policy_limits *l, struct policy_census c, struct policy_state *s, int64_t now)
{
	struct policy_plan plan;

	if (c.room == 0)
		c.room = 1000;
	policy_look(l, &c, s, now, &plan);
	return plan;
}

static void
the_whole_deficit_and_the_queue_are_started_at_once(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 5, .queue = 100 };

	(void)state;
	assert_int_equal(look(&dynamic, c, &s, 1000).start, 105);
}

static void
starting_workers_count_as_coming(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 5, .starting = 5 };

	(void)state;
	assert_int_equal(look(&dynamic, c, &s, 1000).start, 0);
}

static void
ten_prove_themselves_before_the_rest_starts(void **state)
{
	struct policy_state s = { 0 };
	struct policy_census c = { 0 };

	(void)state;
	assert_int_equal(look(&fixed, c, &s, 1000).start, 10);
	c.starting = 10;
	assert_int_equal(look(&fixed, c, &s, 1000).start, 0);
	c = (struct policy_census){ .starting = 9, .idle = 1 };
	policy_ready(&s, 1001);
	assert_int_equal(look(&fixed, c, &s, 1001).start, 40);
}

static void
limits_hold(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 149, .queue = 500 };

	(void)state;
	assert_int_equal(look(&dynamic, c, &s, 1000).start, 1);
	c.busy = 20;
	c.room = 3;
	assert_int_equal(look(&dynamic, c, &s, 1000).start, 3);
	c.busy = 160;
	assert_int_equal(look(&dynamic, c, &s, 1000).start, 0);
	assert_int_equal(look(&dynamic, c, &s, 1000).retire, 10);
}

static void
at_the_limit_the_bell_is_off_and_the_pool_is_saturated(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 150, .queue = 7 };
	struct policy_plan plan = look(&dynamic, c, &s, 1000);

	(void)state;
	assert_int_equal(plan.ring_below, 0);
	assert_true(plan.saturated);
	assert_false(plan.watch);
}

static void
an_empty_on_demand_pool_is_watched_and_grows_by_its_queue(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { 0 };
	struct policy_plan plan = look(&on_demand, c, &s, 1000);

	(void)state;
	assert_true(plan.watch);
	assert_int_equal(plan.start, 0);
	c.queue = 3;
	plan = look(&on_demand, c, &s, 1000);
	assert_int_equal(plan.start, 3);
	assert_false(plan.watch);
	assert_int_equal(plan.ring_below, 1);
}

static void
what_stayed_idle_all_the_time_goes_in_one_step(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 100, .low = INT_MAX };
	struct policy_plan plan = look(&dynamic, c, &s, 1000);

	(void)state;
	assert_int_equal(plan.retire, 0);
	assert_true(plan.reset_low);
	assert_int_equal(plan.look_at, 11000);
	assert_int_equal(plan.ring_above, INT_MAX);
	c.low = 40; /* sixty were needed now and then */
	plan = look(&dynamic, c, &s, 11000);
	assert_int_equal(plan.retire, 30);
	assert_int_equal(plan.look_at, 21000);
}

static void
a_worker_for_whom_a_client_waits_is_no_surplus(void **state)
{
	struct policy_limits at_once = { .max = 150, .spare_timeout = 0 };
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 1, .queue = 1 };

	(void)state;
	assert_int_equal(look(&at_once, c, &s, 1000).retire, 0);
	c.queue = 0;
	assert_int_equal(look(&at_once, c, &s, 1000).retire, 1);
}

static void
no_timer_runs_without_surplus(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 10, .low = 0 };
	struct policy_plan plan = look(&dynamic, c, &s, 1000);

	(void)state;
	assert_int_equal(plan.look_at, 0);
	assert_int_equal(plan.ring_above, 10);
	assert_int_equal(plan.ring_below, 5);
}

static void
fork_failures_back_off_and_are_forgotten(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 5 };
	struct policy_plan plan;

	(void)state;
	policy_fork_failed(&s, 1000);
	plan = look(&dynamic, c, &s, 1050);
	assert_int_equal(plan.start, 0);
	assert_int_equal(plan.look_at, 1100);
	assert_int_equal(look(&dynamic, c, &s, 1100).start, 5);
	policy_fork_failed(&s, 1100);
	assert_int_equal(look(&dynamic, c, &s, 1250).start, 0);
	policy_forked(&s);
	policy_fork_failed(&s, 2000);
	assert_int_equal(look(&dynamic, c, &s, 2100).start, 5);
}

/* A pool whose workers die at once: counts the forks until a time. */
static int
forks_of_a_crash_loop(struct policy_state *s, bool ready_first, int64_t from, int64_t until,
		      int64_t *gap)
{
	int64_t last = from;
	int forks = 0;

	*gap = 0;
	for (int64_t now = from; now < until; now++) {
		struct policy_census c = { 0 };
		struct policy_plan plan = look(&dynamic, c, s, now);

		for (int i = 0; i < plan.start; i++) {
			if (ready_first)
				policy_ready(s, now);
			policy_died(s, ready_first ? POLICY_OF_NO_USE : POLICY_NEVER_READY, now,
				    now);
		}
		if (plan.start > 0 && now - last > *gap)
			*gap = now - last;
		if (plan.start > 0)
			last = now;
		forks += plan.start;
	}
	return forks;
}

static void
a_crash_loop_is_ten_forks_then_ever_fewer(void **state)
{
	(void)state;
	for (int ready_first = 0; ready_first < 2; ready_first++) {
		struct policy_state s = { 0 };
		int64_t gap;

		assert_int_equal(forks_of_a_crash_loop(&s, ready_first, 1, 1000, &gap), 10);
		/* 1, 2, 4, 8, 16, 30, 30 ... seconds apart */
		assert_in_range(forks_of_a_crash_loop(&s, ready_first, 1000, 3600000, &gap), 110,
				130);
		assert_in_range(gap, 29999, 31001);
	}
}

static void
after_a_repair_and_a_reload_the_pool_is_whole_at_once(void **state)
{
	struct policy_state s = { 0 };
	struct policy_census c = { 0 };
	int64_t gap;

	(void)state;
	forks_of_a_crash_loop(&s, false, 1, 100000, &gap);
	assert_int_equal(look(&dynamic, c, &s, 100000).start, 0);
	policy_forgive(&s);
	assert_int_equal(look(&dynamic, c, &s, 100000).start, 5);
}

static void
a_worker_that_lives_ends_the_back_off_by_itself(void **state)
{
	struct policy_state s = { 0 };
	struct policy_census c = { 0 };
	struct policy_plan plan;
	int64_t gap, now;

	(void)state;
	forks_of_a_crash_loop(&s, true, 1, 100000, &gap);
	now = s.next_try;
	assert_int_equal(look(&dynamic, c, &s, now).start, 1);
	policy_ready(&s, now);
	c.idle = 1;
	plan = look(&dynamic, c, &s, now + 1);
	assert_int_equal(plan.start, 0);
	assert_int_equal(plan.look_at, now + POLICY_OF_USE_MS);
	assert_int_equal(look(&dynamic, c, &s, now + POLICY_OF_USE_MS).start, 4);
}

static void
deaths_from_outside_and_of_old_workers_end_no_back_off(void **state)
{
	struct policy_state s = { 0 };
	int64_t gap;
	int failures;

	(void)state;
	forks_of_a_crash_loop(&s, false, 1000, 100000, &gap);
	failures = s.failures;
	policy_died(&s, POLICY_FROM_OUTSIDE, 99999, 100000);
	policy_died(&s, POLICY_OF_USE, 500, 100000);
	assert_int_equal(s.failures, failures);
	policy_died(&s, POLICY_OF_USE, 100001, 102000);
	assert_int_equal(s.failures, 0);
}

static void
the_ladder_is_drain_then_term_then_kill(void **state)
{
	int64_t next;

	(void)state;
	assert_int_equal(policy_step(30000, 0, &next), POLICY_STEP_DRAIN);
	assert_int_equal(next, 30000);
	assert_int_equal(policy_step(30000, 30000, &next), POLICY_STEP_TERM);
	assert_int_equal(next, 35000);
	assert_int_equal(policy_step(30000, 35000, &next), POLICY_STEP_KILL);
	assert_int_equal(next, 0);
	assert_int_equal(policy_step(0, 0, &next), POLICY_STEP_TERM);
}

/* ---- hours of load: requests of 100 ms arrive by a pattern ---- */

struct simulation {
	struct policy_state state;
	int starting, idle, busy, queue, low;
	int64_t done_at[4000]; /* when each busy worker is done */
	int forks, retired, most, longest_queue;
	int64_t look_at;
};

static void
simulate_look(struct simulation *sim, const struct policy_limits *l, int64_t now)
{
	struct policy_census c = { .starting = sim->starting,
				   .idle = sim->idle,
				   .busy = sim->busy,
				   .queue = sim->queue,
				   .low = sim->low,
				   .room = 1000 };
	struct policy_plan plan;

	policy_look(l, &c, &sim->state, now, &plan);
	sim->starting += plan.start;
	sim->forks += plan.start;
	sim->idle -= plan.retire;
	sim->retired += plan.retire;
	assert_true(sim->idle >= 0);
	assert_true(sim->starting + sim->idle + sim->busy <= l->max);
	if (plan.reset_low)
		sim->low = sim->idle;
	sim->look_at = plan.look_at;
}

/* One millisecond: those who started are ready, those who are done are idle, the queue moves. */
static void
simulate_step(struct simulation *sim, const struct policy_limits *l, int arrivals, int64_t now)
{
	bool changed = arrivals > 0 || sim->starting > 0 || (sim->look_at && now >= sim->look_at);

	if (sim->starting > 0)
		policy_ready(&sim->state, now);
	sim->idle += sim->starting;
	sim->starting = 0;
	for (int i = 0; i < sim->busy;) {
		if (sim->done_at[i] > now) {
			i++;
			continue;
		}
		sim->done_at[i] = sim->done_at[--sim->busy];
		sim->idle++;
		changed = true;
	}
	sim->queue += arrivals;
	while (sim->queue > 0 && sim->idle > 0) {
		sim->queue--;
		sim->idle--;
		sim->done_at[sim->busy++] = now + 100;
	}
	if (sim->idle < sim->low)
		sim->low = sim->idle;
	if (sim->queue > sim->longest_queue)
		sim->longest_queue = sim->queue;
	if (changed)
		simulate_look(sim, l, now);
	if (sim->idle + sim->busy + sim->starting > sim->most)
		sim->most = sim->idle + sim->busy + sim->starting;
}

static void
a_steady_load_neither_grows_nor_shrinks_the_pool(void **state)
{
	struct simulation sim = { .low = INT_MAX };

	(void)state;
	for (int64_t now = 1; now < 60000; now++)
		simulate_step(&sim, &dynamic, now % 5 == 0, now);
	sim.forks = sim.retired = 0;
	for (int64_t now = 60000; now < 3600000; now++)
		simulate_step(&sim, &dynamic, now % 5 == 0, now);
	assert_int_equal(sim.forks, 0);
	assert_int_equal(sim.retired, 0);
	assert_in_range(sim.most, 25, 31);
}

static void
a_saw_tooth_faster_than_spare_timeout_does_not_swing_the_pool(void **state)
{
	struct simulation sim = { .low = INT_MAX };

	(void)state;
	for (int64_t now = 1; now < 60000; now++)
		simulate_step(&sim, &dynamic, now % 5000 < 1000, now);
	sim.forks = sim.retired = 0;
	for (int64_t now = 60000; now < 1800000; now++)
		simulate_step(&sim, &dynamic, now % 5000 < 1000, now);
	assert_int_equal(sim.forks, 0);
	assert_int_equal(sim.retired, 0);
}

static void
a_burst_is_served_and_then_given_back(void **state)
{
	struct simulation sim = { .low = INT_MAX };

	(void)state;
	for (int64_t now = 1; now < 1000; now++)
		simulate_step(&sim, &dynamic, 0, now);
	simulate_step(&sim, &dynamic, 140, 1000);
	for (int64_t now = 1001; now < 1005; now++)
		simulate_step(&sim, &dynamic, 0, now);
	assert_int_equal(sim.queue, 0);
	for (int64_t now = 1005; now < 60000; now++)
		simulate_step(&sim, &dynamic, 0, now);
	assert_int_equal(sim.idle, 10);
	assert_int_equal(sim.look_at, 0);
}

static void
an_on_demand_pool_returns_to_nothing(void **state)
{
	struct simulation sim = { .low = INT_MAX };

	(void)state;
	simulate_step(&sim, &on_demand, 100, 1);
	for (int64_t now = 2; now < 60000; now++)
		simulate_step(&sim, &on_demand, 0, now);
	assert_int_equal(sim.idle + sim.busy + sim.queue, 0);
	assert_int_equal(sim.look_at, 0);
}

static void
random_load_keeps_every_limit(void **state)
{
	struct simulation sim = { .low = INT_MAX };
	unsigned seed = 42;

	(void)state;
	for (int64_t now = 1; now < 3600000; now++) {
		int arrivals = rand_r(&seed) % 1000 == 0 ? rand_r(&seed) % 300 : rand_r(&seed) % 3;

		simulate_step(&sim, &dynamic, now / 60000 % 2 ? arrivals : 0, now);
	}
	assert_true(sim.most <= dynamic.max);
	assert_true(sim.forks > 0 && sim.retired > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_deficit_and_the_queue_are_started_at_once),
		cmocka_unit_test(starting_workers_count_as_coming),
		cmocka_unit_test(ten_prove_themselves_before_the_rest_starts),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(at_the_limit_the_bell_is_off_and_the_pool_is_saturated),
		cmocka_unit_test(an_empty_on_demand_pool_is_watched_and_grows_by_its_queue),
		cmocka_unit_test(what_stayed_idle_all_the_time_goes_in_one_step),
		cmocka_unit_test(a_worker_for_whom_a_client_waits_is_no_surplus),
		cmocka_unit_test(no_timer_runs_without_surplus),
		cmocka_unit_test(fork_failures_back_off_and_are_forgotten),
		cmocka_unit_test(a_crash_loop_is_ten_forks_then_ever_fewer),
		cmocka_unit_test(after_a_repair_and_a_reload_the_pool_is_whole_at_once),
		cmocka_unit_test(a_worker_that_lives_ends_the_back_off_by_itself),
		cmocka_unit_test(deaths_from_outside_and_of_old_workers_end_no_back_off),
		cmocka_unit_test(the_ladder_is_drain_then_term_then_kill),
		cmocka_unit_test(a_steady_load_neither_grows_nor_shrinks_the_pool),
		cmocka_unit_test(a_saw_tooth_faster_than_spare_timeout_does_not_swing_the_pool),
		cmocka_unit_test(a_burst_is_served_and_then_given_back),
		cmocka_unit_test(an_on_demand_pool_returns_to_nothing),
		cmocka_unit_test(random_load_keeps_every_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
