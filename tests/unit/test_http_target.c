/*
 * From the target of a request to a path, and back to what stands in a link.
 */
#include "unit.h"

#include "http_target.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define RAW(literal) literal, sizeof(literal) - 1

static struct http_target target;

static int
parse(const char *origin)
{
	return http_target_parse((struct http_text){ origin, strlen(origin) }, &target);
}

static void
a_path_is_decoded_once_and_has_no_dot_segments(void **state)
{
	static const struct {
		const char *origin, *path;
	} rows[] = {
		{ "/", "/" },
		{ "/a", "/a" },
		{ "/a/", "/a/" },
		{ "/a/b.html", "/a/b.html" },
		{ "/%61%2E%68", "/a.h" },
		{ "/a%20b", "/a b" },
		{ "/%c3%A9", "/\xc3\xa9" },
		{ "/%0a%7F%1b", "/\n\x7f\x1b" },
		{ "/%252e%252e/", "/%2e%2e/" },
		{ "/%2525", "/%25" },
		{ "/a%3fb", "/a?b" },
		{ "/a%23b%5C", "/a#b\\" },
		{ "/+", "/+" },
		/* RFC 3986 5.2.4 */
		{ "/.", "/" },
		{ "/./", "/" },
		{ "/a/.", "/a/" },
		{ "/a/./b", "/a/b" },
		{ "/a/..", "/" },
		{ "/a/../", "/" },
		{ "/a/../b", "/b" },
		{ "/a/b/..", "/a/" },
		{ "/a/b/../../c", "/c" },
		{ "/a/b/c/./../../g", "/a/g" },
		{ "/%2e", "/" },
		{ "/a/%2e%2E/b", "/b" },
		{ "/a/.%2e", "/" },
		/* Not dot segments. */
		{ "/...", "/..." },
		{ "/.a", "/.a" },
		{ "/a.", "/a." },
		{ "/..a", "/..a" },
		{ "/a..", "/a.." },
		{ "/a/..;/b", "/a/..;/b" },
		{ "/..%5c..", "/..\\.." },
		/* Empty segments are none. */
		{ "//", "/" },
		{ "//a", "/a" },
		{ "/a//b///", "/a/b/" },
		{ "/a//../b", "/b" },
		{ "//./", "/" },
		{ "/.//a", "/a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (parse(rows[i].origin) != 0)
			fail_msg("%s was refused", rows[i].origin);
		assert_string_equal(target.path, rows[i].path);
		assert_int_equal(target.len, strlen(rows[i].path));
		assert_int_equal(target.slash, rows[i].path[target.len - 1] == '/');
		assert_false(target.has_query);
		assert_null(target.query.at);
	}
}

static void
a_bad_path_is_refused(void **state)
{
	static const struct {
		const char *origin;
		size_t len;
		int status;
	} rows[] = {
		{ RAW(""), 400 },         { RAW("*"), 400 },          { RAW("a"), 400 },
		{ RAW("a?b"), 400 },      { RAW("%2Fa"), 400 },       { RAW("/%"), 400 },
		{ RAW("/%4"), 400 },      { RAW("/%4?1"), 400 },      { RAW("/%g1"), 400 },
		{ RAW("/%1g"), 400 },     { RAW("/%%41"), 400 },      { RAW("/%u0041"), 400 },
		{ RAW("/%+1"), 400 },     { RAW("/%00"), 400 },       { RAW("/a%00.html"), 400 },
		{ RAW("/%2F"), 404 },     { RAW("/a%2fb"), 404 },     { RAW("/..%2f.."), 404 },
		{ RAW("/.."), 400 },      { RAW("/../"), 400 },       { RAW("/../a"), 400 },
		{ RAW("/a/../.."), 400 }, { RAW("/a/../../b"), 400 }, { RAW("/./../"), 400 },
		{ RAW("//../"), 400 },    { RAW("/%2e%2e"), 400 },    { RAW("/.%2E/"), 400 },
		{ RAW("/\0"), 400 },      { RAW("/\n"), 400 },        { RAW("/ "), 400 },
		{ RAW("/\x7f"), 400 },    { RAW("/\x80"), 400 },      { RAW("/#a"), 400 },
		{ RAW("/?#a"), 400 },     { RAW("/?\x01"), 400 },     { RAW("/?\xe9"), 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_text origin = { rows[i].origin, rows[i].len };

		if (http_target_parse(origin, &target) != rows[i].status)
			fail_msg("row %zu: %s", i, rows[i].origin);
	}
}

static void
a_query_is_kept_as_it_was_sent(void **state)
{
	static const struct {
		const char *origin, *path, *query;
	} rows[] = {
		{ "/a?", "/a", "" },
		{ "/a?b", "/a", "b" },
		{ "/?a=%2F%00%zz/../?b", "/", "a=%2F%00%zz/../?b" },
		{ "/a/?x", "/a/", "x" },
		{ "?x", "/", "x" },
		{ "?", "/", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].origin), 0);
		assert_string_equal(target.path, rows[i].path);
		assert_true(target.has_query);
		assert_true(http_text_is(target.query, rows[i].query));
	}
}

static void
a_path_that_has_no_room_is_refused(void **state)
{
	char *origin = util_calloc(1, 2 * HTTP_PATH_BYTES);

	(void)state;
	memset(origin, 'a', HTTP_PATH_BYTES - 1);
	origin[0] = '/';
	assert_int_equal(parse(origin), 0);
	assert_int_equal(target.len, HTTP_PATH_BYTES - 1);
	origin[HTTP_PATH_BYTES - 1] = 'a';
	assert_int_equal(parse(origin), 414);
	memset(origin, '/', 2 * HTTP_PATH_BYTES - 1);
	assert_int_equal(parse(origin), 0);
	assert_string_equal(target.path, "/");
	free(origin);
}

static void
a_dotfile_is_hidden_unless_it_is_well_known(void **state)
{
	static const struct {
		const char *origin;
		bool hidden;
	} rows[] = {
		{ "/", false },
		{ "/a.b", false },
		{ "/a/b.", false },
		{ "/.a", true },
		{ "/.git/config", true },
		{ "/a/.htaccess", true },
		{ "/%2Ehtaccess", true },
		{ "/...", true },
		{ "/.well-known", false },
		{ "/.well-known/", false },
		{ "/.well-known/security.txt", false },
		{ "/.well-known/.a", true },
		{ "/.well-known/a/.b", true },
		{ "/.well-knownx", true },
		{ "/.well-know", true },
		{ "/.Well-known/a", true },
		{ "/a/.well-known/b", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(rows[i].origin), 0);
		if (http_target_is_hidden(&target) != rows[i].hidden)
			fail_msg("%s", rows[i].origin);
	}
}

static void
an_encoded_path_is_safe_in_a_link_and_is_read_as_the_same(void **state)
{
	char path[256] = "/", encoded[1024];
	size_t n = 1, len;

	(void)state;
	for (int c = 1; c < 256; c++)
		if (c != '/')
			path[n++] = (char)c;
	len = http_target_encode(encoded, sizeof(encoded), path, n);
	assert_int_equal(strlen(encoded), len);
	assert_int_equal(strspn(encoded, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-._~/%"),
			 len);
	assert_int_equal(parse(encoded), 0);
	assert_int_equal(target.len, n);
	assert_memory_equal(target.path, path, n);
}

static void
an_encoded_path_without_room_is_cut_between_bytes(void **state)
{
	static const struct {
		size_t size;
		const char *encoded;
	} rows[] = { { 1, "" },     { 2, "a" },     { 3, "a" },     { 4, "a" },
		     { 5, "a%20" }, { 6, "a%20b" }, { 8, "a%20b" }, { 9, "a%20b%3A" } };
	char encoded[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(encoded, 'X', sizeof(encoded));
		assert_int_equal(http_target_encode(encoded, rows[i].size, "a b:", 4), 8);
		assert_string_equal(encoded, rows[i].encoded);
		assert_int_equal(encoded[rows[i].size], 'X');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_decoded_once_and_has_no_dot_segments),
		cmocka_unit_test(a_bad_path_is_refused),
		cmocka_unit_test(a_query_is_kept_as_it_was_sent),
		cmocka_unit_test(a_path_that_has_no_room_is_refused),
		cmocka_unit_test(a_dotfile_is_hidden_unless_it_is_well_known),
		cmocka_unit_test(an_encoded_path_is_safe_in_a_link_and_is_read_as_the_same),
		cmocka_unit_test(an_encoded_path_without_room_is_cut_between_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
