/*
 * The head of a script's output: refused with a reason, or read as slices of just its bytes;
 * the same however the bytes come; and what goes on to the client is a head of its own.
 */
#include "http_cgi_head.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_SPLIT 64 /* inputs as short as that are split at each byte */

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct outcome {
	enum http_parse parse;
	struct http_cgi_head head;
	size_t used;
	const char *why;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses buf as it grows by first bytes, then by a piece of that many bytes at a time. */
static void
parse(struct outcome *outcome, const char *buf, size_t len, size_t first, size_t piece)
{
	size_t there = 0, scanned = 0;

	memset(outcome, 0, sizeof(*outcome));
	do {
		there += there == 0 ? first : piece;
		there = (size_t)util_min((int64_t)there, (int64_t)len);
		outcome->parse = http_cgi_head_parse(&outcome->head, buf, there, &scanned,
						     &outcome->used, &outcome->why);
		MUST(scanned <= there && outcome->head.line <= scanned);
		MUST(outcome->parse != HTTP_MORE || scanned == there);
	} while (outcome->parse == HTTP_MORE && there < len);
}

static bool
same(struct http_text a, struct http_text b)
{
	return a.at == b.at && a.len == b.len;
}

static void
compare(const struct outcome *a, const struct outcome *b)
{
	const struct http_cgi_head *h = &a->head, *other = &b->head;

	MUST(a->parse == b->parse && a->why == b->why && a->used == b->used);
	MUST(h->status == other->status && same(h->reason, other->reason));
	MUST(same(h->type, other->type) && same(h->location, other->location));
	MUST(h->length == other->length && h->others == other->others);
}

/* A value as it may be sent. */
static void
check_text(struct http_text text)
{
	struct http_text trimmed = http_text_trim(text);

	MUST(trimmed.len == text.len);
	for (size_t i = 0; i < text.len; i++)
		MUST(http_is(text.at[i], HTTP_FIELD));
}

static void
check_lines(const char *lines)
{
	for (const char *end; *lines; lines = end + 2) {
		struct http_text line = { lines, 0 };
		size_t name = 0;

		end = strstr(lines, "\r\n");
		MUST(end != NULL);
		line.len = (size_t)(end - lines);
		while (http_is(lines[name], HTTP_TOKEN))
			name++;
		MUST(name > 0 && line.len >= name + 2 && memcmp(lines + name, ": ", 2) == 0);
		check_text((struct http_text){ lines + name + 2, line.len - name - 2 });
	}
}

static void
check_fields(const struct outcome *outcome, const char *buf)
{
	static char out[HTTP_CGI_FIELDS_BYTES], again[HTTP_CGI_FIELDS_BYTES];
	struct outcome second;
	char *exact;
	size_t len;

	MUST(http_cgi_head_fields(buf, outcome->used, out, sizeof(out)));
	check_lines(out);
	len = strlen(out);
	exact = util_calloc(1, len + 3);
	MUST(!http_cgi_head_fields(buf, outcome->used, exact, len));
	MUST(http_cgi_head_fields(buf, outcome->used, exact, len + 1));
	MUST(strcmp(exact, out) == 0);

	memcpy(exact + len, "\r\n", 3);
	parse(&second, exact, len + 2, len + 2, 1);
	if (outcome->head.others == 0) {
		MUST(len == 0 && second.parse == HTTP_BAD);
	} else {
		MUST(second.parse == HTTP_DONE && second.used == len + 2);
		MUST(second.head.others == outcome->head.others);
		MUST(second.head.fields == outcome->head.others && second.head.length == -1);
		MUST(http_cgi_head_fields(exact, len + 2, again, sizeof(again)));
		MUST(strcmp(again, out) == 0);
	}
	free(exact);
}

static void
check_done(const struct outcome *outcome, const char *buf, size_t len)
{
	const struct http_cgi_head *head = &outcome->head;

	MUST(outcome->used >= 3 && outcome->used <= len && buf[outcome->used - 1] == '\n');
	MUST(memchr(buf, '\0', outcome->used) == NULL);
	MUST(head->status == 0 || (head->status >= 200 && head->status <= 599));
	MUST(head->fields > 0 && head->fields >= head->others);
	MUST(head->length >= -1);
	check_text(head->reason);
	check_text(head->type);
	check_text(head->location);
	MUST((head->type.at == NULL) == (head->type.len == 0));
	MUST((head->location.at == NULL) == (head->location.len == 0));
	check_fields(outcome, buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, pieces;
	/* In memory of just its size, so that a read behind its end is seen. */
	char *buf = util_calloc(1, size > 0 ? size : 1);

	if (size > 0)
		memcpy(buf, data, size);
	parse(&whole, buf, size, size, size);
	if (whole.parse == HTTP_DONE)
		check_done(&whole, buf, size);
	MUST((whole.parse == HTTP_BAD) == (whole.why != NULL));
	parse(&pieces, buf, size, 1, 1);
	compare(&whole, &pieces);
	parse(&pieces, buf, size, 7, 7);
	compare(&whole, &pieces);
	for (size_t first = 1; size <= EVERY_SPLIT && first < size; first++) {
		parse(&pieces, buf, size, first, size);
		compare(&whole, &pieces);
	}
	free(buf);
	return 0;
}
