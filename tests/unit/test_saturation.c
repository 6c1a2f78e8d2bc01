/*
 * What is said of a pool that is full: not too often, and that it is over.
 */
#include "unit.h"

#include "logged.h"
#include "saturation.h"

static struct saturation_look
full(int queue)
{
	return (struct saturation_look){
		.pool = "web",
		.remedy = "max_workers",
		.request = "worker 7, client 192.0.2.1:80: request 1, for 9.0 s",
		.saturated = true,
		.busy = 4,
		.queue = queue,
	};
}

static struct saturation_look
not_full(void)
{
	return (struct saturation_look){
		.pool = "web", .remedy = "max_workers", .request = "", .busy = 3
	};
}

static int64_t
look(struct saturation *s, struct saturation_look l, int64_t now)
{
	return saturation_look(s, &l, now);
}

static void
a_pool_that_is_not_full_says_nothing_and_needs_no_look(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	assert_int_equal(look(&s, not_full(), 1000), 0);
	assert_int_equal(s.since, 0);
	assert_int_equal(logged_lines(""), 1); /* what is behind the last line */
}

static void
the_beginning_is_told_once(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	for (int64_t now = 1000; now < 60000; now += 100)
		assert_int_equal(look(&s, full(7), now), 0);
	assert_int_equal(s.since, 1000);
	assert_int_equal(logged_lines("pool web: "), 1);
	assert_int_equal(logged_lines("warning: pool web: all 4 workers are busy and 7 "
				      "connections wait: raise max_workers if the machine can "
				      "bear it, or mend what is slow: worker 7, client "
				      "192.0.2.1:80: request 1, for 9.0 s"),
			 1);
}

static void
one_connection_is_not_several(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	look(&s, full(1), 1000);
	assert_int_equal(logged_lines("and 1 connection waits: raise"), 1);
}

static void
what_lasts_is_told_once_a_minute(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	look(&s, full(7), 1000);
	look(&s, full(30), 2000);
	for (int64_t now = 3000; now < 60999; now += 1000)
		look(&s, full(8), now);
	assert_int_equal(logged_lines("still saturated"), 0);
	for (int64_t now = 61000; now <= 601000; now += 1000)
		look(&s, full(8), now);
	assert_int_equal(logged_lines("still saturated after"), 10);
	assert_int_equal(logged_lines("pool web: still saturated after 60 s: all 4 workers are "
				      "busy, 8 connections wait, at most there were 30"),
			 1);
	assert_int_equal(logged_lines("still saturated after 600 s"), 1);
}

static void
its_end_is_told_when_it_has_lasted(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	look(&s, full(7), 1000);
	look(&s, full(17), 13300);
	assert_int_equal(look(&s, not_full(), 13400), 15300);
	assert_int_equal(look(&s, not_full(), 15299), 15300);
	assert_int_equal(s.since, 1000);
	assert_int_equal(look(&s, not_full(), 15300), 0);
	assert_int_equal(s.since, 0);
	assert_int_equal(logged_lines("notice: pool web: no longer saturated, after 12.3 s; at "
				      "most 17 connections waited"),
			 1);
	look(&s, not_full(), 20000);
	assert_int_equal(logged_lines("no longer"), 1);
}

static void
a_moment_with_an_empty_queue_is_no_end(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	for (int64_t now = 1000; now < 50000; now += 1000) {
		look(&s, full(7), now);
		look(&s, not_full(), now + 500);
	}
	assert_int_equal(s.since, 1000);
	assert_int_equal(logged_lines("pool web: "), 1);
}

static void
what_begins_again_within_a_minute_is_held_back(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	for (int64_t now = 1000; now < 50000; now += 10000) {
		look(&s, full(7), now);
		look(&s, not_full(), now + 3000);
	}
	assert_int_equal(logged_lines("all 4 workers"), 1);
	assert_int_equal(logged_lines("no longer"), 1);
	s.limit.next_ms = 0;
	look(&s, full(7), 70000);
	assert_int_equal(logged_lines("all 4 workers are busy"), 2);
}

static void
what_was_held_back_is_told_when_it_lasts(void **state)
{
	struct saturation s = { 0 };

	(void)state;
	look(&s, full(7), 1000);
	look(&s, not_full(), 3000);
	for (int64_t now = 4000; now < 65000; now += 1000)
		look(&s, full(9), now);
	assert_int_equal(logged_lines("still saturated after 60 s"), 1);
	look(&s, not_full(), 67000);
	assert_int_equal(logged_lines("no longer saturated, after 60.0 s; at most 9"), 1);
}

static int
setup(void **state)
{
	(void)state;
	logged_begin(LOG_DEBUG);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pool_that_is_not_full_says_nothing_and_needs_no_look),
		TEST(the_beginning_is_told_once),
		TEST(one_connection_is_not_several),
		TEST(what_lasts_is_told_once_a_minute),
		TEST(its_end_is_told_when_it_has_lasted),
		TEST(a_moment_with_an_empty_queue_is_no_end),
		TEST(what_begins_again_within_a_minute_is_held_back),
		TEST(what_was_held_back_is_told_when_it_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
