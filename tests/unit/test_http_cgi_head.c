/*
 * The head of a script's output, RFC 3875 6: what is read, what is refused and with which
 * words, and what of it goes to the client.
 */
#include "unit.h"

#include "http_cgi_head.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A literal with its length: there may be a NUL in it. */
#define RAW(literal) literal, sizeof(literal) - 1

struct parsed {
	enum http_parse parse;
	struct http_cgi_head head;
	size_t used;
	const char *why;
	char *copy; /* of just its size, so that sanitizers see a read behind its end */
};

static void
parse(struct parsed *parsed, const char *raw, size_t len, size_t piece)
{
	size_t there = 0, scanned = 0;

	*parsed = (struct parsed){ .copy = util_calloc(1, len) };
	memcpy(parsed->copy, raw, len);
	do {
		there = (size_t)util_min((int64_t)(there + piece), (int64_t)len);
		parsed->parse = http_cgi_head_parse(&parsed->head, parsed->copy, there, &scanned,
						    &parsed->used, &parsed->why);
	} while (parsed->parse == HTTP_MORE && there < len);
}

/* "status [reason] type location length others", "-" for what is not there. */
static void
say(const struct http_cgi_head *head, char *out, size_t size)
{
	struct http_text type = head->type, location = head->location;

	snprintf(out, size, "%d [%.*s] %.*s %.*s %lld %zu", head->status, (int)head->reason.len,
		 head->reason.at ? head->reason.at : "", type.at ? (int)type.len : 1,
		 type.at ? type.at : "-", location.at ? (int)location.len : 1,
		 location.at ? location.at : "-", (long long)head->length, head->others);
}

static const size_t pieces[] = { SIZE_MAX / 2, 1, 7 };

static void
a_head_is_read(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		const char *said;
	} rows[] = {
		{ RAW("Content-Type: text/html\n\n"), "0 [] text/html - -1 0" },
		{ RAW("Content-Type: text/html\r\n\r\n"), "0 [] text/html - -1 0" },
		{ RAW("Content-Type: text/html\r\n\n"), "0 [] text/html - -1 0" },
		{ RAW("Content-Type: text/html\n\r\n"), "0 [] text/html - -1 0" },
		{ RAW("content-TYPE:text/html \t\n\n"), "0 [] text/html - -1 0" },
		{ RAW("Content-Type: text/html; charset=\"a b\"\n\n"),
		  "0 [] text/html; charset=\"a b\" - -1 0" },
		{ RAW("Location: /a b?c\n\n"), "0 [] - /a b?c -1 0" },
		{ RAW("Location: http://a/\nContent-Type: a/b\nX: y\n\n"),
		  "0 [] a/b http://a/ -1 1" },
		{ RAW("Status: 200\n\n"), "200 [] - - -1 0" },
		{ RAW("Status: 200 \n\n"), "200 [] - - -1 0" },
		{ RAW("Status: 200 OK\n\n"), "200 [OK] - - -1 0" },
		{ RAW("Status:  404  Not  here \n\n"), "404 [Not  here] - - -1 0" },
		{ RAW("Status: 599 \xc3\xa9\tx\n\n"), "599 [\xc3\xa9\tx] - - -1 0" },
		{ RAW("STATUS: 304\n\n"), "304 [] - - -1 0" },
		{ RAW("Content-Length: 0\n\n"), "0 [] - - 0 0" },
		{ RAW("Content-Length: 007\n\n"), "0 [] - - 7 0" },
		{ RAW("Content-Length: 9223372036854775807\n\n"),
		  "0 [] - - 9223372036854775807 0" },
		{ RAW("X:\n\n"), "0 [] - - -1 1" },
		{ RAW("X: a:b\nX: \x80\xff\n\n"), "0 [] - - -1 2" },
		{ RAW("!#$%&'*+-.^_`|~09: x\n\n"), "0 [] - - -1 1" },
		/* Those of the connection and ours are fields of it, but nobody's. */
		{ RAW("Connection: close\nDate: x\nserver: y\nTE: z\n\n"), "0 [] - - -1 0" },
		{ RAW("Keep-Alive: a\nProxy-Connection: a\nTrailer: a\nUpgrade: a\n"
		      "Transfer-Encoding: chunked\n\n"),
		  "0 [] - - -1 0" },
		{ RAW("Proxy-Authenticate: a\nWWW-Authenticate: b\nConnections: c\n\n"),
		  "0 [] - - -1 3" },
	};
	char said[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t way = 0; way < ARRAY_LEN(pieces); way++) {
			struct parsed p;

			parse(&p, rows[i].raw, rows[i].len, pieces[way]);
			if (p.parse != HTTP_DONE)
				fail_msg("row %zu, way %zu: %d (%s)", i, way, (int)p.parse,
					 p.why ? p.why : "-");
			say(&p.head, said, sizeof(said));
			assert_string_equal(said, rows[i].said);
			assert_int_equal(p.used, rows[i].len);
			free(p.copy);
		}
	}
}

static void
what_is_no_head_is_refused_with_a_reason(void **state)
{
	static const char no_colon[] = "a header line has no colon";
	static const char blank[] = "a header field's name has a blank behind it";
	static const char name[] = "a header field's name is not valid";
	static const char control[] = "a control byte in a header field";
	static const char folded[] = "a header line begins with a blank";
	static const char empty[] = "it begins with an empty line";
	static const char nph[] =
	    "it has an HTTP status line, which only a script named nph-... may send";
	static const char words[] = "Status is not three digits and words";
	static const char range[] = "Status is not from 200 to 599";
	static const char number[] = "Content-Length is not a number";
	static const struct {
		const char *raw;
		size_t len;
		const char *why;
	} rows[] = {
		{ RAW("\n"), empty },
		{ RAW("\r\n"), empty },
		{ RAW("\nContent-Type: a/b\n\n"), empty },
		{ RAW("hello\n"), no_colon },
		{ RAW("hello world\r\n\r\n"), no_colon },
		{ RAW("<!DOCTYPE html>\n"), no_colon },
		{ RAW("X: y\nhello\n\n"), no_colon },
		{ RAW("X\0\n\n"), no_colon },
		{ RAW("HTTP/1.1 200 OK\nX: y\n\n"), nph },
		{ RAW("HTTP/1.0 200 OK\r\n"), nph },
		{ RAW("X: y\nHTTP/1.1 200: OK\n\n"), nph },
		{ RAW("Content-Type : a/b\n\n"), blank },
		{ RAW("Content-Type\t: a/b\n\n"), blank },
		{ RAW("Content Type: a/b\n\n"), blank },
		{ RAW(": y\n\n"), name },
		{ RAW(":\n\n"), name },
		{ RAW("<p style=\"a:b\">\n"), name },
		{ RAW("a/b: c\n\n"), name },
		{ RAW("X\xc3\xa9: y\n\n"), name },
		{ RAW("X\0: y\n\n"), name },
		{ RAW("X\r: y\n\n"), name },
		{ RAW("\r:\n\n"), name },
		{ RAW(" X: y\n\n"), folded },
		{ RAW("\tX: y\n\n"), folded },
		{ RAW("X: y\n z\n\n"), folded },
		{ RAW("X: y\r\n\tz\r\n\r\n"), folded },
		{ RAW("X: y\n \n\n"), folded },
		{ RAW("X: a\0b\n\n"), control },
		{ RAW("X: a\rb\n\n"), control },
		{ RAW("X: a\r\r\n\n"), control },
		{ RAW("X: a\x1b[0m\n\n"), control },
		{ RAW("X: a\x7f\n\n"), control },
		{ RAW("X: \v\n\n"), control },
		{ RAW("Status:\n\n"), words },
		{ RAW("Status: OK\n\n"), words },
		{ RAW("Status: 20\n\n"), words },
		{ RAW("Status: 2000\n\n"), words },
		{ RAW("Status: 200OK\n\n"), words },
		{ RAW("Status: 200\tOK\n\n"), words },
		{ RAW("Status: -200\n\n"), words },
		{ RAW("Status: +20\n\n"), words },
		{ RAW("Status: HTTP/1.1 200 OK\n\n"), words },
		{ RAW("Status: 000\n\n"), range },
		{ RAW("Status: 100 Continue\n\n"), range },
		{ RAW("Status: 101 Switching\n\n"), range },
		{ RAW("Status: 199\n\n"), range },
		{ RAW("Status: 600\n\n"), range },
		{ RAW("Status: 999\n\n"), range },
		{ RAW("Content-Length:\n\n"), "Content-Length is empty" },
		{ RAW("Content-Length: -1\n\n"), number },
		{ RAW("Content-Length: +1\n\n"), number },
		{ RAW("Content-Length: 1 2\n\n"), number },
		{ RAW("Content-Length: 1, 1\n\n"), number },
		{ RAW("Content-Length: 0x1\n\n"), number },
		{ RAW("Content-Length: 9223372036854775808\n\n"), number },
		{ RAW("Content-Length: 99999999999999999999\n\n"), number },
		{ RAW("Content-Type:\n\n"), "Content-Type is empty" },
		{ RAW("Location: \t\n\n"), "Location is empty" },
		{ RAW("Status: 200\nstatus: 200\n\n"), "more than one Status" },
		{ RAW("Content-Type: a/b\ncontent-type: a/b\n\n"), "more than one Content-Type" },
		{ RAW("Content-Length: 0\nX: y\nContent-Length: 0\n\n"),
		  "more than one Content-Length" },
		{ RAW("Location: /\nLocation: /\n\n"), "more than one Location" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t way = 0; way < ARRAY_LEN(pieces); way++) {
			struct parsed p;

			parse(&p, rows[i].raw, rows[i].len, pieces[way]);
			if (p.parse != HTTP_BAD)
				fail_msg("row %zu, way %zu: %d for\n%s", i, way, (int)p.parse,
					 rows[i].raw);
			assert_string_equal(p.why, rows[i].why);
			free(p.copy);
		}
	}
}

static void
a_head_is_more_until_its_empty_line(void **state)
{
	static const char raw[] = "Status: 200 OK\r\nX: y\n\r\n\nX: body\n\n";
	static const size_t whole = 23;

	(void)state;
	for (size_t len = 0; len < sizeof(raw); len++) {
		for (size_t way = 0; way < ARRAY_LEN(pieces); way++) {
			struct parsed p;

			parse(&p, raw, len, pieces[way]);
			assert_int_equal(p.parse, len < whole ? HTTP_MORE : HTTP_DONE);
			if (p.parse == HTTP_DONE)
				assert_int_equal(p.used, whole);
			free(p.copy);
		}
	}
}

/* "X: yyy..." and an empty line, of that length. */
static char *
head_of(size_t len)
{
	char *raw = util_calloc(1, len + 1);

	memset(raw, 'y', len);
	memcpy(raw, "X: ", 3);
	memcpy(raw + len - 2, "\n\n", 2);
	return raw;
}

static void
the_limit_is_the_last_length_that_is_taken(void **state)
{
	static const char why[] = "its header is longer than 64 KiB";

	(void)state;
	for (size_t way = 0; way < ARRAY_LEN(pieces); way++) {
		char *fits = head_of(HTTP_CGI_HEAD_BYTES),
		     *longer = head_of(HTTP_CGI_HEAD_BYTES + 1);
		struct parsed p;

		parse(&p, fits, HTTP_CGI_HEAD_BYTES, pieces[way]);
		assert_int_equal(p.parse, HTTP_DONE);
		assert_int_equal(p.used, HTTP_CGI_HEAD_BYTES);
		free(p.copy);
		parse(&p, fits, HTTP_CGI_HEAD_BYTES - 1, pieces[way]);
		assert_int_equal(p.parse, HTTP_MORE);
		free(p.copy);
		parse(&p, longer, HTTP_CGI_HEAD_BYTES, pieces[way]);
		assert_int_equal(p.parse, HTTP_BAD);
		assert_string_equal(p.why, why);
		free(p.copy);
		parse(&p, longer, HTTP_CGI_HEAD_BYTES + 1, pieces[way]);
		assert_int_equal(p.parse, HTTP_BAD);
		assert_string_equal(p.why, why);
		free(p.copy);
		free(fits);
		free(longer);
	}
}

static const char *
fields_of(const char *raw)
{
	static char out[HTTP_CGI_FIELDS_BYTES];
	struct parsed p;
	bool whole;

	parse(&p, raw, strlen(raw), SIZE_MAX / 2);
	assert_int_equal(p.parse, HTTP_DONE);
	whole = http_cgi_head_fields(p.copy, p.used, out, sizeof(out));
	free(p.copy);
	assert_true(whole);
	return out;
}

static void
the_other_fields_go_to_the_client(void **state)
{
	(void)state;
	assert_string_equal(fields_of("Status: 200\n\nX: body\n"), "");
	assert_string_equal(fields_of("X:y\nSet-Cookie:  a=b;\tc \r\nEmpty:\n\n"),
			    "X: y\r\nSet-Cookie: a=b;\tc\r\nEmpty: \r\n");
	assert_string_equal(fields_of("X: 1\nStatus: 200\nCONTENT-type: a/b\nContent-Length: 1\n"
				      "Location: /\nX: 2\n\n"),
			    "X: 1\r\nX: 2\r\n");
	assert_string_equal(fields_of("Connection: X\nKeep-Alive: a\nProxy-Connection: a\nTE: a\n"
				      "Trailer: a\nTransfer-Encoding: chunked\nUpgrade: a\n"
				      "Date: a\nServer: a\nProxy-Authenticate: a\n\n"),
			    "Proxy-Authenticate: a\r\n");
}

static void
fields_without_room_are_refused(void **state)
{
	static const char raw[] = "Xy:zz\n\n";
	char out[16];

	(void)state;
	for (size_t size = 0; size <= 9; size++) {
		memset(out, '#', sizeof(out));
		assert_int_equal(http_cgi_head_fields(raw, sizeof(raw) - 1, out, size), size > 8);
		assert_int_equal(out[size], '#');
	}
	assert_string_equal(out, "Xy: zz\r\n");
}

static void
no_head_needs_more_than_the_room_for_fields(void **state)
{
	static char out[HTTP_CGI_FIELDS_BYTES];
	char *raw = util_calloc(1, HTTP_CGI_HEAD_BYTES + 1);
	struct parsed p;
	size_t n = 0;

	(void)state;
	while (n + 3 < HTTP_CGI_HEAD_BYTES)
		n += (size_t)sprintf(raw + n, "a:\n");
	raw[n++] = '\n';
	parse(&p, raw, n, SIZE_MAX / 2);
	assert_int_equal(p.parse, HTTP_DONE);
	assert_int_equal(p.head.others, (HTTP_CGI_HEAD_BYTES - 1) / 3);
	assert_true(http_cgi_head_fields(p.copy, p.used, out, sizeof(out)));
	assert_int_equal(strlen(out), p.head.others * strlen("a: \r\n"));
	free(p.copy);
	free(raw);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_read),
		cmocka_unit_test(what_is_no_head_is_refused_with_a_reason),
		cmocka_unit_test(a_head_is_more_until_its_empty_line),
		cmocka_unit_test(the_limit_is_the_last_length_that_is_taken),
		cmocka_unit_test(the_other_fields_go_to_the_client),
		cmocka_unit_test(fields_without_room_are_refused),
		cmocka_unit_test(no_head_needs_more_than_the_room_for_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
