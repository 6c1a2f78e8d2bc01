/*
 * The memory of an answer: its parts stand behind each other, and never overlap.
 */
#include "unit.h"

#include "http_scratch.h"

#include <string.h>

#define LARGE 65536

static int
clear(void **state)
{
	(void)state;
	http_scratch_clear();
	return 0;
}

static void
parts_stand_behind_each_other(void **state)
{
	char *name = http_scratch_format("%s.%s", "file", "gz");
	char *body = http_scratch_take(100), *head;

	(void)state;
	assert_string_equal(name, "file.gz");
	assert_ptr_equal(body, name + strlen(name) + 1);
	memset(body, 'b', 100);
	head = http_scratch_take(LARGE);
	assert_ptr_equal(head, body + 100);
	memset(head, 'h', 20);
	http_scratch_trim(head + 20);
	assert_ptr_equal(http_scratch_take(LARGE), head + 20);
	assert_string_equal(name, "file.gz");
	assert_int_equal(body[99], 'b');
}

static void
what_is_not_needed_is_given_again(void **state)
{
	char *first = http_scratch_take(LARGE), *name = http_scratch_format("a name");

	(void)state;
	http_scratch_trim(name);
	assert_ptr_equal(http_scratch_take(1), name);
	http_scratch_clear();
	assert_ptr_equal(http_scratch_take(1), first);
}

static void
there_is_an_end_and_nothing_behind_it(void **state)
{
	char *end = http_scratch_take(0), *more;

	(void)state;
	while ((more = http_scratch_take(LARGE)))
		end = more + LARGE;
	while ((more = http_scratch_take(1)))
		end = more + 1;
	assert_null(http_scratch_format("x"));
	assert_null(http_scratch_take((size_t)-1));
	http_scratch_trim(end - 2);
	assert_null(http_scratch_format("xx"));
	more = http_scratch_format("x");
	assert_ptr_equal(more, end - 2);
	assert_string_equal(more, "x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(parts_stand_behind_each_other, clear),
		cmocka_unit_test_setup(what_is_not_needed_is_given_again, clear),
		cmocka_unit_test_setup(there_is_an_end_and_nothing_behind_it, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
