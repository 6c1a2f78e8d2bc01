/*
 * What workers leave for the master: nothing is told twice, no place is lost to the dead,
 * and a flood stays small.
 */
#include "unit.h"

#include "complaints.h"

#include <stdio.h>
#include <string.h>

static char taken[1024];

static void
take(const char *text, unsigned more, void *arg)
{
	size_t len = strlen(taken);

	(void)arg;
	snprintf(taken + len, sizeof(taken) - len, "%s (%u)\n", text, more);
}

static void
assert_taken(struct complaints *c, const char *wanted)
{
	taken[0] = '\0';
	complaints_take(c, take, NULL);
	assert_string_equal(taken, wanted);
}

static void
they_arrive_once_and_without_the_name_of_the_pool(void **state)
{
	struct complaints c = { 0 };

	(void)state;
	assert_taken(&c, "");
	assert_true(complaints_add(&c, 7, "www", "pool www: no files"));
	assert_true(complaints_add(&c, 8, "www", "pool www2: of another"));
	assert_true(complaints_add(&c, 8, "www", "of nobody"));
	assert_taken(&c, "no files (0)\npool www2: of another (0)\nof nobody (0)\n");
	assert_taken(&c, "");
}

static void
a_flood_is_counted(void **state)
{
	struct complaints c = { 0 };
	int rung = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		rung += complaints_add(&c, 7, "www", "again");
	assert_in_range(rung, COMPLAINTS, COMPLAINTS + 1);
	assert_taken(&c, "again (0)\nagain (0)\nagain (0)\nagain (0)\n");
	c.limit.next_ms = 0; /* a second later */
	assert_true(complaints_add(&c, 7, "www", "again"));
	taken[0] = '\0';
	complaints_take(&c, take, NULL);
	assert_string_equal(taken, "again (996)\n");
}

static void
what_a_line_stands_for_is_added_to_it(void **state)
{
	struct complaints c = { 0 };

	(void)state;
	assert_true(complaints_add(&c, 7, "www", "again (12 more like this)"));
	assert_true(complaints_add(&c, 7, "www", "(12 more like this)"));
	assert_true(complaints_add(&c, 7, "www", "again (12 more like this) and again"));
	assert_taken(&c, "again (12)\n(12 more like this) (0)\n"
			 "again (12 more like this) and again (0)\n");
}

static void
what_does_not_fit_is_cut(void **state)
{
	struct complaints c = { 0 };
	char text[2 * COMPLAINT_BYTES];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(complaints_add(&c, 7, "www", text));
	taken[0] = '\0';
	complaints_take(&c, take, NULL);
	assert_int_equal(strlen(taken), COMPLAINT_BYTES - 1 + strlen(" (0)\n"));
}

static void
a_text_without_an_end_is_given_one(void **state)
{
	struct complaints c = { 0 };

	(void)state;
	assert_true(complaints_add(&c, 7, "www", "short"));
	memset(c.places[0].text, 'x', COMPLAINT_BYTES);
	taken[0] = '\0';
	complaints_take(&c, take, NULL);
	assert_int_equal(strlen(taken), COMPLAINT_BYTES + strlen(" (0)\n"));
}

static void
the_dead_hold_no_place(void **state)
{
	struct complaints c = { 0 };

	(void)state;
	for (size_t i = 0; i < COMPLAINTS; i++)
		c.places[i].state = 7; /* it was killed while it wrote */
	assert_false(complaints_add(&c, 8, "www", "no place"));
	assert_taken(&c, "");
	complaints_forget(&c, 6);
	assert_false(complaints_add(&c, 8, "www", "no place"));
	complaints_forget(&c, 7);
	assert_true(complaints_add(&c, 8, "www", "a place"));
	complaints_forget(&c, 8); /* what is whole stays when its writer dies */
	assert_taken(&c, "a place (2)\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_arrive_once_and_without_the_name_of_the_pool),
		cmocka_unit_test(a_flood_is_counted),
		cmocka_unit_test(what_a_line_stands_for_is_added_to_it),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(a_text_without_an_end_is_given_one),
		cmocka_unit_test(the_dead_hold_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
