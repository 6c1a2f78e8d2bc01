#include "unit.h"

#include "conf_text.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* Cleans a copy; returns it, or NULL with *err.  The caller frees both. */
static char *
clean(const char *text, struct conf_text *out, char **err)
{
	char *copy = util_strdup(text);

	*err = NULL;
	if (conf_text_clean("f", copy, strlen(copy), out, err) == 0)
		return copy;
	free(copy);
	return NULL;
}

static void
comments_become_blanks_and_lines_stay(void **state)
{
	struct conf_text out;
	char *err, *text;

	(void)state;
	text = clean("a # b\n// c\nd /* e\nf */ g\n", &out, &err);
	assert_string_equal(text, "a    \n    \nd     \n     g\n");
	free(text);
	free(out.section_lines);
}

static void
two_slashes_inside_of_a_word_are_no_comment(void **state)
{
	static const char words[] = "to = https://a/\nb = /srv//www x = { 5//6 }\n";
	struct conf_text out;
	char *err, *text;

	(void)state;
	text = clean(words, &out, &err);
	assert_string_equal(text, words);
	free(text);
	free(out.section_lines);
	text = clean("a = \"b\"//c\nd {//e\n}//f\n//g\n\t//h\ni=//j\n1,//k\n", &out, &err);
	assert_string_equal(text, "a = \"b\"   \nd {   \n}   \n   \n\t   \ni=   \n1,   \n");
	free(text);
	free(out.section_lines);
}

static void
quoted_text_stays(void **state)
{
	static const char quoted[] = "a = \"# // /* \\\" #\"\nb = '# \\' \" //'\n";
	struct conf_text out;
	char *err, *text;

	(void)state;
	text = clean(quoted, &out, &err);
	assert_string_equal(text, quoted);
	free(text);
	free(out.section_lines);
}

static void
a_section_that_closes_tells_its_first_line(void **state)
{
	struct conf_text out;
	char *err, *text;

	(void)state;
	text =
	    clean("l = ${A}\npool a {\n x = { 1, 2 }\n exec {\n}\n}\n\npool b\n{\n}\n", &out, &err);
	assert_non_null(text);
	assert_int_equal(out.nsections, 3);
	assert_int_equal(out.section_lines[0], 4);
	assert_int_equal(out.section_lines[1], 2);
	assert_int_equal(out.section_lines[2], 9);
	free(text);
	free(out.section_lines);
}

static void
faults_are_told_with_their_line(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "a {\n\n", "f:1: the section or list" },
		{ "a {\nb {\n}\n", "f:1: the section or list" },
		{ "a = 1\n}\n", "f:2: a closing brace" },
		{ "\na = \"b\n\n", "f:2: the string" },
		{ "a = 'b\\'\n", "f:1: the string" },
		{ "a\n/* b\n * c\n", "f:2: the comment" },
		{ "a = \"\\400\"\n", "f:1: bad escape" },
		{ "a = \"\\8\"\n", "f:1: bad escape" },
		{ "a = \"\\0\"\n", "f:1: bad escape" },
		{ "a = \"\\1234\"\n", "f:1: bad escape" },
		{ "a = \"\\x00\"\n", "f:1: bad escape" },
		{ "a = \"\\x0g\"\n", "f:1: bad escape" },
		{ "a = \"\\xg\"\n", "f:1: bad escape" },
		{ "a = { \"${A\", \"b}\" }\n", "f:1: ${ without }" },
		{ "\na = ${A\n}\n", "f:2: ${ without }" },
		{ "a = *:80\n", "f:1: *, ( and ) must" },
		{ "a = 1+2\n", "f:1: + must" },
		{ "{{{{{{{{{", "f:1: sections are nested" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct conf_text out;
		char *err, *text = clean(rows[i].text, &out, &err);

		if (text || !strstr(err, rows[i].error))
			fail_msg("%s: %s", rows[i].text, err ? err : "accepted");
		free(err);
		free(out.section_lines);
	}
}

static void
a_nul_byte_is_refused(void **state)
{
	char text[] = "a = 1\n\0b = 2\n", *err = NULL;
	struct conf_text out;

	(void)state;
	assert_int_equal(conf_text_clean("f", text, sizeof(text) - 1, &out, &err), -1);
	assert_non_null(strstr(err, "f:2: a NUL byte"));
	free(err);
	free(out.section_lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_become_blanks_and_lines_stay),
		cmocka_unit_test(two_slashes_inside_of_a_word_are_no_comment),
		cmocka_unit_test(quoted_text_stays),
		cmocka_unit_test(a_section_that_closes_tells_its_first_line),
		cmocka_unit_test(faults_are_told_with_their_line),
		cmocka_unit_test(a_nul_byte_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
