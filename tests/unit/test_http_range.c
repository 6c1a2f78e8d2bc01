#include "unit.h"

#include "http_range.h"
#include "util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX = 4 };

/* "0-1 5-9" for ranges, "none" or "416". */
static void
describe(const char *value, int64_t size, char out[256])
{
	struct http_range ranges[MAX];
	size_t n = 0, len = 0;

	switch (
	    http_range_parse((struct http_text){ value, strlen(value) }, size, ranges, MAX, &n)) {
	case HTTP_RANGE_NONE:
		strcpy(out, "none");
		break;
	case HTTP_RANGE_UNSATISFIABLE:
		strcpy(out, "416");
		break;
	case HTTP_RANGE_SOME:
		assert_in_range(n, 1, MAX);
		for (size_t i = 0; i < n; i++)
			len += (size_t)snprintf(out + len, 256 - len, "%s%" PRId64 "-%" PRId64,
						i ? " " : "", ranges[i].first, ranges[i].last);
	}
}

struct row {
	const char *value, *expected;
	int64_t size;
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char got[256];

		describe(rows[i].value, rows[i].size, got);
		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("\"%s\" of %" PRId64 ": %s, not %s", rows[i].value, rows[i].size,
				 got, rows[i].expected);
	}
}

static void
ranges_are_cut_to_the_file(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-499", "0-499", 1000 },
		{ "bytes=500-999", "500-999", 1000 },
		{ "bytes=500-1000", "500-999", 1000 },
		{ "bytes=0-", "0-999", 1000 },
		{ "bytes=999-", "999-999", 1000 },
		{ "bytes=0-0", "0-0", 1000 },
		{ "bytes=-1", "999-999", 1000 },
		{ "bytes=-1000", "0-999", 1000 },
		{ "bytes=-1001", "0-999", 1000 },
		{ "bytes=0-99999999999999999999999999", "0-999", 1000 },
		{ "bytes=-99999999999999999999999999", "0-999", 1000 },
		{ "bytes=007-0008", "7-8", 1000 },
		{ "bytes=9223372036854775806-", "9223372036854775806-9223372036854775806",
		  INT64_MAX },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
several_ranges_stay_in_their_order(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-0,-1", "0-0 999-999", 1000 },
		{ "bytes=500-600,601-999", "500-600 601-999", 1000 },
		{ "bytes=500-700,601-998", "500-700 601-998", 1000 },
		{ "bytes=900-999,0-9", "900-999 0-9", 1000 },
		{ "bytes=0-1 , 3-4\t,\t6-7", "0-1 3-4 6-7", 1000 },
		{ "bytes=,0-1,,3-4,", "0-1 3-4", 1000 },
		{ "bytes= ,0-1", "0-1", 1000 },
		{ "bytes=0-1,2-3,4-5,6-7", "0-1 2-3 4-5 6-7", 1000 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
what_lies_behind_the_end_is_left_out_or_unsatisfiable(void **state)
{
	static const struct row rows[] = {
		{ "bytes=1000-", "416", 1000 },
		{ "bytes=1000-1001", "416", 1000 },
		{ "bytes=-0", "416", 1000 },
		{ "bytes=-0,2000-3000", "416", 1000 },
		{ "bytes=99999999999999999999999999-", "416", 1000 },
		{ "bytes=9223372036854775807-", "416", INT64_MAX },
		{ "bytes=1000-,5-6", "5-6", 1000 },
		{ "bytes=5-6,-0", "5-6", 1000 },
		{ "bytes=0-", "416", 0 },
		{ "bytes=0-0", "416", 0 },
		{ "bytes=-0", "416", 0 },
		/* Satisfiable by 14.1.2, but no Content-Range could say what was sent. */
		{ "bytes=-5", "none", 0 },
		{ "bytes=0-,-5", "none", 0 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
the_unit_is_bytes_in_whatever_case(void **state)
{
	static const struct row rows[] = {
		{ "Bytes=0-1", "0-1", 1000 },   { "BYTES=0-1", "0-1", 1000 },
		{ "lines=0-1", "none", 1000 },  { "byte=0-1", "none", 1000 },
		{ "bytess=0-1", "none", 1000 }, { "bytes 0-1", "none", 1000 },
		{ "bytes =0-1", "none", 1000 }, { "bytes", "none", 1000 },
		{ "=0-1", "none", 1000 },       { "", "none", 1000 },
		{ "0-1", "none", 1000 },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
mistakes_are_ignored_as_a_whole(void **state)
{
	static const char *const values[] = {
		"bytes=",        "bytes=,",     "bytes= ",         "bytes=-",
		"bytes=1",       "bytes=2-1",   "bytes=2000-1999", "bytes=2000-1,0-1",
		"bytes=a-b",     "bytes=0-1x",  "bytes=0-1;2-3",   "bytes=0-1 2-3",
		"bytes=0 -1",    "bytes=0- 1",  "bytes= 0-1",      "bytes=--1",
		"bytes=+0-1",    "bytes=0-1-2", "bytes=0x1-2",     "bytes=0-1,2",
		"bytes=0-1,3-2", "bytes=0-1,-", "bytes=0-1,x",     "bytes=0-+1",
		"bytes=\"0-1\"", "bytes=*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		check_rows(&(struct row){ values[i], "none", 1000 }, 1);
	assert_int_equal(http_range_parse((struct http_text){ NULL, 0 }, 1, NULL, 0, NULL),
			 HTTP_RANGE_NONE);
}

static void
abuse_gets_the_whole_file(void **state)
{
	static const struct row rows[] = {
		{ "bytes=0-1,2-3,4-5,6-7,8-9", "none", 1000 },
		{ "bytes=0-1,2-3,4-5,6-7,2000-", "none", 1000 },
		{ "bytes=0-,0-", "none", 1000 },
		{ "bytes=0-,0-0", "none", 1000 },
		{ "bytes=0-499,0-499", "0-499 0-499", 1000 },
		{ "bytes=0-499,0-500", "none", 1000 },
		{ "bytes=0-,-9223372036854775807", "none", INT64_MAX },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_cut_to_the_file),
		cmocka_unit_test(several_ranges_stay_in_their_order),
		cmocka_unit_test(what_lies_behind_the_end_is_left_out_or_unsatisfiable),
		cmocka_unit_test(the_unit_is_bytes_in_whatever_case),
		cmocka_unit_test(mistakes_are_ignored_as_a_whole),
		cmocka_unit_test(abuse_gets_the_whole_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
