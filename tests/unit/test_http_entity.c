#include "unit.h"

#include "http_entity.h"
#include "util.h"

#include <string.h>

#define MTIME  INT64_C(784111777) /* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW    (MTIME + 86400)
#define ETAG   "\"1f-3e8-ae1b981bc490a07\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define EXACT  "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct stat file = {
	.st_ino = 31,
	.st_size = 1000,
	.st_mtim = { .tv_sec = MTIME, .tv_nsec = 7 },
};

/* A request with up to four fields "Name: value"; NULL ends them. */
static struct http_head
request(enum http_method method, const char *const *lines, struct http_field fields[4])
{
	struct http_head head = { .method = method, .fields = fields };

	for (; head.nfields < 4 && lines[head.nfields]; head.nfields++) {
		const char *line = lines[head.nfields], *colon = strchr(line, ':');

		fields[head.nfields] = (struct http_field){
			.name = { line, (size_t)(colon - line) },
			.value = http_text_trim((struct http_text){ colon + 1, strlen(colon + 1) }),
		};
	}
	return head;
}

struct row {
	enum http_method method;
	int expected;
	const char *lines[4];
};

static void
check_rows(const struct row *rows, size_t n)
{
	struct http_entity e;

	http_entity_of(&e, &file, "", NOW);
	assert_string_equal(e.etag, ETAG);
	for (size_t i = 0; i < n; i++) {
		struct http_field fields[4];
		struct http_head head = request(rows[i].method, rows[i].lines, fields);
		int got = http_entity_check(&e, &head, NOW);

		if (got != rows[i].expected)
			fail_msg("row %zu (%s): %d, not %d", i,
				 rows[i].lines[0] ? rows[i].lines[0] : "no field", got,
				 rows[i].expected);
	}
}

static void
validators_are_those_of_the_file(void **state)
{
	struct http_entity e;

	(void)state;
	http_entity_of(&e, &file, "-gz", NOW);
	assert_string_equal(e.etag, "\"1f-3e8-ae1b981bc490a07-gz\"");
	assert_string_equal(e.last_modified, EXACT);
	assert_int_equal(e.size, 1000);
	assert_int_equal(e.mtime, MTIME);
	assert_int_equal(e.mtime_ns, 7);
	assert_int_equal(e.inode, 31);
}

static void
each_thing_that_changes_changes_the_tag(void **state)
{
	struct stat rows[] = { file, file, file, file };
	struct http_entity e;

	(void)state;
	rows[0].st_ino++;
	rows[1].st_size++;
	rows[2].st_mtim.tv_sec++;
	rows[3].st_mtim.tv_nsec++;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		http_entity_of(&e, &rows[i], "", NOW);
		assert_string_not_equal(e.etag, ETAG);
	}
}

static void
the_longest_tag_fits(void **state)
{
	struct stat st = { .st_ino = UINT64_MAX,
			   .st_size = -1,
			   .st_mtim = { .tv_sec = -1, .tv_nsec = 0 } };
	struct http_entity e;

	(void)state;
	http_entity_of(&e, &st, "-longest-of-all", INT64_MAX);
	assert_string_equal(e.etag,
			    "\"ffffffffffffffff-ffffffffffffffff-ffffffffc4653600-longest\"");
	assert_true(strlen(e.etag) < sizeof(e.etag));
}

static void
a_file_from_the_future_was_modified_now(void **state)
{
	struct http_entity e;

	(void)state;
	http_entity_of(&e, &file, "", MTIME - 1);
	assert_string_equal(e.last_modified, BEFORE);
	assert_string_equal(e.etag, ETAG);
}

static void
if_match_wants_a_strong_match(void **state)
{
	static const struct row rows[] = {
		{ HTTP_GET, 0, { NULL } },
		{ HTTP_GET, 0, { "If-Match: " ETAG } },
		{ HTTP_GET, 0, { "if-match:" ETAG } },
		{ HTTP_GET, 412, { "If-Match: W/" ETAG } },
		{ HTTP_GET, 412, { "If-Match: \"other\"" } },
		{ HTTP_GET, 0, { "If-Match: \"other\", " ETAG } },
		{ HTTP_GET, 0, { "If-Match: \"other\"," ETAG ",\"third\"" } },
		{ HTTP_GET, 0, { "If-Match: \"other\"", "If-Match: " ETAG } },
		{ HTTP_GET, 0, { "If-Match: ,, " ETAG "\t , " } },
		{ HTTP_GET, 0, { "If-Match: \"with,comma\", \"\", \"\xe4\", " ETAG } },
		{ HTTP_GET, 0, { "If-Match: *" } },
		{ HTTP_PUT, 0, { "If-Match: *" } },
		{ HTTP_PUT, 412, { "If-Match: \"other\"" } },
		{ HTTP_GET, 412, { "If-Match:" } },
		{ HTTP_GET, 412, { "If-Match: ,*" } },
		{ HTTP_GET, 412, { "If-Match: *, " ETAG } },
		{ HTTP_GET, 412, { "If-Match: *", "If-Match: " ETAG } },
		{ HTTP_GET, 412, { "If-Match: " ETAG, "If-Match: *" } },
		{ HTTP_GET, 412, { "If-Match: " ETAG " " ETAG } },
		{ HTTP_GET, 412, { "If-Match: " ETAG ETAG } },
		{ HTTP_GET, 412, { "If-Match: " ETAG "x" } },
		{ HTTP_GET, 412, { "If-Match: " ETAG ";" ETAG } },
		{ HTTP_GET, 412, { "If-Match: " ETAG ", bare" } },
		{ HTTP_GET, 412, { "If-Match: 1f-3e8-ae1b981bc490a07" } },
		{ HTTP_GET, 412, { "If-Match: \"1f-3e8-ae1b981bc490a07" } },
		{ HTTP_GET, 412, { "If-Match: \"1f-3e8 -ae1b981bc490a07\", " ETAG } },
		{ HTTP_GET, 412, { "If-Match: \"1F-3E8-AE1B981BC490A07\"" } },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
if_none_match_compares_weakly(void **state)
{
	static const struct row rows[] = {
		{ HTTP_GET, 304, { "If-None-Match: " ETAG } },
		{ HTTP_HEAD, 304, { "If-None-Match: " ETAG } },
		{ HTTP_PUT, 412, { "If-None-Match: " ETAG } },
		{ HTTP_UNKNOWN, 412, { "If-None-Match: " ETAG } },
		{ HTTP_GET, 304, { "If-None-Match: W/" ETAG } },
		{ HTTP_GET, 0, { "If-None-Match: w/" ETAG } },
		{ HTTP_GET, 0, { "If-None-Match: W/ " ETAG } },
		{ HTTP_GET, 0, { "If-None-Match: W/" } },
		{ HTTP_GET, 0, { "If-None-Match: \"other\"" } },
		{ HTTP_GET, 304, { "If-None-Match: \"other\", W/" ETAG } },
		{ HTTP_GET, 304, { "If-None-Match: \"other\"", "If-None-Match: " ETAG } },
		{ HTTP_GET, 304, { "If-None-Match: *" } },
		{ HTTP_DELETE, 412, { "If-None-Match: *" } },
		{ HTTP_GET, 0, { "If-None-Match:" } },
		{ HTTP_GET, 0, { "If-None-Match: *, \"other\"" } },
		{ HTTP_GET, 0, { "If-None-Match: \"1f-3e8-ae1b981bc490a07-gz\"" } },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
dates_are_compared_by_the_second(void **state)
{
	static const struct row rows[] = {
		{ HTTP_GET, 0, { "If-Modified-Since: " BEFORE } },
		{ HTTP_GET, 304, { "If-Modified-Since: " EXACT } },
		{ HTTP_HEAD, 304, { "If-Modified-Since: " EXACT } },
		{ HTTP_GET, 304, { "If-Modified-Since: " AFTER } },
		{ HTTP_GET, 304, { "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT" } },
		{ HTTP_GET, 304, { "If-Modified-Since: Sun Nov  6 08:49:37 1994" } },
		{ HTTP_PUT, 0, { "If-Modified-Since: " EXACT } },
		{ HTTP_GET, 0, { "If-Modified-Since: " EXACT "; length=1000" } },
		{ HTTP_GET, 0, { "If-Modified-Since: yesterday" } },
		{ HTTP_GET, 0, { "If-Modified-Since:" } },
		{ HTTP_GET, 0, { "If-Modified-Since: " EXACT, "If-Modified-Since: " EXACT } },
		{ HTTP_GET, 412, { "If-Unmodified-Since: " BEFORE } },
		{ HTTP_PUT, 412, { "If-Unmodified-Since: " BEFORE } },
		{ HTTP_GET, 0, { "If-Unmodified-Since: " EXACT } },
		{ HTTP_GET, 0, { "If-Unmodified-Since: " AFTER } },
		{ HTTP_GET, 0, { "If-Unmodified-Since: yesterday" } },
		{ HTTP_GET, 0, { "If-Unmodified-Since: " BEFORE, "If-Unmodified-Since: " BEFORE } },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
the_order_is_that_of_the_standard(void **state)
{
	static const struct row rows[] = {
		/* If-Match hides If-Unmodified-Since, also when it is wrong. */
		{ HTTP_GET, 0, { "If-Unmodified-Since: " BEFORE, "If-Match: " ETAG } },
		{ HTTP_GET, 412, { "If-Unmodified-Since: " AFTER, "If-Match: nonsense" } },
		/* If-None-Match hides If-Modified-Since. */
		{ HTTP_GET, 0, { "If-Modified-Since: " EXACT, "If-None-Match: \"other\"" } },
		{ HTTP_GET, 304, { "If-Modified-Since: " BEFORE, "If-None-Match: " ETAG } },
		{ HTTP_GET, 0, { "If-Modified-Since: " EXACT, "If-None-Match: nonsense" } },
		/* 412 of the first two comes before 304 of the others. */
		{ HTTP_GET, 412, { "If-None-Match: " ETAG, "If-Match: \"other\"" } },
		{ HTTP_GET, 304, { "If-None-Match: " ETAG, "If-Match: " ETAG } },
		{ HTTP_GET, 412, { "If-Modified-Since: " AFTER, "If-Unmodified-Since: " BEFORE } },
		{ HTTP_GET, 304, { "If-Modified-Since: " EXACT, "If-Unmodified-Since: " EXACT } },
		{ HTTP_GET, 304, { "If-Modified-Since: " EXACT, "If-Match: *" } },
		/* If-Range is for another function. */
		{ HTTP_GET, 0, { "If-Range: \"other\"", "Range: bytes=0-1" } },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
methods_without_a_representation_know_no_conditions(void **state)
{
	static const struct row rows[] = {
		{ HTTP_OPTIONS, 0, { "If-Match: \"other\"" } },
		{ HTTP_TRACE, 0, { "If-None-Match: *" } },
		{ HTTP_CONNECT, 0, { "If-Unmodified-Since: " BEFORE } },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows));
}

static void
if_range_wants_this_very_entity(void **state)
{
	static const struct {
		bool expected;
		int64_t now;
		const char *lines[4];
	} rows[] = {
		{ true, NOW, { NULL } },
		{ true, NOW, { "If-Range: " ETAG } },
		{ false, NOW, { "If-Range: W/" ETAG } },
		{ false, NOW, { "If-Range: \"other\"" } },
		{ false, NOW, { "If-Range: " ETAG ", \"other\"" } },
		{ false, NOW, { "If-Range: *" } },
		{ false, NOW, { "If-Range:" } },
		{ true, NOW, { "If-Range: " EXACT } },
		{ true, NOW, { "If-Range: Sunday, 06-Nov-94 08:49:37 GMT" } },
		{ false, NOW, { "If-Range: " BEFORE } },
		{ false, NOW, { "If-Range: " AFTER } },
		{ false, NOW, { "If-Range: tomorrow" } },
		{ false, NOW, { "If-Range: " ETAG, "If-Range: " ETAG } },
		/* The second of the date is not over: the file may still change in it. */
		{ false, MTIME, { "If-Range: " EXACT } },
		{ true, MTIME + 1, { "If-Range: " EXACT } },
		{ false, MTIME - 1, { "If-Range: " EXACT } },
		{ true, MTIME, { "If-Range: " ETAG } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_field fields[4];
		struct http_head head = request(HTTP_GET, rows[i].lines, fields);
		struct http_entity e;

		http_entity_of(&e, &file, "", rows[i].now);
		if (http_entity_if_range(&e, &head, rows[i].now) != rows[i].expected)
			fail_msg("row %zu (%s) is wrong", i, rows[i].lines[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(validators_are_those_of_the_file),
		cmocka_unit_test(each_thing_that_changes_changes_the_tag),
		cmocka_unit_test(the_longest_tag_fits),
		cmocka_unit_test(a_file_from_the_future_was_modified_now),
		cmocka_unit_test(if_match_wants_a_strong_match),
		cmocka_unit_test(if_none_match_compares_weakly),
		cmocka_unit_test(dates_are_compared_by_the_second),
		cmocka_unit_test(the_order_is_that_of_the_standard),
		cmocka_unit_test(methods_without_a_representation_know_no_conditions),
		cmocka_unit_test(if_range_wants_this_very_entity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
