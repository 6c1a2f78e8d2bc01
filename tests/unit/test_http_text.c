/*
 * Slices of a request: words, lists, classes of bytes.
 */
#include "unit.h"

#include "http_text.h"
#include "util.h"

#include <string.h>

static struct http_text
text(const char *s)
{
	return (struct http_text){ s, strlen(s) };
}

static void
words_are_compared_whole(void **state)
{
	(void)state;
	assert_true(http_text_is(text("close"), "close"));
	assert_false(http_text_is(text("Close"), "close"));
	assert_false(http_text_is(text("clo"), "close"));
	assert_false(http_text_is(text("closed"), "close"));
	assert_true(http_text_is(text(""), ""));
	assert_false(http_text_is((struct http_text){ NULL, 0 }, ""));
	assert_true(http_text_is_nocase(text("CLosE"), "cLOSe"));
	assert_false(http_text_is_nocase(text("closed"), "close"));
	assert_false(http_text_is_nocase((struct http_text){ NULL, 0 }, ""));
	/* Bytes that differ by the same bit as letters of two cases. */
	assert_false(http_text_is_nocase(text("@[\\]^"), "`{|}~"));
	assert_false(http_text_is_nocase(text("\xc9"), "\xe9"));
}

static void
a_list_has_members_between_commas(void **state)
{
	static const struct {
		const char *list, *members; /* each with a bar behind it */
	} rows[] = {
		{ "x", "x|" },       { " x\t", "x|" },    { "a,x", "a|x|" },
		{ "a , x", "a|x|" }, { ",, x ,,", "x|" }, { "", "" },
		{ ",", "" },         { " \t", "" },       { "x;q=1,a x", "x;q=1|a x|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_text list = text(rows[i].list), member;
		char found[32] = "";

		while (http_text_next(&list, &member)) {
			strncat(found, member.at, member.len);
			strcat(found, "|");
		}
		assert_string_equal(found, rows[i].members);
	}
}

static void
a_byte_has_the_classes_of_the_grammar(void **state)
{
	static const char *const tokens = "!#$%&'*+-.^_`|~0123456789"
					  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (int c = 0; c < 256; c++) {
		bool visible = c > 0x20 && c < 0x7f;
		bool blank = c == ' ' || c == '\t';
		bool hex = c != 0 && strchr("0123456789abcdefABCDEF", c) != NULL;

		assert_int_equal(http_is((char)c, HTTP_TOKEN), c != 0 && strchr(tokens, c) != NULL);
		assert_int_equal(http_is((char)c, HTTP_FIELD), visible || blank || c >= 0x80);
		assert_int_equal(http_is((char)c, HTTP_TARGET), visible && c != '#');
		assert_int_equal(http_is((char)c, HTTP_HEX), hex);
		assert_int_equal(http_text_hex((char)c) >= 0, hex);
	}
	assert_int_equal(http_text_hex('9'), 9);
	assert_int_equal(http_text_hex('a'), 10);
	assert_int_equal(http_text_hex('F'), 15);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_compared_whole),
		cmocka_unit_test(a_list_has_members_between_commas),
		cmocka_unit_test(a_byte_has_the_classes_of_the_grammar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
