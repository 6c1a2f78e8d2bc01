#include "unit.h"

#include "conf_value.h"

#include <stdlib.h>
#include <string.h>

static void
times_have_units(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "500ms", 500 },
		{ "20", 20000 },
		{ "20s", 20000 },
		{ "5m", 300000 },
		{ "2h", 7200000 },
		{ "1d", 86400000 },
		{ "", -1 },
		{ "s", -1 },
		{ "5 s", -1 },
		{ "-1s", -1 },
		{ "1.5s", -1 },
		{ "5x", -1 },
		{ "5ss", -1 },
		{ "0x10", -1 },
		{ "+5", -1 },
		{ "010s", -1 },
		{ "9223372036854775807", -1 },
		{ "99999999999999999999s", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ms = -1;
		char *err = NULL;
		int result = conf_value_time(rows[i].text, 0, INT64_MAX, &ms, &err);

		if ((result == 0 ? ms : -1) != rows[i].ms)
			fail_msg("\"%s\": %lld", rows[i].text, (long long)ms);
		assert_true((result < 0) == (err != NULL));
		free(err);
	}
}

static void
decimals_have_up_to_three_places(void **state)
{
	static const struct {
		const char *text;
		int64_t value; /* -1: refused */
		const char *shown;
	} rows[] = {
		{ "0", 0, "0" },
		{ "8", 8000, "8" },
		{ "8.0", 8000, "8" },
		{ "0.5", 500, "0.5" },
		{ "0.05", 50, "0.05" },
		{ "0.125", 125, "0.125" },
		{ "12.340", 12340, "12.34" },
		{ "1000000", 1000000000, "1000000" },
		{ "1000000.001", -1, NULL },
		{ "0.1234", -1, NULL },
		{ "8.", -1, NULL },
		{ ".5", -1, NULL },
		{ "8,5", -1, NULL },
		{ "08", -1, NULL },
		{ "-1", -1, NULL },
		{ "+1", -1, NULL },
		{ "1.5.2", -1, NULL },
		{ "1.5x", -1, NULL },
		{ "1e3", -1, NULL },
		{ "", -1, NULL },
		{ "9223372036854775807", -1, NULL },
		{ "9223372036854776", -1, NULL },
		{ "99999999999999999999", -1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t value = -1;
		char *err = NULL, *shown = NULL;
		int result = conf_value_decimal(rows[i].text, 0, 1000000000, &value, &err);
		size_t len;
		FILE *out = open_memstream(&shown, &len);

		if ((result == 0 ? value : -1) != rows[i].value)
			fail_msg("\"%s\": %lld", rows[i].text, (long long)value);
		assert_true((result < 0) == (err != NULL));
		conf_value_print_decimal(out, value);
		fclose(out);
		if (rows[i].shown)
			assert_string_equal(shown, rows[i].shown);
		free(shown);
		free(err);
	}
}

static void
sizes_have_units(void **state)
{
	int64_t bytes;
	char *err = NULL;

	(void)state;
	assert_int_equal(conf_value_size("8k", 0, INT64_MAX, &bytes, &err), 0);
	assert_int_equal(bytes, 8192);
	assert_int_equal(conf_value_size("2G", 0, INT64_MAX, &bytes, &err), 0);
	assert_int_equal(bytes, INT64_C(2) << 30);
	assert_int_equal(conf_value_size("8589934592G", 0, INT64_MAX, &bytes, &err), -1);
	free(err);
}

static void
counts_refuse_octal_signs_and_overflow(void **state)
{
	static const char *const bad[] = { "022", "00",  "-1",  "+1", "1 ",
					   " 1",  "0x1", "1e3", "",   "99999999999999999999" };
	int64_t n = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *err = NULL;

		assert_int_equal(conf_value_count(bad[i], 0, 100000, &n, &err), -1);
		assert_non_null(err);
		free(err);
	}
	assert_int_equal(n, 7);
	assert_int_equal(conf_value_count("0", 0, 10, &n, NULL), 0);
	assert_int_equal(n, 0);
}

static void
negative_numbers_where_they_make_sense(void **state)
{
	int64_t n;
	char *err = NULL;

	(void)state;
	assert_int_equal(conf_value_count("-20", -20, 19, &n, &err), 0);
	assert_int_equal(n, -20);
	assert_int_equal(conf_value_count("-21", -20, 19, &n, &err), -1);
	assert_non_null(strstr(err, "-20 to 19"));
	free(err);
}

static void
modes_are_octal(void **state)
{
	static const char *const bad[] = { "", "66", "0680", "rw-", "01777", "0666 ", "-660" };
	int64_t mode;

	(void)state;
	assert_int_equal(conf_value_mode("0660", 0777, &mode, NULL), 0);
	assert_int_equal(mode, 0660);
	assert_int_equal(conf_value_mode("700", 0777, &mode, NULL), 0);
	assert_int_equal(mode, 0700);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *err = NULL;

		assert_int_equal(conf_value_mode(bad[i], 0777, &mode, &err), -1);
		free(err);
	}
}

static char *
printed(void (*print)(FILE *, int64_t), int64_t value)
{
	static char text[64];
	FILE *out = fmemopen(text, sizeof(text), "w");

	print(out, value);
	fclose(out);
	return text;
}

static void
what_is_printed_reads_back(void **state)
{
	static const int64_t values[] = { 0, 1, 999, 1000, 1001, 60000, 90000, 86400000, 86400001 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		int64_t back = -1;

		assert_int_equal(conf_value_time(printed(conf_value_print_time, values[i]), 0,
						 INT64_MAX, &back, NULL),
				 0);
		assert_int_equal(back, values[i]);
		assert_int_equal(conf_value_size(printed(conf_value_print_size, values[i]), 0,
						 INT64_MAX, &back, NULL),
				 0);
		assert_int_equal(back, values[i]);
	}
}

static void
strings_are_printed_with_escapes(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	conf_value_print_string(out, "a\"b\\c\n${HOME}$x");
	fclose(out);
	assert_string_equal(text, "\"a\\\"b\\\\c\\x0a\\x24{HOME}$x\"");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_have_units),
		cmocka_unit_test(decimals_have_up_to_three_places),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(counts_refuse_octal_signs_and_overflow),
		cmocka_unit_test(negative_numbers_where_they_make_sense),
		cmocka_unit_test(modes_are_octal),
		cmocka_unit_test(what_is_printed_reads_back),
		cmocka_unit_test(strings_are_printed_with_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
