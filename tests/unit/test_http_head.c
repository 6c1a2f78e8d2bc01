/*
 * The lines of a request head, RFC 9112 2 to 5: what is read, what is refused, and with
 * which status.
 */
#include "http_heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END      "\r\n\r\n"
#define HOST_END "\r\nHost: a\r\n\r\n"

static void
a_request_line_is_read(void **state)
{
	static const struct taken_head rows[] = {
		{ RAW("GET / HTTP/1.1" HOST_END), "GET 1 a / none keep" },
		{ RAW("GET / HTTP/1.0" END), "GET 0  / none" },
		{ RAW("HEAD /x HTTP/1.1" HOST_END), "HEAD 1 a /x none keep" },
		{ RAW("POST /x HTTP/1.1" HOST_END), "POST 1 a /x none keep" },
		{ RAW("PUT /x HTTP/1.1" HOST_END), "PUT 1 a /x none keep" },
		{ RAW("DELETE /x HTTP/1.1" HOST_END), "DELETE 1 a /x none keep" },
		{ RAW("TRACE /x HTTP/1.1" HOST_END), "TRACE 1 a /x none keep" },
		{ RAW("PATCH /x HTTP/1.1" HOST_END), "PATCH 1 a /x none keep" },
		{ RAW("BREW /pot HTTP/1.1" HOST_END), "BREW 1 a /pot none keep" },
		{ RAW("get / HTTP/1.1" HOST_END), "get 1 a / none keep" },
		{ RAW("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1" HOST_END),
		  "!#$%&'*+-.^_`|~09azAZ 1 a / none keep" },
		/* RFC 9110 2.5 */
		{ RAW("GET / HTTP/1.2" HOST_END), "GET 1 a / none keep" },
		{ RAW("GET / HTTP/1.9" HOST_END), "GET 1 a / none keep" },
		/* Queries, escapes and what browsers send raw. */
		{ RAW("GET /?a=1&b=/?x HTTP/1.1" HOST_END), "GET 1 a /?a=1&b=/?x none keep" },
		{ RAW("GET /%41%zz HTTP/1.1" HOST_END), "GET 1 a /%41%zz none keep" },
		{ RAW("GET /\"<>[]\\^`{|} HTTP/1.1" HOST_END), "GET 1 a /\"<>[]\\^`{|} none keep" },
		{ RAW("GET //x/../y HTTP/1.1" HOST_END), "GET 1 a //x/../y none keep" },
	};

	(void)state;
	heads_must_be_taken(rows, ARRAY_LEN(rows));
}

static void
a_target_has_one_of_four_forms(void **state)
{
	static const struct taken_head taken[] = {
		{ RAW("GET http://b/x?y HTTP/1.1" HOST_END), "GET 1 b /x?y none keep" },
		{ RAW("GET HTTP://B:80/x HTTP/1.1" HOST_END), "GET 1 B /x none keep" },
		{ RAW("GET https://b:/ HTTP/1.1" HOST_END), "GET 1 b / none keep" },
		{ RAW("GET http://[::1]:8/ HTTP/1.1" HOST_END), "GET 1 [::1] / none keep" },
		{ RAW("GET http://b HTTP/1.1" HOST_END), "GET 1 b / none keep" },
		{ RAW("GET http://b?q HTTP/1.1" HOST_END), "GET 1 b ?q none keep" },
		{ RAW("GET http://b/ HTTP/1.0" END), "GET 0 b / none" },
		{ RAW("OPTIONS * HTTP/1.1" HOST_END), "OPTIONS 1 a * none keep" },
		{ RAW("OPTIONS http://b HTTP/1.1" HOST_END), "OPTIONS 1 b * none keep" },
		{ RAW("OPTIONS http://b/ HTTP/1.1" HOST_END), "OPTIONS 1 b / none keep" },
		{ RAW("OPTIONS http://b?q HTTP/1.1" HOST_END), "OPTIONS 1 b ?q none keep" },
		{ RAW("OPTIONS /x HTTP/1.1" HOST_END), "OPTIONS 1 a /x none keep" },
		{ RAW("CONNECT b:443 HTTP/1.1" HOST_END), "CONNECT 1 b  none keep" },
		{ RAW("CONNECT [::1]:1 HTTP/1.1" HOST_END), "CONNECT 1 [::1]  none keep" },
	};
	static const struct refused_head refused[] = {
		{ RAW("GET * HTTP/1.1" HOST_END), 400 },
		{ RAW("BREW * HTTP/1.1" HOST_END), 400 },
		{ RAW("OPTIONS ** HTTP/1.1" HOST_END), 400 },
		{ RAW("OPTIONS *?x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET ?x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET b:80 HTTP/1.1" HOST_END), 400 },
		{ RAW("GET \\x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET %2Fx HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http: HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http:/x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http:// HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http:///x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET https:///x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://?x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://:80/x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://u@b/x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://u:p@b/x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://b:x/ HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://b:65536/ HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://[::1/ HTTP/1.1" HOST_END), 400 },
		{ RAW("GET http://b\\c/ HTTP/1.1" HOST_END), 400 },
		{ RAW("GET ftp://b/x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET httpx://b/x HTTP/1.1" HOST_END), 400 },
		/* RFC 9110 9.3.6: a port there must be. */
		{ RAW("CONNECT b HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT b: HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT b:99999 HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT :80 HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT / HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT b:80/ HTTP/1.1" HOST_END), 400 },
		{ RAW("CONNECT http://b:80 HTTP/1.1" HOST_END), 400 },
	};

	(void)state;
	heads_must_be_taken(taken, ARRAY_LEN(taken));
	heads_must_be_refused(refused, ARRAY_LEN(refused));
}

static void
a_bad_request_line_is_refused(void **state)
{
	static const struct refused_head rows[] = {
		/* RFC 9112 3: exactly one space between the parts. */
		{ RAW("GET  / HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /  HTTP/1.1" HOST_END), 400 },
		{ RAW(" GET / HTTP/1.1" HOST_END), 400 },
		{ RAW("GET / HTTP/1.1 " HOST_END), 400 },
		{ RAW("GET\t/ HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\tHTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\vHTTP/1.1" HOST_END), 400 },
		{ RAW("GET /a b HTTP/1.1" HOST_END), 400 },
		{ RAW("GET / x HTTP/1.1" HOST_END), 400 },
		{ RAW("GET" END), 400 },
		{ RAW("GET /" END), 400 },
		{ RAW("GET / " END), 400 },
		{ RAW("GET  HTTP/1.1" HOST_END), 400 },
		{ RAW("/ HTTP/1.1" HOST_END), 400 },
		{ RAW("G(T / HTTP/1.1" HOST_END), 400 },
		{ RAW("G\xc3\x89T / HTTP/1.1" HOST_END), 400 },
		{ RAW("G\0T / HTTP/1.1" HOST_END), 400 },
		{ RAW("GET: / HTTP/1.1" HOST_END), 400 },
		{ RAW("\x16\x03\x01\x02\x00"), 400 }, /* TLS */
		{ RAW("\0"), 400 },
		/* RFC 9112 2.2 and 3.2: no fragment, no control, no 8-bit byte. */
		{ RAW("GET /# HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /x?y#z HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\xc3\xa9 HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\x80 HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\xff HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\0 HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\x01 HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\x1b[2J HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\x7f HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /?\x7f HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\rX HTTP/1.1" HOST_END), 400 },
		{ RAW("GET /\nX HTTP/1.1" HOST_END), 400 },
		/* RFC 9112 2.3: the version. */
		{ RAW("GET / HTTP/2.0" HOST_END), 505 },
		{ RAW("GET / HTTP/0.9" HOST_END), 505 },
		{ RAW("GET / HTTP/9.9" HOST_END), 505 },
		{ RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
		{ RAW("GET / HTTP/2" HOST_END), 400 },
		{ RAW("GET / HTTP/1" HOST_END), 400 },
		{ RAW("GET / HTTP/1." HOST_END), 400 },
		{ RAW("GET / HTTP/.1" HOST_END), 400 },
		{ RAW("GET / HTTP/11" HOST_END), 400 },
		{ RAW("GET / HTTP/1.10" HOST_END), 400 },
		{ RAW("GET / HTTP/01.1" HOST_END), 400 },
		{ RAW("GET / HTTP/1.x" HOST_END), 400 },
		{ RAW("GET / HTTP/1,1" HOST_END), 400 },
		{ RAW("GET / HTTP/-1.1" HOST_END), 400 },
		{ RAW("GET / HTTP 1.1" HOST_END), 400 },
		{ RAW("GET / http/1.1" HOST_END), 400 },
		{ RAW("GET / HTTPS/1.1" HOST_END), 400 },
		{ RAW("GET / ICY/1.1" HOST_END), 400 },
		{ RAW("GET / RTSP/1.0" HOST_END), 400 },
		{ RAW("GET / HTTP/1.1;x" HOST_END), 400 },
		{ RAW("GET / HTTP/2.0 " HOST_END), 400 },
		/* Its end. */
		{ RAW("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\n\n"), 400 },
		{ RAW("GET / HTTP/1.1\rHost: a\r\n\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\r\rHost: a\r\n\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\0\r\nHost: a\r\n\r\n"), 400 },
	};

	(void)state;
	heads_must_be_refused(rows, ARRAY_LEN(rows));
}

static void
one_empty_line_may_stand_in_front(void **state)
{
	/* The rows are parsed behind one; here is the second, and one that is not whole. */
	static const struct refused_head rows[] = {
		{ RAW("\r\n\r\nGET / HTTP/1.1" HOST_END), 400 },
		{ RAW("\nGET / HTTP/1.1" HOST_END), 400 },
		{ RAW("\r\rGET / HTTP/1.1" HOST_END), 400 },
		{ RAW("\rGET / HTTP/1.1" HOST_END), 400 },
		{ RAW("\r\n GET / HTTP/1.1" HOST_END), 400 },
	};

	(void)state;
	heads_must_be_refused(rows, ARRAY_LEN(rows));
}

static void
a_bad_field_line_is_refused(void **state)
{
#define LINE(field) RAW("GET / HTTP/1.1\r\nHost: a\r\n" field "\r\n\r\n"), 400
	static const struct refused_head rows[] = {
		/* RFC 9112 5.1: the name is a token, with the colon right behind it. */
		{ LINE("X : y") },
		{ LINE("X\t: y") },
		{ LINE(": y") },
		{ LINE(":") },
		{ LINE("X") },
		{ LINE("X y") },
		{ LINE("X y: z") },
		{ LINE("X(: y") },
		{ LINE("X\"Y\": y") },
		{ LINE("X@Y: y") },
		{ LINE("X/Y: y") },
		{ LINE("X[]: y") },
		{ LINE("X\xe9: y") },
		{ LINE("X\0Y: y") },
		{ LINE("X\x7f: y") },
		{ LINE("Transfer-Encoding\v: chunked") },
		/* 5.2: no folding, neither of the first line (2.2). */
		{ LINE(" X: y") },
		{ LINE("\tX: y") },
		{ LINE("X: y\r\n z") },
		{ LINE("X: y\r\n\tz") },
		{ LINE("X:\r\n y") },
		{ RAW("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"), 400 },
		/* RFC 9110 5.5: no control in a value. */
		{ LINE("X: \0") },
		{ LINE("X: y\0") },
		{ LINE("X: 1234567\x01") },
		{ LINE("X: 12345678\x1f"
		       "9012345") },
		{ LINE("X: 123456\x7f"
		       "89012345") },
		{ LINE("X: \b") },
		{ LINE("X: \v") },
		{ LINE("X: \f") },
		{ LINE("X: \x1b") },
		{ LINE("X: \x7f") },
		/* 2.2: a line ends with CRLF. */
		{ LINE("X: y\nZ: z") },
		{ LINE("X: y\rZ: z") },
		{ LINE("X: y\r\r\nZ: z") },
		{ LINE("X: y\n\rZ: z") },
		{ LINE("X\r\n") },
		{ LINE("X: y\n") },
		{ RAW("GET / HTTP/1.1\r\nHost: a\r\n\n"), 400 },
		{ RAW("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"), 400 },
		{ RAW("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"), 400 },
	};

	(void)state;
	heads_must_be_refused(rows, ARRAY_LEN(rows));
}

static void
fields_are_slices_without_the_blanks_round_them(void **state)
{
	const struct parsed_head *parsed = heads_of(
	    "GET / HTTP/1.1\r\nHost:a\r\nX: \t y z\t \r\nEmpty:\r\nBlank: \t\r\n"
	    "x:second\r\nHigh: \x80\xff\r\nColons: a:b: c\r\n!#$%&'*+-.^_`|~0:\tq\r\n\r\nX: body");

	(void)state;
	assert_int_equal(parsed->parse, HTTP_DONE);
	assert_int_equal(parsed->head.nfields, 8);
	assert_true(http_text_is(http_head_get(&parsed->head, "x"), "y z"));
	assert_int_equal(http_head_count(&parsed->head, "X"), 2);
	assert_true(http_text_is(http_head_get(&parsed->head, "EMPTY"), ""));
	assert_true(http_text_is(http_head_get(&parsed->head, "Blank"), ""));
	assert_true(http_text_is(http_head_get(&parsed->head, "High"), "\x80\xff"));
	assert_true(http_text_is(http_head_get(&parsed->head, "colons"), "a:b: c"));
	assert_true(http_text_is(http_head_get(&parsed->head, "!#$%&'*+-.^_`|~0"), "q"));
	assert_null(http_head_get(&parsed->head, "body").at);
	assert_null(http_head_get(&parsed->head, "Empt").at);
	assert_int_equal(http_head_count(&parsed->head, "Empty2"), 0);
}

/* A head with a request line of that length, a field of that length, that many fields. */
static char *
head_of(size_t line, size_t field, size_t fields)
{
	char *head = util_calloc(1, line + field + fields * 6 + 32), *p = head;

	p += sprintf(p, "GET /");
	memset(p, 'x', line - 14);
	p += line - 14;
	p += sprintf(p, " HTTP/1.1\r\nHost: a\r\nF:");
	memset(p, 'y', field - 2);
	p += field - 2;
	for (size_t i = 2; i < fields; i++)
		p += sprintf(p, "\r\nA:b");
	strcpy(p, "\r\n\r\n");
	return head;
}

static void
a_limit_is_the_last_length_that_is_taken(void **state)
{
	static const struct {
		size_t line, field, fields;
		int status;
	} rows[] = {
		{ 100, 50, 10, 0 },    { 101, 50, 10, 414 },   { 5000, 50, 10, 414 },
		{ 100, 51, 10, 431 },  { 100, 5000, 10, 431 }, { 100, 50, 11, 431 },
		{ 100, 50, 100, 431 }, { 101, 51, 11, 414 },
	};
	static const struct http_limits limits = { 100, 50, 10 };
	static struct parsed_head parsed;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *raw = head_of(rows[i].line, rows[i].field, rows[i].fields);

		for (size_t piece = 1; piece < 20000; piece *= 3) {
			heads_parse(&parsed, raw, strlen(raw), &limits, piece);
			assert_int_equal(parsed.parse, rows[i].status == 0 ? HTTP_DONE : HTTP_BAD);
			assert_int_equal(parsed.status, rows[i].status);
		}
		free(raw);
	}
}

static void
a_line_without_end_is_refused_at_its_limit(void **state)
{
	static const struct http_limits limits = { 20, 10, 4 };
	static struct parsed_head parsed;

	(void)state;
	heads_parse(&parsed, RAW("GET /567890123456789"), &limits, 1);
	assert_int_equal(parsed.parse, HTTP_MORE);
	heads_parse(&parsed, RAW("GET /5678901234567890"), &limits, 1);
	assert_int_equal(parsed.status, 414);
	heads_parse(&parsed, RAW("ABCDEFGHIJKLMNOPQRSTU"), &limits, 1);
	assert_int_equal(parsed.status, 414);
	heads_parse(&parsed, RAW("GET / HTTP/1.1\r\nAbc:567890"), &limits, 1);
	assert_int_equal(parsed.parse, HTTP_MORE);
	heads_parse(&parsed, RAW("GET / HTTP/1.1\r\nAbc:5678901"), &limits, 1);
	assert_int_equal(parsed.status, 431);
	heads_parse(&parsed, RAW("GET / HTTP/1.1\r\nAbcdefghijk"), &limits, 1);
	assert_int_equal(parsed.status, 431);
}

static void
a_head_is_more_until_its_last_byte(void **state)
{
	static const char raw[] = "\r\nGET /x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nmore";
	static struct parsed_head parsed;

	(void)state;
	for (size_t len = 0; len < sizeof(raw) - 5; len++) {
		heads_parse(&parsed, raw, len, NULL, 3);
		assert_int_equal(parsed.parse, HTTP_MORE);
		assert_int_equal(parsed.head.request_line.at != NULL, len >= 19);
	}
	heads_parse(&parsed, raw, sizeof(raw) - 1, NULL, sizeof(raw));
	assert_int_equal(parsed.parse, HTTP_DONE);
	assert_int_equal(parsed.used, sizeof(raw) - 5);
}

static void
a_refusal_tells_the_request_line_for_the_log(void **state)
{
	const struct parsed_head *parsed = heads_of("PUT /x?y HTTP/1.0\r\nX y\r\n\r\n");

	(void)state;
	assert_int_equal(parsed->status, 400);
	assert_int_equal(parsed->head.method, HTTP_PUT);
	assert_int_equal(parsed->head.minor, 0);
	assert_true(http_text_is(parsed->head.target, "/x?y"));
	assert_true(http_text_is(parsed->head.request_line, "PUT /x?y HTTP/1.0"));

	parsed = heads_of("GET /x HTTP/3.0\r\n\r\n");
	assert_int_equal(parsed->status, 505);
	assert_true(http_text_is(parsed->head.method_text, "GET"));
	assert_true(http_text_is(parsed->head.request_line, "GET /x HTTP/3.0"));

	parsed = heads_of("\r\nGET /x y HTTP/1.1\r\n\r\n");
	assert_int_equal(parsed->status, 400);
	assert_null(parsed->head.method_text.at);
	assert_true(http_text_is(parsed->head.request_line, "GET /x y HTTP/1.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_line_is_read),
		cmocka_unit_test(a_target_has_one_of_four_forms),
		cmocka_unit_test(a_bad_request_line_is_refused),
		cmocka_unit_test(one_empty_line_may_stand_in_front),
		cmocka_unit_test(a_bad_field_line_is_refused),
		cmocka_unit_test(fields_are_slices_without_the_blanks_round_them),
		cmocka_unit_test(a_limit_is_the_last_length_that_is_taken),
		cmocka_unit_test(a_line_without_end_is_refused_at_its_limit),
		cmocka_unit_test(a_head_is_more_until_its_last_byte),
		cmocka_unit_test(a_refusal_tells_the_request_line_for_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
