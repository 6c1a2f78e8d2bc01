#include "unit.h"

#include "conf.h"
#include "rate.h"
#include "util.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define NOW    (100 * SECOND)

enum { THREADS = 8, TURNS = 2000 };

#define ALL CONF_MAX_WORKERS

static void
at_once_each_has_its_turn_an_interval_later(void **state)
{
	struct rate rate = rate_of(200, 1);
	_Atomic int64_t full_at = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_turn(&full_at, &rate, NOW), NOW + i * (SECOND / 200));
}

static void
a_burst_is_not_delayed(void **state)
{
	struct rate rate = rate_of(10, 50);
	_Atomic int64_t full_at = 0;

	(void)state;
	for (int i = 0; i < 50; i++)
		assert_int_equal(rate_turn(&full_at, &rate, NOW), NOW);
	for (int i = 1; i <= 20; i++)
		assert_int_equal(rate_turn(&full_at, &rate, NOW), NOW + i * (SECOND / 10));
}

static void
a_pause_gives_back_what_it_lasts_and_never_more_than_a_burst(void **state)
{
	struct rate rate = rate_of(10, 5);
	_Atomic int64_t full_at = 0;
	int64_t now = NOW;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_turn(&full_at, &rate, now), now);
	now += 2 * SECOND / 10;
	for (int i = 0; i < 2; i++)
		assert_int_equal(rate_turn(&full_at, &rate, now), now);
	assert_int_equal(rate_turn(&full_at, &rate, now), now + SECOND / 10);
	now += 3600 * SECOND;
	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_turn(&full_at, &rate, now), now);
	assert_int_equal(rate_turn(&full_at, &rate, now), now + SECOND / 10);
}

static void
who_comes_in_time_is_never_delayed(void **state)
{
	struct rate rate = rate_of(1000, 1);
	_Atomic int64_t full_at = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_turn(&full_at, &rate, NOW + i * (SECOND / 1000)),
				 NOW + i * (SECOND / 1000));
}

/* In no second more turns than the rate, and a burst once. */
static void
however_they_come_the_rate_is_kept(void **state)
{
	struct rate rate = rate_of(100, 10);
	_Atomic int64_t full_at = 0;
	int64_t turns[TURNS], now = NOW;

	(void)state;
	srandom(1);
	for (int i = 0; i < TURNS; i++) {
		now += random() % 8 ? random() % (SECOND / 200) : random() % SECOND / 4;
		turns[i] = rate_turn(&full_at, &rate, now);
		assert_true(turns[i] >= now);
		assert_true(i == 0 || turns[i] >= turns[i - 1]);
		if (i >= 110)
			assert_true(turns[i] - turns[i - 110] >= SECOND);
	}
}

static void
rubbish_in_the_shared_word_blocks_nobody(void **state)
{
	static const int64_t rubbish[] = { INT64_MAX, INT64_MIN, -1, NOW + 66000 * SECOND,
					   INT64_MAX - SECOND };
	struct rate rate = rate_of(1, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
		_Atomic int64_t full_at = rubbish[i];

		assert_int_equal(rate_turn(&full_at, &rate, NOW), NOW);
		assert_int_equal(rate_turn(&full_at, &rate, NOW), NOW + SECOND);
	}
}

/* ---- by many at once ---- */

struct taker {
	_Atomic int64_t *full_at;
	struct rate_table *table;
	int64_t turns[TURNS];
};

static const struct rate one_at_a_time = { .interval = 1000 };

static void *
take_turns(void *arg)
{
	struct taker *t = arg;

	for (int i = 0; i < TURNS; i++)
		t->turns[i] = t->full_at ? rate_turn(t->full_at, &one_at_a_time, NOW)
					 : rate_turn_of(t->table, 42, &one_at_a_time, ALL, NOW);
	return NULL;
}

static int
by_time(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t *
turns_of_many(_Atomic int64_t *full_at, struct rate_table *table)
{
	struct taker *takers = util_calloc(THREADS, sizeof(*takers));
	int64_t *all = util_calloc(THREADS * TURNS, sizeof(*all));
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		takers[i].full_at = full_at;
		takers[i].table = table;
		assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &takers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		memcpy(all + i * TURNS, takers[i].turns, sizeof(takers[i].turns));
	}
	free(takers);
	qsort(all, THREADS * TURNS, sizeof(*all), by_time);
	return all;
}

static void
no_two_processes_have_the_same_turn(void **state)
{
	_Atomic int64_t full_at = 0;
	int64_t *turns = turns_of_many(&full_at, NULL);

	(void)state;
	for (int i = 0; i < THREADS * TURNS; i++)
		assert_int_equal(turns[i], NOW + i * one_at_a_time.interval);
	free(turns);
}

/* ---- sources ---- */

static int
setup(void **state)
{
	*state = util_calloc(1, sizeof(struct rate_table));
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

static void
no_two_processes_have_the_same_turn_of_a_source(void **state)
{
	int64_t *turns;

	/* Several may enter a new source at the same time; from then on it is one. */
	rate_turn_of(*state, 42, &one_at_a_time, ALL, NOW);
	turns = turns_of_many(NULL, *state);
	for (int i = 0; i < THREADS * TURNS; i++)
		assert_int_equal(turns[i], NOW + (i + 1) * one_at_a_time.interval);
	free(turns);
}

static void
a_source_waits_for_itself_only(void **state)
{
	struct rate rate = rate_of(10, 1);

	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_turn_of(*state, 1, &rate, ALL, NOW), NOW + i * (SECOND / 10));
	for (uint64_t other = 2; other < 500; other++) {
		assert_int_equal(rate_turn_of(*state, other, &rate, ALL, NOW), NOW);
		assert_int_equal(rate_turn_of(*state, other, &rate, ALL, NOW), NOW + SECOND / 10);
	}
	assert_int_equal(rate_turn_of(*state, 1, &rate, ALL, NOW), NOW + 100 * SECOND);
}

static void
who_may_not_wait_takes_no_turn(void **state)
{
	struct rate rate = rate_of(10, 5);

	for (int i = 0; i < 5; i++)
		assert_int_equal(rate_turn_of(*state, 1, &rate, 3, NOW), NOW);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(rate_turn_of(*state, 1, &rate, 3, NOW), NOW + i * (SECOND / 10));
	for (int i = 0; i < 100000; i++)
		assert_true(rate_turn_of(*state, 1, &rate, 3, NOW) == RATE_NEVER);
	/* As soon as one of them has had its turn, another may wait. */
	assert_int_equal(rate_turn_of(*state, 1, &rate, 3, NOW + SECOND / 10),
			 NOW + 4 * (SECOND / 10));
	assert_true(rate_turn_of(*state, 1, &rate, 3, NOW + SECOND / 10) == RATE_NEVER);
	assert_int_equal(rate_turn_of(*state, 2, &rate, 3, NOW), NOW);
}

/* A hundred thousand sources in a table of some thousand places. */
static void
filling_the_table_delays_nobody(void **state)
{
	struct rate rate = rate_of(1, 1);

	for (uint64_t source = 1; source <= 100000; source++)
		assert_int_equal(rate_turn_of(*state, source, &rate, ALL, NOW), NOW);
	assert_int_equal(rate_turn_of(*state, 1000001, &rate, ALL, NOW), NOW);
}

/* Sources that come once, in any number, do not free one that is far over its rate. */
static void
the_fullest_bucket_goes_first(void **state)
{
	struct rate rate = rate_of(1, 1);

	for (int i = 0; i < 100; i++)
		rate_turn_of(*state, 7, &rate, ALL, NOW);
	for (uint64_t source = 1000; source < 100000; source++)
		rate_turn_of(*state, source, &rate, ALL, NOW);
	assert_int_equal(rate_turn_of(*state, 7, &rate, ALL, NOW), NOW + 100 * SECOND);
}

/* As many as half the places are nearly always all there at once. */
static void
sources_are_spread_over_the_table(void **state)
{
	enum { SOURCES = RATE_SETS * RATE_WAYS / 4 };
	struct rate rate = rate_of(1, 1);
	int known = 0;

	for (uint64_t i = 0; i < SOURCES; i++)
		rate_turn_of(*state, UINT64_C(0x20010db800000000) + i, &rate, ALL, NOW);
	for (uint64_t i = 0; i < SOURCES; i++)
		known +=
		    rate_turn_of(*state, UINT64_C(0x20010db800000000) + i, &rate, ALL, NOW) > NOW;
	assert_true(known > SOURCES * 95 / 100);
}

#define SOURCE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once_each_has_its_turn_an_interval_later),
		cmocka_unit_test(a_burst_is_not_delayed),
		cmocka_unit_test(a_pause_gives_back_what_it_lasts_and_never_more_than_a_burst),
		cmocka_unit_test(who_comes_in_time_is_never_delayed),
		cmocka_unit_test(however_they_come_the_rate_is_kept),
		cmocka_unit_test(rubbish_in_the_shared_word_blocks_nobody),
		cmocka_unit_test(no_two_processes_have_the_same_turn),
		SOURCE_TEST(no_two_processes_have_the_same_turn_of_a_source),
		SOURCE_TEST(a_source_waits_for_itself_only),
		SOURCE_TEST(who_may_not_wait_takes_no_turn),
		SOURCE_TEST(filling_the_table_delays_nobody),
		SOURCE_TEST(the_fullest_bucket_goes_first),
		SOURCE_TEST(sources_are_spread_over_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
