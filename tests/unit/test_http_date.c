#include "unit.h"

#include "http_date.h"
#include "util.h"

#include <string.h>
#include <time.h>

#define NOW INT64_C(1800000000) /* Fri, 15 Jan 2027 08:00:00 GMT */

static bool
parse(const char *text, int64_t now, int64_t *seconds)
{
	return http_date_parse((struct http_text){ text, strlen(text) }, now, seconds);
}

static void
all_three_forms_are_the_same_second(void **state)
{
	static const char *const rows[] = {
		"Sun, 06 Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun Nov  6 08:49:37 1994",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t seconds = 0;

		if (!parse(rows[i], NOW, &seconds))
			fail_msg("\"%s\" was refused", rows[i]);
		assert_int_equal(seconds, 784111777);
	}
}

static void
what_is_written_is_what_the_c_library_writes(void **state)
{
	(void)state;
	for (int64_t s = -62167219200; s < 253402300799; s += 8640017 * 7 + 1) {
		char ours[HTTP_DATE_BYTES], iso[HTTP_DATE_ISO_BYTES], theirs[64];
		time_t t = (time_t)s;
		int64_t back = 1;
		struct tm tm;

		gmtime_r(&t, &tm);
		http_date_format(ours, s);
		/* %Y alone has no leading zeros. */
		strftime(theirs, sizeof(theirs), "%a, %d %b %04Y %H:%M:%S GMT", &tm);
		assert_string_equal(ours, theirs);
		assert_true(parse(ours, NOW, &back));
		assert_int_equal(back, s);
		http_date_iso(iso, s);
		strftime(theirs, sizeof(theirs), "%04Y-%m-%d %H:%M", &tm);
		assert_string_equal(iso, theirs);
	}
}

static void
a_year_of_other_than_four_digits_is_the_nearest_one(void **state)
{
	char text[HTTP_DATE_BYTES];

	(void)state;
	http_date_format(text, INT64_MAX);
	assert_string_equal(text, "Fri, 31 Dec 9999 23:59:59 GMT");
	http_date_format(text, INT64_MIN);
	assert_string_equal(text, "Sat, 01 Jan 0000 00:00:00 GMT");
	http_date_format(text, -1);
	assert_string_equal(text, "Wed, 31 Dec 1969 23:59:59 GMT");
}

static void
two_digits_are_the_latest_year_at_most_50_years_ahead(void **state)
{
	static const struct {
		const char *now, *text, *whole;
	} rows[] = {
		{ "Fri, 15 Jan 2027 08:00:00 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
		  "Sun, 06 Nov 1994 08:49:37 GMT" },
		{ "Fri, 15 Jan 2027 08:00:00 GMT", "Friday, 15-Jan-77 08:00:00 GMT",
		  "Fri, 15 Jan 2077 08:00:00 GMT" },
		{ "Fri, 15 Jan 2027 08:00:00 GMT", "Saturday, 15-Jan-77 08:00:01 GMT",
		  "Sat, 15 Jan 1977 08:00:01 GMT" },
		{ "Fri, 15 Jan 2027 08:00:00 GMT", "Sunday, 01-Jan-78 00:00:00 GMT",
		  "Sun, 01 Jan 1978 00:00:00 GMT" },
		{ "Wed, 01 Jan 2070 00:00:00 GMT", "Tuesday, 05-Jan-10 00:00:00 GMT",
		  "Sun, 05 Jan 2110 00:00:00 GMT" },
		{ "Thu, 29 Feb 2024 00:00:00 GMT", "Sunday, 01-Mar-74 00:00:00 GMT",
		  "Thu, 01 Mar 2074 00:00:00 GMT" },
		{ "Thu, 29 Feb 2024 00:00:00 GMT", "Tuesday, 29-Feb-00 00:00:00 GMT",
		  "Tue, 29 Feb 2000 00:00:00 GMT" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[HTTP_DATE_BYTES];
		int64_t now, seconds;

		assert_true(parse(rows[i].now, 0, &now));
		assert_true(parse(rows[i].text, now, &seconds));
		http_date_format(text, seconds);
		assert_memory_equal(text + 5, rows[i].whole + 5, HTTP_DATE_BYTES - 5);
	}
}

static void
a_leap_second_is_the_next_one(void **state)
{
	int64_t leap, next;

	(void)state;
	assert_true(parse("Sat, 31 Dec 2016 23:59:60 GMT", NOW, &leap));
	assert_true(parse("Sun, 01 Jan 2017 00:00:00 GMT", NOW, &next));
	assert_int_equal(leap, next);
}

static void
the_name_of_the_day_may_be_wrong(void **state)
{
	int64_t seconds;

	(void)state;
	assert_true(parse("Mon, 06 Nov 1994 08:49:37 GMT", NOW, &seconds));
	assert_int_equal(seconds, 784111777);
}

static void
all_else_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"0",
		"784111777",
		"Sun",
		/* blanks, case, zones */
		" Sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
		"Sun,06 Nov 1994 08:49:37 GMT",
		"Sun,  06 Nov 1994 08:49:37 GMT",
		"sun, 06 Nov 1994 08:49:37 GMT",
		"Sun, 06 nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 gmt",
		"Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun, 06 Nov 1994 08:49:37 +0000",
		"Sun, 06 Nov 1994 08:49:37",
		"06 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT; length=5",
		"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
		/* digits */
		"Sun, 6 Nov 1994 08:49:37 GMT",
		"Sun,  6 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 94 08:49:37 GMT",
		"Sun, 06 Nov 1994 8:49:37 GMT",
		"Sun, 06 Nov 1994 08:49 GMT",
		"Sun, 06 Nov +994 08:49:37 GMT",
		"Sun, 06 Nov 19994 08:49:37 GMT",
		/* no such time */
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 31 Nov 1994 08:49:37 GMT",
		"Wed, 29 Feb 2023 00:00:00 GMT",
		"Thu, 29 Feb 1900 00:00:00 GMT",
		"Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:60:37 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT",
		"Sun, 06 Nov 1994 23:59:61 GMT",
		"Sun, 06 Now 1994 08:49:37 GMT",
		"Son, 06 Nov 1994 08:49:37 GMT",
		/* RFC 850 and asctime */
		"Sun, 06-Nov-94 08:49:37 GMT",
		"Sunday, 06-Nov-1994 08:49:37 GMT",
		"Sunday, 06 Nov 94 08:49:37 GMT",
		"Sunday, 6-Nov-94 08:49:37 GMT",
		"Sunday, 31-Feb-94 08:49:37 GMT",
		"Sunday, 06 Nov 1994 08:49:37 GMT",
		"Sun Nov 6 08:49:37 1994",
		"Sun Nov  6 08:49:37 94",
		"Sun Nov  16 08:49:37 1994",
		"Sun Nov  6 08:49:37 1994 GMT",
		"Sun Nov  6 08:49:37 GMT 1994",
		"Sun, Nov  6 08:49:37 1994",
		"Sun Nov  0 08:49:37 1994",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t seconds = 42;

		if (parse(rows[i], NOW, &seconds))
			fail_msg("\"%s\" was taken", rows[i]);
		assert_int_equal(seconds, 42);
	}
	assert_false(http_date_parse((struct http_text){ NULL, 0 }, NOW, &(int64_t){ 0 }));
}

static void
a_date_is_read_no_further_than_its_length(void **state)
{
	static const char text[] = "Sun, 06 Nov 1994 08:49:37 GMT";
	int64_t seconds;

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++)
		assert_false(http_date_parse((struct http_text){ text, len }, NOW, &seconds));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_three_forms_are_the_same_second),
		cmocka_unit_test(what_is_written_is_what_the_c_library_writes),
		cmocka_unit_test(a_year_of_other_than_four_digits_is_the_nearest_one),
		cmocka_unit_test(two_digits_are_the_latest_year_at_most_50_years_ahead),
		cmocka_unit_test(a_leap_second_is_the_next_one),
		cmocka_unit_test(the_name_of_the_day_may_be_wrong),
		cmocka_unit_test(all_else_is_refused),
		cmocka_unit_test(a_date_is_read_no_further_than_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
