/*
 * The answer that is made of a script's output: its framing, what ends it, what is none,
 * and that all of it is the same in whatever pieces the output comes.
 */
#include "unit.h"

#include "scripted.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

/* A literal with its length: there may be a NUL in it. */
#define RAW(literal) literal, sizeof(literal) - 1

static const size_t ways[][2] = { { SIZE_MAX / 2, 1 }, { 1, 1 }, { 7, 1 }, { 2, 5000 } };

/* Does it in each way of cutting the output; check looks at each result. */
static void
in_pieces(const struct scripted *how, const char *output, size_t len,
	  void (*check)(struct scripted *s, const void *row), const void *row)
{
	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		struct scripted s = *how;

		scripted_run(&s, output, len, ways[way], ARRAY_LEN(ways[way]));
		check(&s, row);
		scripted_free(&s);
	}
}

struct answer_row {
	const char *output;
	struct scripted how;
	const char *head, *body;
	char end; /* '+': the connection goes on, '-': it does not, 'X': the answer breaks off */
};

static char
end_of(const struct scripted *s)
{
	return s->request.broken ? 'X' : s->request.keep_alive ? '+' : '-';
}

static void
check_answer(struct scripted *s, const void *arg)
{
	const struct answer_row *row = arg;
	const char *why = scripted_read(s);

	if (why)
		fail_msg("%s\nof\n%s\nbecame\n%.*s", why, row->output, (int)s->len, s->out);
	if (strcmp(s->head, row->head) != 0 || end_of(s) != row->end ||
	    s->body_len != strlen(row->body) || memcmp(s->body, row->body, s->body_len) != 0)
		fail_msg("%s\nbecame %c\n%s\n%.*s", row->output, end_of(s), s->head,
			 (int)s->body_len, s->body);
	/* Of chunks and of a length a client sees the end. */
	if (s->chunked || s->length >= 0)
		assert_int_equal(s->ended, row->end != 'X');
}

static void
check_answers(const struct answer_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		in_pieces(&rows[i].how, rows[i].output, strlen(rows[i].output), check_answer,
			  &rows[i]);
}

#define GET                                                \
	{                                                  \
		.asked = {.method = HTTP_GET, .minor = 1 } \
	}
#define GET_CLOSE                                                           \
	{                                                                   \
		.asked = { .method = HTTP_GET, .minor = 1 }, .closes = true \
	}
#define GET_1_0                                                             \
	{                                                                   \
		.asked = { .method = HTTP_GET, .minor = 0 }, .closes = true \
	}
#define KEPT_1_0                                           \
	{                                                  \
		.asked = {.method = HTTP_GET, .minor = 0 } \
	}
#define HEAD                                                \
	{                                                   \
		.asked = {.method = HTTP_HEAD, .minor = 1 } \
	}
#define POST                                                \
	{                                                   \
		.asked = {.method = HTTP_POST, .minor = 1 } \
	}
#define GET_KILLED                                                          \
	{                                                                   \
		.asked = { .method = HTTP_GET, .minor = 1 }, .killed = true \
	}

#define OK_TYPE    "HTTP/1.1 200 OK\nContent-Type: a/b\n"
#define CHUNKED    "Transfer-Encoding: chunked\n"
#define CLOSE      "Connection: close\n"
#define KEEP_ALIVE "Connection: keep-alive\n"

static void
the_framing_follows_the_version_and_the_length(void **state)
{
	static const struct answer_row rows[] = {
		{ "Content-Type: a/b\n\nhello", GET, OK_TYPE CHUNKED, "hello", '+' },
		{ "Content-Type: a/b\r\n\r\nhello\r\n", POST, OK_TYPE CHUNKED, "hello\r\n", '+' },
		{ "Content-Type: a/b\n\nhello", GET_CLOSE, OK_TYPE CHUNKED CLOSE, "hello", '-' },
		{ "Content-Type: a/b\n\nhello", GET_1_0, OK_TYPE CLOSE, "hello", '-' },
		{ "Content-Type: a/b\n\nhello", KEPT_1_0, OK_TYPE CLOSE, "hello", '-' },
		{ "Content-Type: a/b\nContent-Length: 5\n\nhello", GET,
		  OK_TYPE "Content-Length: 5\n", "hello", '+' },
		{ "Content-Type: a/b\nContent-Length: 5\n\nhello", KEPT_1_0,
		  OK_TYPE "Content-Length: 5\n" KEEP_ALIVE, "hello", '+' },
		{ "Content-Type: a/b\nContent-Length: 5\n\nhello", GET_1_0,
		  OK_TYPE "Content-Length: 5\n" CLOSE, "hello", '-' },
		{ "Content-Type: a/b\n\n", GET, OK_TYPE CHUNKED, "", '+' },
		{ "Content-Type: a/b\n\n", KEPT_1_0, OK_TYPE CLOSE, "", '-' },
		{ "Content-Type: a/b\nContent-Length: 0\n\n", GET, OK_TYPE "Content-Length: 0\n",
		  "", '+' },
		{ "X: y\n\n0\r\n\r\n", GET, "HTTP/1.1 200 OK\n" CHUNKED "X: y\n", "0\r\n\r\n",
		  '+' },
		/* What the script says about the connection is not for the client. */
		{ "X: y\nTransfer-Encoding: chunked\nConnection: close\nDate: x\n\n0", KEPT_1_0,
		  "HTTP/1.1 200 OK\nX: y\n" CLOSE, "0", '-' },
	};

	(void)state;
	check_answers(rows, ARRAY_LEN(rows));
}

static void
some_answers_have_no_body(void **state)
{
	static const struct answer_row rows[] = {
		{ "Content-Type: a/b\n\nhello", HEAD, OK_TYPE, "", '+' },
		{ "Content-Type: a/b\nContent-Length: 5\n\nhello", HEAD,
		  OK_TYPE "Content-Length: 5\n", "", '+' },
		{ "Content-Type: a/b\nContent-Length: 5\n\n", HEAD, OK_TYPE "Content-Length: 5\n",
		  "", '+' },
		{ "Status: 204\n\nhello", GET, "HTTP/1.1 204 No Content\n", "", '+' },
		{ "Status: 204\nContent-Length: 5\n\nhello", GET, "HTTP/1.1 204 No Content\n", "",
		  '+' },
		{ "Status: 304\nContent-Length: 5\nETag: \"a\"\n\n", GET,
		  "HTTP/1.1 304 Not Modified\nETag: \"a\"\n", "", '+' },
		{ "Status: 304\n\n", KEPT_1_0, "HTTP/1.1 304 Not Modified\n" KEEP_ALIVE, "", '+' },
	};

	(void)state;
	check_answers(rows, ARRAY_LEN(rows));
}

static void
the_status_is_the_scripts_or_follows_from_its_location(void **state)
{
	static const struct answer_row rows[] = {
		{ "Status: 404\n\nno", GET, "HTTP/1.1 404 Not Found\n" CHUNKED, "no", '+' },
		{ "Status: 404 Gone fishing\n\nno", GET, "HTTP/1.1 404 Gone fishing\n" CHUNKED,
		  "no", '+' },
		{ "Status: 299\n\n", GET, "HTTP/1.1 299 Unknown\n" CHUNKED, "", '+' },
		{ "Location: http://a/\n\n", GET,
		  "HTTP/1.1 302 Found\n" CHUNKED "Location: http://a/\n", "", '+' },
		{ "Status: 301\nLocation: /a\n\n", GET,
		  "HTTP/1.1 301 Moved Permanently\n" CHUNKED "Location: /a\n", "", '+' },
		{ "Location: /a\nX: y\n\n", GET,
		  "HTTP/1.1 302 Found\n" CHUNKED "Location: /a\nX: y\n", "", '+' },
		{ "Location: //a/b\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: //a/b\n",
		  "", '+' },
		{ "Location: /a#b\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: /a#b\n", "",
		  '+' },
		{ "Location: a\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: a\n", "", '+' },
		{ "Location: /a b\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: /a b\n", "",
		  '+' },
		{ "Location: /\xc3\xa9\n\n", GET,
		  "HTTP/1.1 302 Found\n" CHUNKED "Location: /\xc3\xa9\n", "", '+' },
		{ "Location: /a%\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: /a%\n", "",
		  '+' },
		{ "Location: /a?b c\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: /a?b c\n",
		  "", '+' },
		{ "Location: /../a\n\n", GET, "HTTP/1.1 302 Found\n" CHUNKED "Location: /../a\n",
		  "", '+' },
	};

	(void)state;
	check_answers(rows, ARRAY_LEN(rows));
}

static void
check_redirect(struct scripted *s, const void *target)
{
	assert_true(s->answer.redirects);
	assert_true(http_text_is(s->request.redirect, target));
	assert_int_equal(s->len, 0);
	assert_false(s->request.broken);
}

static void
a_path_of_ours_is_answered_instead(void **state)
{
	static const struct {
		const char *output, *target;
		struct scripted how;
	} rows[] = {
		{ "Location: /\n\n", "/", GET },
		{ "Location: /a/b?c=d\n\n", "/a/b?c=d", POST },
		{ "Location: /a/%20b/../c\r\n\r\nhello", "/a/%20b/../c", HEAD },
		{ "Content-Type: a/b\nLocation: /a\nContent-Length: 5\n\nhello", "/a", GET },
		{ "Location: /a\nConnection: close\n\n", "/a", KEPT_1_0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		in_pieces(&rows[i].how, rows[i].output, strlen(rows[i].output), check_redirect,
			  rows[i].target);
}

static void
a_length_that_lies_ends_the_connection(void **state)
{
	static const struct answer_row rows[] = {
		{ "Content-Type: a/b\nContent-Length: 2\n\nhello", GET,
		  OK_TYPE "Content-Length: 2\n", "he", '-' },
		{ "Content-Type: a/b\nContent-Length: 0\n\nhello", GET,
		  OK_TYPE "Content-Length: 0\n", "", '-' },
		{ "Content-Type: a/b\nContent-Length: 6\n\nhello", GET,
		  OK_TYPE "Content-Length: 6\n", "hello", 'X' },
		{ "Content-Type: a/b\nContent-Length: 1\n\n", GET, OK_TYPE "Content-Length: 1\n",
		  "", 'X' },
		{ "Content-Type: a/b\nContent-Length: 9223372036854775807\n\nhello", GET,
		  OK_TYPE "Content-Length: 9223372036854775807\n", "hello", 'X' },
	};

	(void)state;
	check_answers(rows, ARRAY_LEN(rows));
}

static void
a_killed_scripts_answer_breaks_off(void **state)
{
	static const struct answer_row rows[] = {
		{ "Content-Type: a/b\n\nhello", GET_KILLED, OK_TYPE CHUNKED, "hello", 'X' },
		{ "Content-Type: a/b\n\n", GET_KILLED, OK_TYPE CHUNKED, "", 'X' },
	};

	(void)state;
	check_answers(rows, ARRAY_LEN(rows));
}

struct fault_row {
	const char *output;
	size_t len;
	struct scripted how;
	const char *why;
};

static void
check_fault(struct scripted *s, const void *arg)
{
	const struct fault_row *row = arg;

	if (s->answer.state != HTTP_CGI_FAULT || strcmp(s->answer.why, row->why) != 0)
		fail_msg("%s: %s", row->output, s->answer.why ? s->answer.why : "no fault");
	assert_int_equal(s->len, 0);
	assert_false(s->request.broken);
	assert_false(s->answer.redirects);
}

static void
what_is_no_response_is_a_fault_and_nothing_goes_out(void **state)
{
	static const struct fault_row rows[] = {
		{ RAW(""), GET, "there is none" },
		{ RAW(""), GET_KILLED, "there is none" },
		{ RAW(""), { .raw = true }, "there is none" },
		{ RAW("Content-Type: a/b\n"), GET, "its header has no end" },
		{ RAW("Content-Type: a/b\n"), GET_KILLED, "its header has no end" },
		{ RAW("Content-Type: a/b"), HEAD, "its header has no end" },
		{ RAW("hello\n"), GET, "a header line has no colon" },
		{ RAW("X: a\0b\n\nhello"), GET, "a control byte in a header field" },
		{ RAW("Location: /a\rX: y\n\n"), GET, "a control byte in a header field" },
		{ RAW("HTTP/1.1 200 OK\n\n"), GET,
		  "it has an HTTP status line, which only a script named nph-... may send" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		in_pieces(&rows[i].how, rows[i].output, rows[i].len, check_fault, &rows[i]);
}

/* A script's head may be so long that ours, with Date and what else there is, has no room. */
static void
a_head_without_room_is_a_fault(void **state)
{
	static const char line[] = "a:b\n";
	static const struct scripted get = GET;
	struct fault_row row = { .output = "a:b...", .why = "its header is too long" };
	char *output = util_calloc(1, HTTP_CGI_HEAD_BYTES);
	size_t len = 0;

	(void)state;
	for (; len + sizeof(line) <= HTTP_CGI_HEAD_BYTES; len += strlen(line))
		memcpy(output + len, line, strlen(line));
	output[len++] = '\n';
	in_pieces(&get, output, len, check_fault, &row);
	free(output);
}

struct raw_row {
	const char *output;
	int status;
};

static void
check_raw(struct scripted *s, const void *arg)
{
	const struct raw_row *row = arg;

	assert_int_equal(s->len, strlen(row->output));
	assert_memory_equal(s->out, row->output, s->len);
	assert_int_equal(s->request.status, row->status);
	assert_int_equal(s->request.body, s->len);
	assert_int_equal(end_of(s), '-');
}

static void
an_nph_script_speaks_for_itself(void **state)
{
	static const struct scripted raw = { .asked = { .minor = 1 }, .raw = true };
	static const struct raw_row rows[] = {
		{ "HTTP/1.1 404 Not Found\r\n\r\nhello", 404 },
		{ "HTTP/1.0 299\n\n", 299 },
		{ "HTTP/1.1 503", 503 },
		{ "HTTP/1.1 50", 200 },
		{ "HTTP/1.1 -50 abcdef\n\n", 200 },
		{ "HTTP/1.1 +5099999999999999999\n\n", 200 },
		{ "HTTP/1.1  404\n\n", 200 },
		{ "HTTP/2.0 404 Not Found\n\n", 200 },
		{ "hello\n", 200 },
		{ "\n\nHTTP/1.1 404 Not Found\n\n", 200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		in_pieces(&raw, rows[i].output, strlen(rows[i].output), check_raw, &rows[i]);
}

static void
check_raw_head(struct scripted *s, const void *arg)
{
	const char *want = arg;

	assert_int_equal(s->len, strlen(want));
	assert_memory_equal(s->out, want, s->len);
	assert_int_equal(s->request.status, 200);
}

static void
the_body_of_an_nph_script_is_dropped_for_head(void **state)
{
	static const struct scripted raw = { .asked = { .method = HTTP_HEAD, .minor = 1 },
					     .raw = true };
	static const struct {
		const char *output, *goes;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nA: b\r\n\r\nhello\r\n\r\n",
		  "HTTP/1.1 200 OK\r\nA: b\r\n\r\n" },
		{ "HTTP/1.1 200 OK\nA: b\n\nhello", "HTTP/1.1 200 OK\nA: b\n\n" },
		{ "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		in_pieces(&raw, rows[i].output, strlen(rows[i].output), check_raw_head,
			  rows[i].goes);
}

/* ---- what is there goes out ---- */

/* The bytes that are pending once the script has written that. */
static void
writes(struct scripted *s, const char *output, const char *pending)
{
	size_t size, len = strlen(output);
	char got[4096] = "";

	assert_false(http_cgi_answer_is_pending(&s->answer));
	memcpy(http_cgi_answer_room(&s->answer, &size), output, len);
	assert_true(size >= len);
	http_cgi_answer_read(&s->answer, len);
	for (int i = 0; i < 2; i++) {
		strncat(got, s->answer.out[i].at ? s->answer.out[i].at : "", s->answer.out[i].len);
		s->answer.out[i].len = 0;
	}
	if (strcmp(pending, "HEAD") == 0)
		assert_non_null(strstr(got, "\r\n\r\n"));
	else
		assert_string_equal(got, pending);
}

static void
nothing_waits(void **state)
{
	struct scripted s = GET;

	(void)state;
	scripted_run(&s, "", 0, ways[0], 1);
	http_cgi_answer_init(&s.answer, &s.request, false);
	writes(&s, "Content-Type: a/b\n", "");
	writes(&s, "\n", "HEAD");
	writes(&s, "a", "1\r\na\r\n");
	writes(&s, "0123456789abcdef", "10\r\n0123456789abcdef\r\n");
	http_cgi_answer_end(&s.answer, true);
	assert_true(http_text_is(s.answer.out[1], "0\r\n\r\n"));
	scripted_free(&s);
}

static void
a_body_fills_the_room_again_and_again(void **state)
{
	static const char head[] = "Content-Type: a/b\n\n";
	size_t len = 1000000;
	char *output = util_calloc(1, len);

	(void)state;
	for (size_t i = 0; i < len; i++)
		output[i] = (char)(i * 7 >> 3);
	memcpy(output, head, sizeof(head) - 1);
	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		struct scripted s = GET;

		scripted_run(&s, output, len, ways[way], ARRAY_LEN(ways[way]));
		assert_null(scripted_read(&s));
		assert_true(s.ended);
		assert_int_equal(s.body_len, len - (sizeof(head) - 1));
		assert_memory_equal(s.body, output + sizeof(head) - 1, s.body_len);
		scripted_free(&s);
	}
	free(output);
}

static void
a_body_that_nobody_reads_ends_the_connection(void **state)
{
	static const struct answer_row row = { "Content-Type: a/b\n\nhello", POST,
					       OK_TYPE CHUNKED CLOSE, "hello", '-' };
	struct scripted how = row.how;

	(void)state;
	how.input = (struct http_body){ .framing = HTTP_LENGTH, .left = 1000000 };
	in_pieces(&how, row.output, strlen(row.output), check_answer, &row);
	how.input = (struct http_body){ .framing = HTTP_LENGTH, .left = 1, .expects_100 = true };
	in_pieces(&how, row.output, strlen(row.output), check_answer, &row);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_framing_follows_the_version_and_the_length),
		cmocka_unit_test(some_answers_have_no_body),
		cmocka_unit_test(the_status_is_the_scripts_or_follows_from_its_location),
		cmocka_unit_test(a_path_of_ours_is_answered_instead),
		cmocka_unit_test(a_length_that_lies_ends_the_connection),
		cmocka_unit_test(a_killed_scripts_answer_breaks_off),
		cmocka_unit_test(what_is_no_response_is_a_fault_and_nothing_goes_out),
		cmocka_unit_test(a_head_without_room_is_a_fault),
		cmocka_unit_test(an_nph_script_speaks_for_itself),
		cmocka_unit_test(the_body_of_an_nph_script_is_dropped_for_head),
		cmocka_unit_test(nothing_waits),
		cmocka_unit_test(a_body_fills_the_room_again_and_again),
		cmocka_unit_test(a_body_that_nobody_reads_ends_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
