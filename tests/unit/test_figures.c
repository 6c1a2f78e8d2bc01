/*
 * Figures: the buckets of durations, what can be read from them, and the sums.
 */
#include "unit.h"

#include "figures.h"

#include <stdlib.h>
#include <string.h>

static void
every_duration_lies_in_its_bucket(void **state)
{
	(void)state;
	assert_int_equal(figures_bucket(-5), 0);
	assert_int_equal(figures_bucket(INT64_MAX), FIGURES_BUCKETS - 1);
	for (int64_t us = 0; us < INT64_C(1) << 36; us += 1 + us / 100) {
		size_t i = figures_bucket(us);

		assert_true(figures_bucket_begin(i) <= us);
		assert_true(us < figures_bucket_begin(i + 1));
	}
}

static void
a_bucket_is_at_most_a_quarter_wide(void **state)
{
	(void)state;
	assert_int_equal(figures_bucket_begin(0), 0);
	for (size_t i = 4; i < FIGURES_BUCKETS; i++) {
		int64_t from = figures_bucket_begin(i), to = figures_bucket_begin(i + 1);

		assert_true(to > from && (to - from) * 4 <= from);
		assert_int_equal(figures_bucket(from), i);
		assert_int_equal(figures_bucket(to - 1), i);
	}
	assert_true(figures_bucket_begin(FIGURES_BUCKETS - 1) > INT64_C(33) * 3600 * 1000000);
}

static void
of_no_durations_there_is_nothing_to_say(void **state)
{
	static const uint64_t none[FIGURES_BUCKETS];

	(void)state;
	assert_int_equal(figures_percentile(none, 500), 0);
	assert_int_equal(figures_longest(none), 0);
	assert_int_equal(figures_up_to(none, 1000000), 0);
}

static void
count(uint64_t *durations, int64_t us, uint64_t n)
{
	durations[figures_bucket(us)] += n;
}

/* Within the width of a bucket. */
static void
assert_near(int64_t us, int64_t wanted)
{
	if (us < wanted * 3 / 4 || us > wanted * 5 / 4)
		fail_msg("%lld is not near %lld", (long long)us, (long long)wanted);
}

static void
percentiles_are_near_the_true_ones(void **state)
{
	static const struct {
		unsigned permille;
		int64_t us;
	} rows[] = { { 1, 100 },    { 500, 100 },     { 890, 100 },     { 910, 5000 },
		     { 980, 5000 }, { 995, 2000000 }, { 1000, 2000000 } };
	uint64_t durations[FIGURES_BUCKETS] = { 0 };

	(void)state;
	count(durations, 100, 900);
	count(durations, 5000, 90);
	count(durations, 2000000, 10);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_near(figures_percentile(durations, rows[i].permille), rows[i].us);
	assert_near(figures_longest(durations), 2000000);
	assert_true(figures_longest(durations) >= 2000000);
}

static void
percentiles_grow_up_to_the_longest(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	unsigned seed = 1;
	int64_t before = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		count(durations, rand_r(&seed) % (1 << rand_r(&seed) % 30), 1);
	for (unsigned permille = 1; permille <= 1000; permille++) {
		int64_t us = figures_percentile(durations, permille);

		assert_true(us >= before);
		before = us;
	}
	assert_true(before <= figures_longest(durations));
}

static void
of_very_many_durations_the_percentile_is_right(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };

	(void)state;
	count(durations, 1000, UINT64_C(1) << 55);
	count(durations, 1000000, UINT64_C(1) << 55);
	assert_near(figures_percentile(durations, 499), 1000);
	assert_near(figures_percentile(durations, 501), 1000000);
}

static void
counts_up_to_a_bound_grow_with_it(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 }, before = 0;

	(void)state;
	count(durations, 800, 10);
	count(durations, 1000, 80); /* in a bucket from 896 to 1024 */
	count(durations, 70000000, 5);
	assert_int_equal(figures_up_to(durations, 500), 0);
	assert_int_equal(figures_up_to(durations, 896), 10);
	assert_int_equal(figures_up_to(durations, 960), 50);
	assert_int_equal(figures_up_to(durations, 1024), 90);
	assert_int_equal(figures_up_to(durations, 60000000), 90);
	for (int64_t us = 0; us < INT64_C(1) << 30; us += 1 + us / 50) {
		uint64_t n = figures_up_to(durations, us);

		assert_true(n >= before);
		before = n;
	}
	assert_int_equal(before, 95);
}

static void
slots_are_added_up(void **state)
{
	struct figures_slot *slots = figures_slots_new(3);
	struct figures sum = { .n = { [FIGURE_BYTES_IN] = 5 } };

	(void)state;
	assert_non_null(slots);
	for (int i = 0; i < 3; i++) {
		figures_count(&slots[i], FIGURE_BYTES_IN, 100);
		figures_count_duration(&slots[i], 50);
		figures_count_duration(&slots[i], -1); /* the clock of a broken machine */
		figures_add(&sum, &slots[i]);
	}
	assert_int_equal(sum.n[FIGURE_BYTES_IN], 305);
	assert_int_equal(sum.n[FIGURE_DURATION_SUM], 150);
	assert_int_equal(sum.n[FIGURE_DURATIONS + figures_bucket(50)], 3);
	assert_int_equal(sum.n[FIGURE_DURATIONS], 3);
	figures_clear(&slots[1]);
	figures_add(&sum, &slots[1]);
	assert_int_equal(sum.n[FIGURE_BYTES_IN], 305);
	figures_slots_free(slots, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_duration_lies_in_its_bucket),
		cmocka_unit_test(a_bucket_is_at_most_a_quarter_wide),
		cmocka_unit_test(of_no_durations_there_is_nothing_to_say),
		cmocka_unit_test(percentiles_are_near_the_true_ones),
		cmocka_unit_test(percentiles_grow_up_to_the_longest),
		cmocka_unit_test(of_very_many_durations_the_percentile_is_right),
		cmocka_unit_test(counts_up_to_a_bound_grow_with_it),
		cmocka_unit_test(slots_are_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
