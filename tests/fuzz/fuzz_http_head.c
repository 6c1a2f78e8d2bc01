/*
 * The head of a request: refused with a status that exists, or read as slices of just its
 * bytes; the same however the bytes arrive; and a path from its target that is safe to open
 * and comes back from its encoding.
 */
#include "http_head.h"
#include "http_target.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS 100

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct outcome {
	enum http_parse parse;
	struct http_head head;
	struct http_field fields[FIELDS];
	size_t used;
	int status;
	const char *why;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses buf as it grows by a piece of that many bytes at a time. */
static void
parse(struct outcome *outcome, const char *buf, size_t len, const struct http_limits *limits,
      size_t piece)
{
	size_t there = 0, scanned = 0;

	memset(outcome, 0, sizeof(*outcome));
	outcome->head.fields = outcome->fields;
	do {
		there = (size_t)util_min((int64_t)(there + piece), (int64_t)len);
		outcome->parse = http_head_parse(&outcome->head, buf, there, limits, &scanned,
						 &outcome->used, &outcome->status, &outcome->why);
		MUST(scanned <= there);
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
	MUST(a->parse == b->parse);
	if (a->parse == HTTP_MORE)
		return;
	MUST(same(a->head.method_text, b->head.method_text));
	MUST(same(a->head.target, b->head.target) && a->head.minor == b->head.minor);
	if (a->parse == HTTP_BAD) {
		MUST(a->status == b->status && a->why == b->why);
		return;
	}
	MUST(a->used == b->used && a->head.nfields == b->head.nfields);
	MUST(same(a->head.authority, b->head.authority) && same(a->head.origin, b->head.origin));
	MUST(a->head.framing == b->head.framing && a->head.keep_alive == b->head.keep_alive);
	MUST(a->head.content_length == b->head.content_length);
	for (size_t i = 0; i < a->head.nfields; i++) {
		MUST(same(a->fields[i].name, b->fields[i].name));
		MUST(same(a->fields[i].value, b->fields[i].value));
	}
}

static void
check_target(struct http_text origin)
{
	struct http_target target, again;
	char encoded[HTTP_PATH_BYTES * 3];
	int status = http_target_parse(origin, &target);
	size_t len;

	MUST(status == 0 || status == 400 || status == 404 || status == 414);
	if (status != 0)
		return;
	MUST(target.path[0] == '/' && strlen(target.path) == target.len);
	MUST(target.slash == (target.path[target.len - 1] == '/'));
	MUST(strstr(target.path, "//") == NULL && strstr(target.path, "/./") == NULL);
	MUST(strstr(target.path, "/../") == NULL);
	MUST(target.len < 3 || strcmp(target.path + target.len - 3, "/..") != 0);
	MUST(target.len < 2 || strcmp(target.path + target.len - 2, "/.") != 0);
	MUST(!http_target_is_hidden(&target) || strstr(target.path, "/.") != NULL);

	len = http_target_encode(encoded, sizeof(encoded), target.path, target.len);
	MUST(len < sizeof(encoded) && strlen(encoded) == len);
	MUST(http_target_parse((struct http_text){ encoded, len }, &again) == 0);
	MUST(again.len == target.len && memcmp(again.path, target.path, target.len) == 0);
}

static void
check_done(const struct outcome *outcome, const char *buf, size_t len)
{
	const struct http_head *head = &outcome->head;

	MUST(outcome->used >= 4 && outcome->used <= len);
	MUST(memcmp(buf + outcome->used - 4, "\r\n\r\n", 4) == 0);
	MUST(memchr(buf, '\0', outcome->used) == NULL);
	MUST(head->minor == 0 || head->authority.at != NULL);
	for (size_t i = 0; i < head->nfields; i++) {
		const struct http_field *field = &head->fields[i];

		MUST(http_text_is_token(field->name));
		MUST(same(field->value, http_text_trim(field->value)));
		MUST(memchr(field->value.at, '\r', field->value.len) == NULL);
		MUST(memchr(field->value.at, '\n', field->value.len) == NULL);
	}
	MUST(http_head_count(head, "transfer-encoding") == (head->framing == HTTP_CHUNKED));
	MUST(http_head_count(head, "content-length") == (head->framing == HTTP_LENGTH));
	MUST(head->content_length >= 0);
	if (head->origin.at != NULL)
		check_target(head->origin);
	else
		MUST(head->method == HTTP_CONNECT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct http_limits limits[] = { { 8190, 8190, FIELDS }, { 40, 30, 3 } };
	static struct outcome whole, pieces;
	/* In memory of just its size, so that a read behind its end is seen. */
	char *buf = util_calloc(1, size > 0 ? size : 1);

	if (size > 0)
		memcpy(buf, data, size);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		parse(&whole, buf, size, &limits[i], size);
		if (whole.parse == HTTP_DONE)
			check_done(&whole, buf, size);
		else if (whole.parse == HTTP_BAD)
			MUST(whole.status >= 400 && whole.status <= 505 && whole.why != NULL);
		parse(&pieces, buf, size, &limits[i], 1);
		compare(&whole, &pieces);
		parse(&pieces, buf, size, &limits[i], 7);
		compare(&whole, &pieces);
	}
	if (size > 0)
		check_target((struct http_text){ buf, size });
	free(buf);
	return 0;
}
