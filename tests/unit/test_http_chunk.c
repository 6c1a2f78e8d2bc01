/*
 * Chunked bodies, RFC 9112 7.1: each row is decoded as a whole and byte by byte.
 */
#include "unit.h"

#include "http_chunk.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW(literal) literal, sizeof(literal) - 1

struct decoded {
	enum http_parse parse;
	char body[256];
	size_t len, used;
};

static void
decode_limited(struct decoded *decoded, const char *in, size_t len, size_t piece, size_t max_line,
	       size_t max_trailer)
{
	struct http_chunk chunk;
	struct http_text data;
	size_t there = 0, used;

	*decoded = (struct decoded){ .parse = HTTP_MORE };
	http_chunk_init(&chunk, max_line, max_trailer);
	while (decoded->parse == HTTP_MORE && decoded->used < len) {
		if (decoded->used == there)
			there = there + piece < len ? there + piece : len;
		decoded->parse = http_chunk_feed(&chunk, in + decoded->used, there - decoded->used,
						 &used, &data);
		memcpy(decoded->body + decoded->len, data.at, data.len);
		decoded->len += data.len;
		decoded->used += used;
	}
}

/* In memory of just its size, so that sanitizers see a read behind its end. */
static void
decode(struct decoded *decoded, const char *raw, size_t len, size_t piece)
{
	char *in = util_calloc(1, len);

	memcpy(in, raw, len);
	decode_limited(decoded, in, len, piece, 64, 64);
	free(in);
}

static void
a_good_body_is_read_to_its_end(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
		const char *body;
	} rows[] = {
		{ RAW("0\r\n\r\n"), "" },
		{ RAW("000\r\n\r\n"), "" },
		{ RAW("5\r\nhello\r\n0\r\n\r\n"), "hello" },
		{ RAW("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"), "abc" },
		{ RAW("0000000000000000000000000005\r\nhello\r\n0\r\n\r\n"), "hello" },
		{ RAW("a\r\n0123456789\r\n0\r\n\r\n"), "0123456789" },
		{ RAW("B\r\n0123456789a\r\n0\r\n\r\n"), "0123456789a" },
		{ RAW("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n" },
		/* 7.1.1: extensions. */
		{ RAW("1;a\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1;a=b\r\nx\r\n0;c\r\n\r\n"), "x" },
		{ RAW("1;a=b;c=d\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1 ; a = b ; c\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1\t;\ta\t;b\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1;a=\"b\"\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1;a=\"\"\r\nx\r\n0\r\n\r\n"), "x" },
		{ RAW("1;a=\";\\\"\\\\ \t\xe9\" ;b\r\nx\r\n0\r\n\r\n"), "x" },
		/* 7.1.2: trailer fields. */
		{ RAW("1\r\nx\r\n0\r\nA: b\r\n\r\n"), "x" },
		{ RAW("1\r\nx\r\n0\r\nA:\r\nb:\t\xff c \r\n\r\n"), "x" },
		{ RAW("0\r\nContent-MD5: x\r\nContent-Lengt: 1\r\nContent-Lengths: 1\r\n\r\n"),
		  "" },
		{ RAW("0\r\nTrailer: x\r\nTE: y\r\nXContent-Length: 1\r\n\r\n"), "" },
	};
	struct decoded decoded;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece < 100; piece += 3) {
			char *raw = util_format("%.*sGET", (int)rows[i].len, rows[i].raw);

			decode(&decoded, raw, rows[i].len + 3, piece);
			if (decoded.parse != HTTP_DONE)
				fail_msg("%d for\n%s", (int)decoded.parse, rows[i].raw);
			assert_int_equal(decoded.used, rows[i].len);
			assert_string_equal(decoded.body, rows[i].body);
			free(raw);
		}
		decode(&decoded, rows[i].raw, rows[i].len - 1, 5);
		assert_int_equal(decoded.parse, HTTP_MORE);
	}
}

static void
a_bad_body_is_refused(void **state)
{
	static const struct {
		const char *raw;
		size_t len;
	} rows[] = {
		/* The size. */
		{ RAW("\r\n") },
		{ RAW(";a\r\n") },
		{ RAW("g\r\n") },
		{ RAW("-1\r\n") },
		{ RAW("+1\r\n") },
		{ RAW("0x1\r\n") },
		{ RAW(" 1\r\n") },
		{ RAW("1 \r\n") },
		{ RAW("1\t\r\n") },
		{ RAW("1 1\r\n") },
		{ RAW("1,1\r\n") },
		{ RAW("1_0\r\n") },
		{ RAW("1\0\r\n") },
		{ RAW("\xb2\r\n") },
		{ RAW("8000000000000000\r\n") },
		{ RAW("ffffffffffffffff\r\n") },
		{ RAW("10000000000000000\r\n") },
		{ RAW("10000000000000005\r\n") },
		/* Line ends. */
		{ RAW("1\nx\r\n") },
		{ RAW("1\rx\r\n") },
		{ RAW("1\r\rx\r\n") },
		{ RAW("1;a\nx\r\n") },
		{ RAW("1\r\nx\n") },
		{ RAW("1\r\nx\rx") },
		{ RAW("1\r\nxy\r\n") },
		{ RAW("1\r\nx0\r\n\r\n") },
		{ RAW("2\r\nx\r\n0\r\n\r\n") },
		{ RAW("0\n\n") },
		{ RAW("0\r\n\n") },
		{ RAW("0\r\n\rx") },
		/* Extensions. */
		{ RAW("1;\r\n") },
		{ RAW("1; \r\n") },
		{ RAW("1;;a\r\n") },
		{ RAW("1;a \r\n") },
		{ RAW("1;a b\r\n") },
		{ RAW("1;=b\r\n") },
		{ RAW("1;a=\r\n") },
		{ RAW("1;a=;b\r\n") },
		{ RAW("1;a==b\r\n") },
		{ RAW("1;a=b c\r\n") },
		{ RAW("1;a=b \r\n") },
		{ RAW("1;a=b=c\r\n") },
		{ RAW("1;a=b\"c\"\r\n") },
		{ RAW("1;a=\"b\"c\r\n") },
		{ RAW("1;a=\"b\" =c\r\n") },
		{ RAW("1;a=b =c\r\n") },
		{ RAW("1 =c\r\n") },
		{ RAW("1;a=\"b\r\n\"") },
		{ RAW("1;a=\"b\\\r\n") },
		{ RAW("1;a=\"\x01\"\r\n") },
		{ RAW("1;a=\"\x7f\"\r\n") },
		{ RAW("1;a=\"\\\0\"\r\n") },
		{ RAW("1;a@b\r\n") },
		{ RAW("1;\xe9\r\n") },
		{ RAW("1;a\0\r\n") },
		/* Trailer fields: as in a head, and none about framing. */
		{ RAW("0\r\nA\r\n\r\n") },
		{ RAW("0\r\n: b\r\n\r\n") },
		{ RAW("0\r\nA : b\r\n\r\n") },
		{ RAW("0\r\nA: b\r\n c\r\n\r\n") },
		{ RAW("0\r\n A: b\r\n\r\n") },
		{ RAW("0\r\nA: b\n\r\n") },
		{ RAW("0\r\nA: b\rB: c\r\n\r\n") },
		{ RAW("0\r\nA: \0\r\n\r\n") },
		{ RAW("0\r\nA: \x7f\r\n\r\n") },
		{ RAW("0\r\nContent-Length: 1\r\n\r\n") },
		{ RAW("0\r\nA: b\r\ncOnTeNt-LENGTH:\r\n\r\n") },
		{ RAW("0\r\nTransfer-Encoding: chunked\r\n\r\n") },
		{ RAW("0\r\nTE: b\r\ntransfer-ENCODING:x\r\n\r\n") },
	};
	struct decoded decoded;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t used = 0;

		for (size_t piece = 1; piece < 100; piece += 3) {
			decode(&decoded, rows[i].raw, rows[i].len, piece);
			if (decoded.parse != HTTP_BAD)
				fail_msg("row %zu: %d for\n%s", i, (int)decoded.parse, rows[i].raw);
			assert_int_equal(decoded.used, used == 0 ? decoded.used : used);
			used = decoded.used;
		}
	}
}

static void
a_size_has_63_bits(void **state)
{
	static const char raw[] = "7FFFffffFFFFffff\r\nxyz";
	struct http_chunk chunk;
	struct http_text data;
	size_t used;

	(void)state;
	http_chunk_init(&chunk, 64, 64);
	assert_int_equal(http_chunk_feed(&chunk, RAW(raw), &used, &data), HTTP_MORE);
	assert_int_equal(used, sizeof(raw) - 1);
	assert_true(http_text_is(data, "xyz"));
	assert_int_equal(chunk.left, INT64_MAX - 3);
}

static void
a_step_gives_one_piece_of_the_body_without_a_copy(void **state)
{
	static const char raw[] = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET";
	static const size_t steps[] = { 6, 7, 7 };
	struct http_chunk chunk;
	struct http_text data;
	size_t used, at = 0;

	(void)state;
	http_chunk_init(&chunk, 64, 64);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(
		    http_chunk_feed(&chunk, raw + at, sizeof(raw) - 1 - at, &used, &data),
		    i == 2 ? HTTP_DONE : HTTP_MORE);
		assert_int_equal(used, steps[i]);
		at += used;
		assert_int_equal(data.len, i == 2 ? 0 : 3 - i);
		assert_true(i == 2 || data.at == raw + at - data.len);
	}
	assert_int_equal(http_chunk_feed(&chunk, raw + at, 3, &used, &data), HTTP_DONE);
	assert_int_equal(used, 0);
}

static void
a_limit_is_the_last_length_that_is_taken(void **state)
{
	static const struct {
		const char *raw;
		size_t max_line, max_trailer;
		enum http_parse parse;
	} rows[] = {
		{ "1;abc\r\nx\r\n00000\r\n\r\n", 5, 0, HTTP_DONE },
		{ "1;abcd\r\nx\r\n0\r\n\r\n", 5, 0, HTTP_BAD },
		{ "1\r\nx\r\n000000\r\n\r\n", 5, 0, HTTP_BAD },
		{ "0\r\nA:b\r\n\r\n", 5, 5, HTTP_DONE },
		{ "0\r\nA:bc\r\n\r\n", 5, 5, HTTP_BAD },
		{ "0\r\nA:\r\nB:\r\n\r\n", 5, 8, HTTP_DONE },
		{ "0\r\nA:\r\nB:\r\n\r\n", 5, 7, HTTP_BAD },
		{ "0\r\nA", 5, 0, HTTP_BAD },
	};
	struct decoded decoded;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		decode_limited(&decoded, rows[i].raw, strlen(rows[i].raw), 1, rows[i].max_line,
			       rows[i].max_trailer);
		if (decoded.parse != rows[i].parse)
			fail_msg("row %zu: %d", i, (int)decoded.parse);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_body_is_read_to_its_end),
		cmocka_unit_test(a_bad_body_is_refused),
		cmocka_unit_test(a_size_has_63_bits),
		cmocka_unit_test(a_step_gives_one_piece_of_the_body_without_a_copy),
		cmocka_unit_test(a_limit_is_the_last_length_that_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
