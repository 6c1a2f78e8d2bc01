/*
 * The policy in hours of simulated load: requests of 100 ms arrive by a pattern.
 */
#include "unit.h"

#include "policy.h"
#include "util.h"

#include <limits.h>
#include <stdlib.h>

static const struct policy_limits dynamic = {
	.min_spare = 5, .max_spare = 10, .max = 150, .spare_timeout = 10000
};
static const struct policy_limits fixed = { .fixed = true, .max = 50 };
static const struct policy_limits on_demand = { .max = 150, .spare_timeout = 10000 };

struct simulation {
	struct policy_state state;
	int starting, idle, busy, queue, low;
	int due;               /* beside those, idle, until they leave */
	int64_t done_at[4000]; /* when each busy worker is done */
	int forks, retired, most, longest_queue;
	int looks, least_ready; /* those that accept */
	bool sick;              /* new ones die before they are ready */
	bool saturated;
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
	int leave;

	policy_look(l, &c, &sim->state, now, &plan);
	leave = policy_due_leave(l, &c, sim->due);
	assert_in_range(leave, 0, sim->due);
	sim->starting += plan.start;
	sim->forks += plan.start;
	sim->idle -= plan.retire;
	sim->retired += plan.retire;
	sim->due -= leave;
	assert_true(sim->idle >= 0);
	assert_true(sim->starting + sim->idle + sim->busy <= l->max);
	assert_true(plan.look_at == 0 || plan.look_at > now);
	if (plan.reset_low)
		sim->low = sim->idle;
	sim->look_at = plan.look_at;
	sim->saturated = plan.saturated;
	sim->looks++;
}

/* Those who started are ready, or dead. */
static void
simulate_starts(struct simulation *sim, int64_t now)
{
	for (; sim->starting > 0; sim->starting--) {
		if (sim->sick) {
			policy_died(&sim->state, POLICY_NEVER_READY, now, now);
			continue;
		}
		policy_ready(&sim->state, now);
		sim->idle++;
	}
}

/* One millisecond: those who are done are idle, the queue moves, the master looks. */
static void
simulate_step(struct simulation *sim, const struct policy_limits *l, int arrivals, int64_t now)
{
	bool changed = arrivals > 0 || sim->starting > 0 || (sim->look_at && now >= sim->look_at);

	simulate_starts(sim, now);
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
	sim->low = (int)util_min(sim->low, sim->idle);
	sim->longest_queue = (int)util_max(sim->longest_queue, sim->queue);
	if (changed)
		simulate_look(sim, l, now);
	sim->most = (int)util_max(sim->most, sim->idle + sim->busy + sim->starting + sim->due);
	sim->least_ready = (int)util_min(sim->least_ready, sim->idle + sim->busy + sim->due);
}

/* Nothing comes any more: after a minute nothing is to be done, and no timer runs. */
static void
comes_to_rest(struct simulation *sim, const struct policy_limits *l, int64_t now)
{
	for (int64_t end = now + 60000; now < end; now++)
		simulate_step(sim, l, 0, now);
	assert_int_equal(sim->look_at, 0);
	assert_int_equal(sim->queue + sim->busy + sim->starting + sim->due, 0);
	assert_false(sim->saturated);
	sim->looks = 0;
	for (int64_t end = now + 600000; now < end; now++)
		simulate_step(sim, l, 0, now);
	assert_int_equal(sim->looks, 0);
}

static void
a_steady_load_neither_grows_nor_shrinks_the_pool(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };

	(void)state;
	for (int64_t now = 1; now < 60000; now++)
		simulate_step(&sim, &dynamic, now % 5 == 0, now);
	sim.forks = sim.retired = 0;
	for (int64_t now = 60000; now < 3600000; now++)
		simulate_step(&sim, &dynamic, now % 5 == 0, now);
	assert_int_equal(sim.forks, 0);
	assert_int_equal(sim.retired, 0);
	assert_in_range(sim.most, 25, 31);
	comes_to_rest(&sim, &dynamic, 3600000);
}

static void
a_saw_tooth_faster_than_spare_timeout_does_not_swing_the_pool(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };

	(void)state;
	for (int64_t now = 1; now < 60000; now++)
		simulate_step(&sim, &dynamic, now % 5000 < 1000, now);
	sim.forks = sim.retired = 0;
	for (int64_t now = 60000; now < 1800000; now++)
		simulate_step(&sim, &dynamic, now % 5000 < 1000, now);
	assert_int_equal(sim.forks, 0);
	assert_int_equal(sim.retired, 0);
	comes_to_rest(&sim, &dynamic, 1800000);
}

/* One swing a tooth, up and down, and no more. */
static void
a_saw_tooth_slower_than_spare_timeout_swings_it_once_a_tooth(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };

	(void)state;
	for (int64_t now = 1; now < 3600000; now++)
		simulate_step(&sim, &dynamic, now % 60000 < 1000, now);
	assert_in_range(sim.forks, 60 * 90, 60 * 120);
	assert_in_range(sim.retired, 60 * 90, 60 * 120);
	comes_to_rest(&sim, &dynamic, 3600000);
}

static void
a_burst_is_served_and_then_given_back(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };

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
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };

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
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };
	unsigned seed = 42;

	(void)state;
	for (int64_t now = 1; now < 3600000; now++) {
		int arrivals = rand_r(&seed) % 1000 == 0 ? rand_r(&seed) % 300 : rand_r(&seed) % 3;

		simulate_step(&sim, &dynamic, now / 60000 % 2 ? arrivals : 0, now);
	}
	assert_true(sim.most <= dynamic.max);
	assert_true(sim.forks > 0 && sim.retired > 0);
	comes_to_rest(&sim, &dynamic, 3600000);
}

static void
too_much_load_is_noticed_and_so_is_its_end(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };
	int64_t now = 1;

	(void)state;
	for (; now < 1000; now++)
		simulate_step(&sim, &fixed, 0, now);
	for (; now < 60000; now++) {
		simulate_step(&sim, &fixed, now % 5 < 3, now); /* 600 a second, 500 can be served */
		if (now > 2000)
			assert_true(sim.saturated);
	}
	comes_to_rest(&sim, &fixed, now);
}

/* Whatever the load, now and then an idle worker is due, as many as may be at once. */
static void
recycle_under_load(const struct policy_limits *l, unsigned seed)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };
	int due_max = policy_due_max(l->max);
	int64_t now = 1;

	for (; now < 5000; now++)
		simulate_step(&sim, l, 0, now);
	sim.least_ready = sim.idle + sim.busy;
	for (; now < 600000; now++) {
		int total = sim.idle + sim.busy + sim.due;

		if (sim.idle > 0 && sim.due < policy_due_max(total) && rand_r(&seed) % 10 == 0) {
			sim.idle--;
			sim.due++;
			sim.look_at = now;
		}
		simulate_step(&sim, l, rand_r(&seed) % 3 == 0, now);
		assert_in_range(sim.due, 0, due_max);
	}
	assert_true(sim.most <= l->max + due_max);
	assert_true(sim.least_ready >= (l->fixed ? l->max : l->min_spare));
	assert_true(sim.forks > 10000);
	comes_to_rest(&sim, l, now);
}

static void
recycling_under_load_never_lacks_a_worker(void **state)
{
	(void)state;
	recycle_under_load(&fixed, 1);
	recycle_under_load(&dynamic, 2);
}

static void
a_crash_loop_under_load_makes_few_forks_and_heals_by_itself(void **state)
{
	struct simulation sim = { .low = INT_MAX, .look_at = 1 };
	int64_t now = 1;

	(void)state;
	for (; now < 60000; now++)
		simulate_step(&sim, &dynamic, now % 5 == 0, now);
	sim.sick = true;
	sim.idle = 0; /* the others die, too */
	sim.busy = 0;
	sim.forks = 0;
	for (; now < 3660000; now++)
		simulate_step(&sim, &dynamic, now % 5000 == 0, now);
	assert_in_range(sim.forks, 120, 150); /* ten, then ever fewer, then two a minute */
	sim.sick = false;
	for (; now < 3660000 + 32000; now++)
		simulate_step(&sim, &dynamic, now % 5000 == 0, now);
	assert_int_equal(sim.queue, 0);
	assert_true(sim.idle >= dynamic.min_spare);
	comes_to_rest(&sim, &dynamic, now);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_load_neither_grows_nor_shrinks_the_pool),
		cmocka_unit_test(a_saw_tooth_faster_than_spare_timeout_does_not_swing_the_pool),
		cmocka_unit_test(a_saw_tooth_slower_than_spare_timeout_swings_it_once_a_tooth),
		cmocka_unit_test(a_burst_is_served_and_then_given_back),
		cmocka_unit_test(an_on_demand_pool_returns_to_nothing),
		cmocka_unit_test(random_load_keeps_every_limit),
		cmocka_unit_test(too_much_load_is_noticed_and_so_is_its_end),
		cmocka_unit_test(recycling_under_load_never_lacks_a_worker),
		cmocka_unit_test(a_crash_loop_under_load_makes_few_forks_and_heals_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
