/*
 * What the tests of request heads share: tables of raw heads with what must come out.
 * Each head is parsed as a whole, byte by byte, and behind an empty line: always the same.
 */
#ifndef PREFORKD_TESTS_HTTP_HEADS_H
#define PREFORKD_TESTS_HTTP_HEADS_H

#include "unit.h"

#include "http_head.h"
#include "util.h"

/* A literal with its length: there may be a NUL in it. */
#define RAW(literal) literal, sizeof(literal) - 1

struct refused_head {
	const char *raw;
	size_t len;
	int status;
};

/* said: method minor authority origin framing, and what is so of "keep" and "expect". */
struct taken_head {
	const char *raw;
	size_t len;
	const char *said;
};

struct parsed_head {
	struct http_head head;
	struct http_field fields[HTTP_FIELDS_MAX];
	enum http_parse parse;
	size_t used;
	int status;
	const char *why;
};

/* limits NULL: Apache's.  piece: bytes that arrive at a time. */
void heads_parse(struct parsed_head *parsed, const char *raw, size_t len,
		 const struct http_limits *limits, size_t piece);

/* The same with the whole head there, in static memory. */
const struct parsed_head *heads_of(const char *raw);

void heads_must_be_refused(const struct refused_head *rows, size_t n);
void heads_must_be_taken(const struct taken_head *rows, size_t n);

#endif
