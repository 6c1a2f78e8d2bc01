/*
 * The policy by itself: single decisions.
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
an_on_demand_pool_is_watched_again_after_its_back_off(void **state)
{
	struct policy_state s = { 0 };
	struct policy_census c = { 0 };
	struct policy_plan plan;

	(void)state;
	for (int i = 0; i < 10; i++)
		policy_died(&s, POLICY_OF_NO_USE, 1000, 1000);
	plan = look(&on_demand, c, &s, 1000);
	assert_false(plan.watch);
	assert_int_equal(plan.look_at, 2000);
	assert_true(look(&on_demand, c, &s, 2000).watch);
	c.queue = 7;
	plan = look(&on_demand, c, &s, 2001);
	assert_int_equal(plan.start, 1);
	assert_false(plan.watch);
	policy_ready(&s, 2002);
	c = (struct policy_census){ .busy = 1, .queue = 6 };
	plan = look(&on_demand, c, &s, 2002);
	assert_int_equal(plan.start, 0);
	assert_false(plan.watch); /* it would be readable over and over */
	assert_int_equal(plan.look_at, s.proof_at);
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

static void
at_the_limit_the_bell_tells_when_nobody_is_idle(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 20, .busy = 130, .low = 0 };
	struct policy_plan plan = look(&dynamic, c, &s, 1000);

	(void)state;
	assert_int_equal(plan.ring_below, 1);
	assert_false(plan.watch);
	assert_false(plan.saturated);
	c.idle = 1;
	c.busy = 149;
	plan = look(&dynamic, c, &s, 5000);
	assert_int_equal(plan.ring_below, 1);
	assert_int_equal(plan.look_at, 0);
}

static void
at_the_limit_with_nobody_idle_the_socket_is_watched(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 50 };
	struct policy_plan plan = look(&fixed, c, &s, 1000);

	(void)state;
	assert_true(plan.watch);
	assert_false(plan.saturated);
	assert_int_equal(plan.ring_below, 0);
	assert_int_equal(plan.look_at, 0);
	c.starting = 1;
	c.busy = 49;
	assert_false(look(&fixed, c, &s, 2000).watch); /* it will ring */
	c.idle = 9;
	c.busy = 40;
	assert_int_equal(look(&fixed, c, &s, 3000).ring_below, 0);
}

static void
at_the_limit_bell_and_watch_are_armed_four_times_a_second(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 50 };
	int armed = 0;

	(void)state;
	for (int64_t now = 1000; now < 11000; now += 10) {
		struct policy_plan plan;

		c.idle = now / 10 % 2;
		c.busy = 50 - c.idle;
		plan = look(&fixed, c, &s, now);
		if (plan.watch || plan.ring_below > 0) {
			assert_int_equal(plan.look_at, 0);
			assert_true(plan.watch != (plan.ring_below > 0));
			armed++;
		} else {
			assert_in_range(plan.look_at, now + 1, now + 250);
		}
	}
	assert_in_range(armed, 39, 41);
}

/* The pool looks twice if the bell has come to ring for more. */
static void
a_second_look_at_the_same_time_arms_alike(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 50 };

	(void)state;
	assert_int_equal(look(&fixed, c, &s, 1000).ring_below, 1);
	assert_int_equal(look(&fixed, c, &s, 1000).ring_below, 1);
	assert_int_equal(look(&fixed, c, &s, 1001).ring_below, 0);
	assert_int_equal(look(&fixed, c, &s, 1001).look_at, 1250);
}

/* A queue that nobody has taken from yet would tell over and over. */
static void
what_tells_is_armed_again_soon_and_then_less_often(void **state)
{
	const struct policy_limits unseen = {
		.min_spare = 5, .max_spare = 10, .max = 150, .spare_timeout = 10000, .unseen = true
	};
	struct policy_census c = { .idle = 5, .starting = 1, .queue = 1 };
	struct policy_state s = proven(1000);
	int64_t now = 1000;
	int armed = 0;

	(void)state;
	for (; now < 2000; armed++) {
		assert_true(look(&unseen, c, &s, now).watch);
		assert_true(look(&unseen, c, &s, now).watch);
		policy_told(&s, now);
		assert_false(look(&unseen, c, &s, now).watch);
		now = look(&unseen, c, &s, now).look_at;
		if (armed == 0)
			assert_int_equal(now, 1001);
		if (armed == 3)
			assert_in_range(now, 1010, 1050);
	}
	assert_in_range(armed, 22, 27);
	now += 1000; /* nobody comes; then somebody does */
	policy_told(&s, now);
	assert_true(look(&unseen, c, &s, now).watch);
	policy_told(&s, now);
	assert_int_equal(look(&unseen, c, &s, now).look_at, now + 1);
}

static void
what_armed_the_bell_and_stays_quiet_is_not_looked_at_again(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .idle = 1, .busy = 49 };
	int64_t now = 1000;

	(void)state;
	assert_int_equal(look(&fixed, c, &s, now).look_at, 0);
	now = look(&fixed, c, &s, 1100).look_at;
	assert_int_equal(now, 1250);
	assert_int_equal(look(&fixed, c, &s, now).look_at, 0);
}

static void
a_saturated_pool_is_looked_at_once_a_second(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 50, .queue = 1 };
	struct policy_plan plan = look(&fixed, c, &s, 1000);

	(void)state;
	assert_true(plan.saturated);
	assert_false(plan.watch);
	assert_int_equal(plan.look_at, 2000);
	c.queue = 0;
	plan = look(&fixed, c, &s, 2000);
	assert_false(plan.saturated);
	assert_true(plan.watch);
	assert_int_equal(plan.look_at, 0);
}

static void
a_pool_for_which_there_is_no_room_is_saturated_too(void **state)
{
	struct policy_state s = proven(1000);
	struct policy_census c = { .busy = 5, .queue = 3, .room = -1 };
	struct policy_plan plan = look(&dynamic, c, &s, 1000);

	(void)state;
	assert_int_equal(plan.start, 0);
	assert_true(plan.saturated);
	assert_true(plan.starved);
	c.room = 2;
	plan = look(&dynamic, c, &s, 1000);
	assert_int_equal(plan.start, 2);
	assert_false(plan.saturated); /* they will take on who waits */
}

static void
a_tenth_may_be_due_but_one_always(void **state)
{
	static const struct {
		int total, max;
	} rows[] = { { 0, 1 },  { 1, 1 },  { 4, 1 },  { 10, 1 },   { 19, 1 },
		     { 20, 2 }, { 29, 2 }, { 30, 3 }, { 150, 15 }, { 65536, 6553 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(policy_due_max(rows[i].total), rows[i].max);
}

static void
of_those_that_are_due_as_many_leave_as_are_not_missed(void **state)
{
	/* The census is without those that are due: 45 of 50 and 5 that are due. */
	struct policy_census c = { .idle = 40, .busy = 5 };

	(void)state;
	assert_int_equal(policy_due_leave(&fixed, &c, 5), 0);
	c.starting = 5;
	assert_int_equal(policy_due_leave(&fixed, &c, 5), 0);
	c.starting = 3;
	c.idle = 42;
	assert_int_equal(policy_due_leave(&fixed, &c, 5), 2);
	c.starting = 0;
	c.idle = 45;
	assert_int_equal(policy_due_leave(&fixed, &c, 5), 5);
	assert_int_equal(policy_due_leave(&fixed, &c, 0), 0);
}

static void
in_a_dynamic_pool_those_that_wait_for_a_worker_keep_the_due_ones(void **state)
{
	struct policy_census c = { .idle = 8, .busy = 20 };

	(void)state;
	assert_int_equal(policy_due_leave(&dynamic, &c, 2), 2);
	c.idle = 4; /* one less than min_spare */
	assert_int_equal(policy_due_leave(&dynamic, &c, 2), 1);
	c.queue = 1;
	assert_int_equal(policy_due_leave(&dynamic, &c, 2), 0);
	c.queue = 100;
	assert_int_equal(policy_due_leave(&dynamic, &c, 2), 0);
	c = (struct policy_census){ .busy = 149, .queue = 100 }; /* max forbids more than one */
	assert_int_equal(policy_due_leave(&dynamic, &c, 2), 1);
}

static void
a_pool_wants_more_by_need_whatever_hinders_it(void **state)
{
	struct policy_census c = { .busy = 49, .room = -5 };

	(void)state;
	assert_true(policy_wants_more(&fixed, &c));
	c.starting = 1;
	assert_false(policy_wants_more(&fixed, &c));
	c = (struct policy_census){ .idle = 4 };
	assert_true(policy_wants_more(&dynamic, &c));
	c.idle = 5;
	assert_false(policy_wants_more(&dynamic, &c));
	c = (struct policy_census){ .busy = 150, .queue = 9 };
	assert_false(policy_wants_more(&dynamic, &c));
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
		cmocka_unit_test(an_on_demand_pool_is_watched_again_after_its_back_off),
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
		cmocka_unit_test(at_the_limit_the_bell_tells_when_nobody_is_idle),
		cmocka_unit_test(at_the_limit_with_nobody_idle_the_socket_is_watched),
		cmocka_unit_test(at_the_limit_bell_and_watch_are_armed_four_times_a_second),
		cmocka_unit_test(a_second_look_at_the_same_time_arms_alike),
		cmocka_unit_test(what_tells_is_armed_again_soon_and_then_less_often),
		cmocka_unit_test(what_armed_the_bell_and_stays_quiet_is_not_looked_at_again),
		cmocka_unit_test(a_saturated_pool_is_looked_at_once_a_second),
		cmocka_unit_test(a_pool_for_which_there_is_no_room_is_saturated_too),
		cmocka_unit_test(a_tenth_may_be_due_but_one_always),
		cmocka_unit_test(of_those_that_are_due_as_many_leave_as_are_not_missed),
		cmocka_unit_test(in_a_dynamic_pool_those_that_wait_for_a_worker_keep_the_due_ones),
		cmocka_unit_test(a_pool_wants_more_by_need_whatever_hinders_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
