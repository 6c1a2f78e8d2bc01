#include "unit.h"

#include "status_figures.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

static void
durations_are_bounds_with_counts(void **state)
{
	struct status_durations d;

	(void)state;
	assert_true(status_durations_parse(&d, "1000:0,2500:7,inf:9"));
	assert_int_equal(d.n, 3);
	assert_int_equal(d.le_us[1], 2500);
	assert_int_equal(d.count[1], 7);
	assert_int_equal(d.le_us[2], INT64_MAX);
	assert_int_equal(d.count[2], 9);
	assert_true(status_durations_parse(&d, "inf:0"));
	assert_int_equal(d.n, 1);
}

static void
durations_that_make_no_sense_are_none(void **state)
{
	static const char *const rows[] = {
		"",
		"1000:1",
		"1000:1,",
		"inf:",
		"inf:1,",
		"inf:1,2000:2",
		"1000:1,inf",
		"1000:2,inf:1",
		"2000:1,1000:1,inf:1",
		"1000:1,1000:1,inf:1",
		"-1:1,inf:1",
		" 1:1,inf:1",
		"1:+1,inf:1",
		"9223372036854775807:1,inf:1",
		"1:99999999999999999999,inf:1",
		"1:1;inf:1",
	};
	struct status_durations d;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		d.n = 7;
		if (status_durations_parse(&d, rows[i]) || d.n != 0)
			fail_msg("%s is taken", rows[i]);
	}
}

static void
durations_have_a_bounded_number(void **state)
{
	struct status_durations d;

	(void)state;
	for (int bounds = STATUS_BOUNDS; bounds <= STATUS_BOUNDS + 1; bounds++) {
		char *text = util_strdup("");

		for (int i = 1; i < bounds; i++) {
			char *longer = util_format("%s%d:0,", text, i);

			free(text);
			text = longer;
		}
		text = util_realloc(text, strlen(text) + sizeof("inf:0"), 1);
		strcat(text, "inf:0");
		assert_int_equal(status_durations_parse(&d, text), bounds == STATUS_BOUNDS);
		free(text);
	}
}

static void
a_history_has_its_newest_step_last(void **state)
{
	struct status_history h;

	(void)state;
	assert_true(status_history_parse(&h, "3;1,2,30;4,5,60"));
	assert_int_equal(h.n, 2);
	assert_int_equal(h.busy[0], 1);
	assert_int_equal(h.queue[0], 2);
	assert_int_equal(h.requests[0], 30);
	assert_int_equal(h.busy[1], 4);
	assert_int_equal(h.queue[1], 5);
	assert_int_equal(h.requests[1], 60);
}

static void
nothing_has_happened_since_an_old_step(void **state)
{
	struct status_history h;

	(void)state;
	assert_true(status_history_parse(&h, "29;4,5,60"));
	assert_int_equal(h.n, 3);
	assert_int_equal(h.requests[0], 60);
	assert_int_equal(h.busy[1] + h.queue[1] + h.requests[1], 0);
	assert_int_equal(h.busy[2] + h.queue[2] + h.requests[2], 0);
	assert_true(status_history_parse(&h, "9000000000000000000;4,5,60"));
	assert_int_equal(h.n, STATUS_STEPS);
	assert_int_equal(h.requests[0], 0);
}

static void
of_a_long_history_the_newest_steps_are_kept(void **state)
{
	char *text = util_strdup("0");
	struct status_history h;

	(void)state;
	for (int i = 0; i < STATUS_STEPS + 2; i++) {
		char *longer = util_format("%s;0,0,%d", text, i);

		free(text);
		text = longer;
	}
	assert_true(status_history_parse(&h, text));
	assert_int_equal(h.n, STATUS_STEPS);
	assert_int_equal(h.requests[0], 2);
	assert_int_equal(h.requests[STATUS_STEPS - 1], STATUS_STEPS + 1);
	free(text);
}

static void
a_history_that_makes_no_sense_is_none(void **state)
{
	static const char *const rows[] = { "",       "3",        "3;",           "3;1",
					    "3;1,2",  "3;1,2,",   "3;1,2,3;",     "3;1,2,3,4",
					    ";1,2,3", "-3;1,2,3", "3;1,2,3;4,5,x" };
	struct status_history h;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		h.n = 7;
		if (status_history_parse(&h, rows[i]) || h.n != 0)
			fail_msg("%s is taken", rows[i]);
	}
}

static void
every_state_has_a_letter_of_its_own(void **state)
{
	/* What preforkctl(8) has under STATUS. */
	static const char *const said[] = { "starting",  "held",    "idle",     "busy",
					    "running",   "reading", "writing",  "waiting",
					    "keepalive", "closing", "draining", "killed" };
	char letters[STATUS_STATES + 1] = "";

	(void)state;
	for (size_t i = 0; i < STATUS_STATES; i++) {
		assert_int_equal(strlen(status_states[i].letter), 1);
		assert_null(strchr(letters, status_states[i].letter[0]));
		strcat(letters, status_states[i].letter);
		assert_int_equal(status_state_find(status_states[i].name), i);
	}
	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		assert_true(status_state_find(said[i]) < STATUS_STATES - 1);
	assert_int_equal(status_state_find("dancing"), STATUS_STATES - 1);
	assert_int_equal(status_state_find(""), STATUS_STATES - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_bounds_with_counts),
		cmocka_unit_test(durations_that_make_no_sense_are_none),
		cmocka_unit_test(durations_have_a_bounded_number),
		cmocka_unit_test(a_history_has_its_newest_step_last),
		cmocka_unit_test(nothing_has_happened_since_an_old_step),
		cmocka_unit_test(of_a_long_history_the_newest_steps_are_kept),
		cmocka_unit_test(a_history_that_makes_no_sense_is_none),
		cmocka_unit_test(every_state_has_a_letter_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
