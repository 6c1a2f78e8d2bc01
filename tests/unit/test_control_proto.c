#include "unit.h"

#include "control_proto.h"

#include <stdlib.h>
#include <string.h>

static void
assert_refused(const char *line, size_t len, const char *why)
{
	struct control_request request;
	char *err = NULL;

	assert_int_equal(control_request_parse(&request, line, len, &err), -1);
	if (!strstr(err, why))
		fail_msg("\"%s\" was refused because of: %s", line, err);
	free(err);
}

static void
options_may_stand_anywhere_in_a_request(void **state)
{
	static const char *const lines[] = {
		"scale www -2 --no-wait",
		"--no-wait scale www -2",
		" scale  www --no-wait -2 ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct control_request request;
		char *err = NULL;

		assert_int_equal(control_request_parse(&request, lines[i], strlen(lines[i]), &err),
				 0);
		assert_int_equal(request.n, 3);
		assert_string_equal(request.words[0], "scale");
		assert_string_equal(request.words[1], "www");
		assert_string_equal(request.words[2], "-2");
		assert_true(request.no_wait);
		assert_false(request.now);
	}
}

static void
wrong_requests_are_refused(void **state)
{
	char line[CONTROL_LINE_BYTES + 1];

	(void)state;
	assert_refused("", 0, "empty");
	assert_refused("  ", 2, "empty");
	assert_refused("--now", 5, "empty");
	assert_refused("status --json", 13, "unknown option --json");
	assert_refused("status\twww", 10, "control byte");
	assert_refused("status\0www", 10, "control byte");
	assert_refused("drain a\\x0ab", 12, "control byte");
	assert_refused("1 2 3 4 5 6 7 8 9", 17, "too many");
	memset(line, 'x', sizeof(line));
	assert_refused(line, CONTROL_LINE_BYTES, "at most 1024 bytes");
}

static void
the_longest_request_has_1024_bytes_with_its_end(void **state)
{
	char word[CONTROL_LINE_BYTES + 1], *line, *err = NULL;
	struct control_request request = { .n = 1, .words = { word } };

	(void)state;
	memset(word, 'x', sizeof(word));
	word[CONTROL_LINE_BYTES - 1] = '\0';
	line = control_request_format(&request, &err);
	assert_non_null(line);
	assert_int_equal(strlen(line), CONTROL_LINE_BYTES);
	assert_int_equal(control_request_parse(&request, line, strlen(line) - 1, &err), 0);
	free(line);
	word[CONTROL_LINE_BYTES - 1] = 'x';
	word[CONTROL_LINE_BYTES] = '\0';
	request = (struct control_request){ .n = 1, .words = { word } };
	assert_null(control_request_format(&request, &err));
	assert_non_null(strstr(err, "at most 1024 bytes"));
	free(err);
}

static void
a_word_of_any_printable_bytes_arrives_as_it_is(void **state)
{
	static const char *const words[] = {
		"www", "my pool", " ", "--now", "--", "-1", "a\\b", "\\x41", "\\", "\xc3\xa4\xff",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct control_request request = { .words = { "drain", words[i] },
						   .n = 2,
						   .no_wait = true };
		char *err = NULL, *line = control_request_format(&request, &err);

		assert_non_null(line);
		assert_int_equal(control_request_parse(&request, line, strlen(line) - 1, &err), 0);
		free(line);
		assert_int_equal(request.n, 2);
		assert_string_equal(request.words[1], words[i]);
		assert_true(request.no_wait);
		assert_false(request.now);
	}
}

static void
a_word_that_is_none_is_not_sent(void **state)
{
	static const char *const words[] = { "", "a\nb", "a\tb", "\x7f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct control_request request = { .words = { words[i] }, .n = 1 };
		char *err = NULL;

		assert_null(control_request_format(&request, &err));
		assert_non_null(err);
		free(err);
	}
}

static void
a_record_is_read_as_it_was_written(void **state)
{
	static const char odd[] = "tab\tline\nback\\slash\\x41 \x01\x7f\xff = \xc3\xa4";
	char *line = NULL;
	size_t len;
	FILE *out = open_memstream(&line, &len);
	struct control_record record;

	(void)state;
	control_record_begin(out, "pool");
	control_record_text(out, "name", odd);
	control_record_text(out, "listen", "");
	control_record_text(out, "service", NULL);
	control_record_number(out, "idle", INT64_MIN);
	control_record_number(out, "busy", INT64_MAX);
	control_record_end(out);
	fclose(out);
	assert_ptr_equal(strpbrk(line, "\x01\x7f\n"), line + len - 1);
	line[len - 1] = '\0';
	assert_int_equal(control_record_parse(&record, line), 0);
	assert_string_equal(record.kind, "pool");
	assert_int_equal(record.n, 5);
	assert_string_equal(control_record_get(&record, "name"), odd);
	assert_string_equal(control_record_get(&record, "listen"), "");
	assert_string_equal(control_record_get(&record, "service"), "");
	assert_true(control_record_get_number(&record, "idle", 0) == INT64_MIN);
	assert_true(control_record_get_number(&record, "busy", 0) == INT64_MAX);
	assert_null(control_record_get(&record, "nothing"));
	free(line);
}

static void
what_is_no_number_is_the_fallback(void **state)
{
	char line[] = "pool\ta=\tb=x\tc=1x\td=99999999999999999999\tg=-7";
	struct control_record record;

	(void)state;
	assert_int_equal(control_record_parse(&record, line), 0);
	assert_int_equal(control_record_get_number(&record, "a", 5), 5);
	assert_int_equal(control_record_get_number(&record, "b", 5), 5);
	assert_int_equal(control_record_get_number(&record, "c", 5), 5);
	assert_int_equal(control_record_get_number(&record, "d", 5), 5);
	assert_int_equal(control_record_get_number(&record, "g", 5), -7);
	assert_int_equal(control_record_get_number(&record, "f", 5), 5);
}

static void
what_is_no_record_is_refused(void **state)
{
	static const char *const rows[] = { "",       "\ta=b",  "Pool\ta=b", "po ol\ta=b",
					    "1\ta=b", "pool\t", "pool\ta",   "pool\ta=b\t" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *line = strdup(rows[i]);
		struct control_record record;

		if (control_record_parse(&record, line) == 0)
			fail_msg("\"%s\" is a record", rows[i]);
		free(line);
	}
}

static void
fields_beyond_the_limit_are_dropped(void **state)
{
	char line[CONTROL_LINE_BYTES] = "pool";
	struct control_record record;

	(void)state;
	for (int i = 0; i < CONTROL_FIELDS + 5; i++)
		sprintf(line + strlen(line), "\tk%d=%d", i, i);
	assert_int_equal(control_record_parse(&record, line), 0);
	assert_int_equal(record.n, CONTROL_FIELDS);
	assert_int_equal(control_record_get_number(&record, "k63", -1), 63);
	assert_int_equal(control_record_get_number(&record, "k64", -1), -1);
}

static void
an_escape_that_is_none_stays(void **state)
{
	char line[] = "pool\ta=\\x\tb=\\xg1\tc=\\x4\td=\\x00\tg=\\\\x41\tf=\\x41\\x5cx";
	struct control_record record;

	(void)state;
	assert_int_equal(control_record_parse(&record, line), 0);
	assert_string_equal(control_record_get(&record, "a"), "\\x");
	assert_string_equal(control_record_get(&record, "b"), "\\xg1");
	assert_string_equal(control_record_get(&record, "c"), "\\x4");
	assert_string_equal(control_record_get(&record, "d"), "\\x00");
	assert_string_equal(control_record_get(&record, "g"), "\\A");
	assert_string_equal(control_record_get(&record, "f"), "A\\x");
}

static void
the_last_line_is_told_from_records(void **state)
{
	bool ok = false;

	(void)state;
	assert_string_equal(control_last_parse("ok log reopened", &ok), "log reopened");
	assert_true(ok);
	assert_string_equal(control_last_parse("failed /f:1: no", &ok), "/f:1: no");
	assert_false(ok);
	assert_string_equal(control_last_parse("ok", &ok), "");
	assert_true(ok);
	assert_null(control_last_parse("okay", &ok));
	assert_null(control_last_parse("ok\ta=b", &ok));
	assert_null(control_last_parse("pool\tok=1", &ok));
	assert_null(control_last_parse("", &ok));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere_in_a_request),
		cmocka_unit_test(wrong_requests_are_refused),
		cmocka_unit_test(the_longest_request_has_1024_bytes_with_its_end),
		cmocka_unit_test(a_word_of_any_printable_bytes_arrives_as_it_is),
		cmocka_unit_test(a_word_that_is_none_is_not_sent),
		cmocka_unit_test(a_record_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_number_is_the_fallback),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(fields_beyond_the_limit_are_dropped),
		cmocka_unit_test(an_escape_that_is_none_stays),
		cmocka_unit_test(the_last_line_is_told_from_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
