/*
 * The last ten minutes of a pool, by a clock of the test's.
 */
#include "unit.h"

#include "history.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define S 1000

static struct history *
new_history(int64_t now)
{
	struct history *h = calloc(1, sizeof(*h));

	history_init(h, now);
	return h;
}

static void
assert_prints(const struct history *h, int64_t now, const char *wanted)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	history_print(h, now, out);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

/* Wakes, and ends its first step with so many requests, and rests. */
static void
one_step(struct history *h, int64_t now, uint64_t requests, uint64_t *durations)
{
	struct history_step step = { 1, 2, requests };
	int64_t end = history_step_end(now);

	history_wake(h, now, durations);
	durations[5] += requests;
	assert_true(history_sample(h, end, &step, durations));
	history_rest(h, end);
}

static void
a_step_is_told_when_it_is_over(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history_step step = { 3, 4, 50 };
	struct history *h = new_history(1003 * S);

	(void)state;
	assert_prints(h, 1003 * S, "");
	assert_int_equal(history_step_end(1003 * S), 1010 * S);
	assert_int_equal(history_step_end(1010 * S), 1020 * S);
	history_wake(h, 1004 * S, durations);
	assert_false(history_sample(h, 1009 * S, &step, durations));
	assert_prints(h, 1009 * S, "");
	assert_true(history_sample(h, 1010 * S, &step, durations));
	assert_false(history_sample(h, 1011 * S, &step, durations));
	assert_prints(h, 1010 * S, "0;3,4,50");
	assert_prints(h, 1014 * S, "4;3,4,50");
	step.requests = 7;
	assert_true(history_sample(h, 1020 * S, &step, durations));
	assert_prints(h, 1029 * S + 999, "9;3,4,50;3,4,7");
	free(h);
}

static void
while_nothing_happens_there_is_nothing_to_tell(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *h = new_history(1000 * S);

	(void)state;
	one_step(h, 1001 * S, 5, durations);
	assert_prints(h, 1011 * S, "1;1,2,5");
	assert_prints(h, 1035 * S, "5;1,2,5;0,0,0;0,0,0");
	history_wake(h, 1036 * S, durations);
	assert_prints(h, 1036 * S, "6;1,2,5;0,0,0;0,0,0");
	assert_true(history_sample(h, 1040 * S, &(struct history_step){ 1, 1, 1 }, durations));
	assert_prints(h, 1041 * S, "1;1,2,5;0,0,0;0,0,0;1,1,1");
	free(h);
}

static unsigned
count(const char *text, char wanted)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == wanted;
	return n;
}

static void
ten_minutes_are_told_and_no_more(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *h = new_history(0);
	char *text = NULL;
	size_t len;
	FILE *out;

	(void)state;
	for (int64_t now = 0; now < 5000 * S; now += 10 * S)
		one_step(h, now, 100 + (uint64_t)(now / (10 * S)) % 100, durations);
	out = open_memstream(&text, &len);
	history_print(h, 5000 * S, out);
	fclose(out);
	assert_int_equal(count(text, ';'), HISTORY_STEPS);
	assert_int_equal(strncmp(text, "0;1,2,140;1,2,141;", 18), 0);
	assert_string_equal(text + len - 8, ";1,2,199");
	free(text);

	out = open_memstream(&text, &len);
	history_print(h, 5000 * S + 595 * S, out);
	fclose(out);
	assert_int_equal(count(text, ';'), HISTORY_STEPS);
	assert_int_equal(strncmp(text, "5;1,2,199;0,0,0;", 16), 0);
	free(text);

	/* Also when nothing happened for much longer. */
	one_step(h, 99990 * S, 7, durations);
	out = open_memstream(&text, &len);
	history_print(h, 100000 * S, out);
	fclose(out);
	assert_int_equal(count(text, ';'), HISTORY_STEPS);
	assert_int_equal(strncmp(text, "0;0,0,0;0,0,0;", 14), 0);
	assert_string_equal(text + len - 12, ";0,0,0;1,2,7");
	free(text);
	free(h);
}

static void
a_sample_that_comes_late_belongs_to_the_step_before(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *h = new_history(1000 * S);

	(void)state;
	history_wake(h, 1001 * S, durations);
	assert_true(history_sample(h, 1035 * S, &(struct history_step){ 1, 1, 9 }, durations));
	assert_prints(h, 1036 * S, "6;0,0,0;0,0,0;1,1,9");
	free(h);
}

/* How many of the durations of bucket 5 are recent. */
static uint64_t
recent(const struct history *h, int64_t now, const uint64_t *durations)
{
	uint64_t of[FIGURES_BUCKETS];

	history_recent(h, now, durations, of);
	for (size_t i = 0; i < FIGURES_BUCKETS; i++)
		assert_true(i == 5 || of[i] == 0);
	return of[5];
}

static void
durations_are_recent_for_ten_minutes(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *h = new_history(1000 * S);

	(void)state;
	assert_int_equal(recent(h, 1000 * S, durations), 0);
	one_step(h, 1001 * S, 5, durations);
	for (int64_t now = 1010 * S; now < 1600 * S; now += 10 * S)
		assert_int_equal(recent(h, now, durations), 5);
	assert_int_equal(recent(h, 1611 * S, durations), 0);
	one_step(h, 1700 * S, 3, durations);
	assert_int_equal(recent(h, 1720 * S, durations), 3);
	one_step(h, 1730 * S, 2, durations); /* within a minute: no snapshot */
	assert_int_equal(recent(h, 2200 * S, durations), 5);
	assert_int_equal(recent(h, 2400 * S, durations), 0);
	free(h);
}

static void
under_steady_load_the_window_moves(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *h = new_history(0);

	(void)state;
	for (int64_t now = 0; now < 20000 * S; now += 10 * S) {
		one_step(h, now, 1, durations);
		if (now > 1000 * S)
			assert_in_range(recent(h, now, durations), 60, 67);
	}
	/* The same when each step is but a moment, and hours are between. */
	for (int64_t now = 100000 * S; now < 2000000 * S; now += 7205 * S) {
		one_step(h, now, 1, durations);
		assert_int_equal(recent(h, now + 60 * S, durations), 1);
		assert_int_equal(recent(h, now + 1000 * S, durations), 0);
	}
	free(h);
}

/* As it goes from one master to the next one. */
static int
hand_over(const struct history *from, struct history *to, int64_t now)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int result;

	history_write(from, out);
	fclose(out);
	result = history_read(to, now, text);
	free(text);
	return result;
}

static void
the_next_master_knows_what_the_one_before_has_seen(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *before = new_history(1000 * S), *h = new_history(1045 * S);

	(void)state;
	assert_int_equal(hand_over(before, h, 1045 * S), 0);
	assert_prints(h, 1045 * S, "");
	one_step(before, 1001 * S, 7, durations);
	one_step(before, 1021 * S, 9, durations);
	assert_int_equal(hand_over(before, h, 1045 * S), 0);
	assert_prints(h, 1045 * S, "5;1,2,7;0,0,0;1,2,9;0,0,0");
	one_step(h, 1046 * S, 3, durations);
	assert_prints(h, 1052 * S, "2;1,2,7;0,0,0;1,2,9;0,0,0;1,2,3");
	free(before);
	free(h);
}

static void
what_two_masters_have_seen_of_one_step_is_added(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *before = new_history(1000 * S), *h = new_history(1005 * S);

	(void)state;
	one_step(before, 1001 * S, 7, durations);
	one_step(before, 1011 * S, 9, durations);
	one_step(h, 1006 * S, 100, durations);
	assert_int_equal(hand_over(before, h, 1031 * S), 0);
	assert_prints(h, 1031 * S, "1;2,2,107;1,2,9;0,0,0");
	free(before);
	free(h);
}

static void
ten_minutes_are_handed_over_and_no_more(void **state)
{
	uint64_t durations[FIGURES_BUCKETS] = { 0 };
	struct history *before = new_history(0), *h = new_history(700 * S);
	char text[4096];
	FILE *out;

	(void)state;
	for (int i = 0; i < 70; i++)
		one_step(before, i * 10 * S, (uint64_t)i, durations);
	one_step(h, 700 * S, 70, durations);
	assert_int_equal(hand_over(before, h, 711 * S), 0);
	out = fmemopen(text, sizeof(text), "w");
	fputs("1", out);
	for (int i = 11; i <= 70; i++)
		fprintf(out, ";1,2,%d", i);
	fclose(out);
	assert_prints(h, 711 * S, text);
	free(before);
	free(h);
}

static void
what_is_no_history_changes_nothing(void **state)
{
	static const char *const rows[] = { "x",         "-1;1,2,3",   "101;1,2,3",
					    "100;",      "100;1,2",    "100;1,2,3;",
					    "100;1,2,x", "100;1,2,3x", "0;1,2,3;1,2,3" };
	struct history *h = new_history(1005 * S);
	char text[2000] = "100";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (history_read(h, 1005 * S, rows[i]) != -1)
			fail_msg("\"%s\" was taken", rows[i]);
	for (int i = 0; i <= HISTORY_STEPS; i++)
		strcat(text, ";1,2,3");
	assert_int_equal(history_read(h, 1005 * S, text), -1);
	assert_prints(h, 1005 * S, "");
	assert_int_equal(history_read(h, 1005 * S, "99;1,2,3"), 0);
	assert_prints(h, 1005 * S, "5;1,2,3");
	free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_told_when_it_is_over),
		cmocka_unit_test(while_nothing_happens_there_is_nothing_to_tell),
		cmocka_unit_test(ten_minutes_are_told_and_no_more),
		cmocka_unit_test(a_sample_that_comes_late_belongs_to_the_step_before),
		cmocka_unit_test(durations_are_recent_for_ten_minutes),
		cmocka_unit_test(under_steady_load_the_window_moves),
		cmocka_unit_test(the_next_master_knows_what_the_one_before_has_seen),
		cmocka_unit_test(what_two_masters_have_seen_of_one_step_is_added),
		cmocka_unit_test(ten_minutes_are_handed_over_and_no_more),
		cmocka_unit_test(what_is_no_history_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
