#include "unit.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

static void
escape_shows_control_bytes_as_hex(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(util_escape(out, sizeof(out), "a\nb\x1b\x7f\xc3\xa4", 7), 16);
	assert_string_equal(out, "a\\x0ab\\x1b\\x7f\xc3\xa4");
	/* U+009B does to a terminal what ESC [ does; a byte alone is no character. */
	assert_int_equal(util_escape(out, sizeof(out), "\xc2\x9b\xc2\xa0\x9b\xc2", 6), 12);
	assert_string_equal(out, "\\xc2\\x9b\xc2\xa0\x9b\xc2");
}

static void
escape_never_writes_half_an_escape(void **state)
{
	char out[7];

	(void)state;
	assert_int_equal(util_escape(out, sizeof(out), "abc\n", 4), 3);
	assert_string_equal(out, "abc");
}

static void
a_text_is_cut_between_characters(void **state)
{
	char text[] = "ab\xc3\xa4"
		      "c";

	(void)state;
	util_cut(text, 5);
	assert_string_equal(text, "ab\xc3\xa4"
				  "c");
	util_cut(text, 4);
	assert_string_equal(text, "ab\xc3\xa4");
	util_cut(text, 3);
	assert_string_equal(text, "ab");
	util_cut(text, 0);
	assert_string_equal(text, "");
}

static void
the_first_error_stays(void **state)
{
	char *err = NULL;

	(void)state;
	assert_int_equal(util_fail(&err, "line %d", 1), -1);
	assert_int_equal(util_fail(&err, "line %d", 2), -1);
	assert_string_equal(err, "line 1");
	free(err);
}

static void
lists_grow_and_copy(void **state)
{
	char **list = NULL, **copy;

	(void)state;
	assert_int_equal(util_list_len(list), 0);
	assert_false(util_list_has(list, "a"));
	util_list_add(&list, "a");
	util_list_add(&list, "b");
	copy = util_list_copy(list);
	util_list_free(list);
	assert_int_equal(util_list_len(copy), 2);
	assert_true(util_list_has(copy, copy[1]));
	assert_false(util_list_has(copy, "neither"));
	assert_string_equal(copy[1], "b");
	util_list_free(copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape_shows_control_bytes_as_hex),
		cmocka_unit_test(escape_never_writes_half_an_escape),
		cmocka_unit_test(a_text_is_cut_between_characters),
		cmocka_unit_test(the_first_error_stays),
		cmocka_unit_test(lists_grow_and_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
