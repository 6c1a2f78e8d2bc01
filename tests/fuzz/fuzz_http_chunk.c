/*
 * A chunked body: never reads behind its bytes, ends at the same byte with the same data
 * however they arrive, and takes nothing once it has ended.
 */
#include "http_chunk.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

struct outcome {
	enum http_parse parse;
	size_t used, len;
	char *body;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
decode(struct outcome *outcome, const char *in, size_t len, size_t piece, size_t max)
{
	struct http_chunk chunk;
	struct http_text data;
	size_t there = 0, used;

	outcome->used = outcome->len = 0;
	http_chunk_init(&chunk, max, max);
	do {
		there = (size_t)util_min((int64_t)(there + piece), (int64_t)len);
		do {
			const char *at = in + outcome->used;
			size_t left = there - outcome->used;

			outcome->parse = http_chunk_feed(&chunk, at, left, &used, &data);
			MUST(used <= left && data.at >= at && data.at + data.len <= at + used);
			MUST(used > 0 || left == 0 || outcome->parse != HTTP_MORE);
			memcpy(outcome->body + outcome->len, data.at, data.len);
			outcome->len += data.len;
			outcome->used += used;
		} while (outcome->parse == HTTP_MORE && outcome->used < there);
	} while (outcome->parse == HTTP_MORE && there < len);
	if (outcome->parse == HTTP_MORE)
		return;
	MUST(http_chunk_feed(&chunk, in, len, &used, &data) == outcome->parse);
	MUST(used == 0 && data.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t maxima[] = { 8190, 20 };
	struct outcome whole = { .body = util_calloc(1, size + 1) };
	struct outcome pieces = { .body = util_calloc(1, size + 1) };
	char *in = util_calloc(1, size > 0 ? size : 1);

	if (size > 0)
		memcpy(in, data, size);
	for (size_t i = 0; i < ARRAY_LEN(maxima); i++) {
		decode(&whole, in, size, size, maxima[i]);
		for (size_t piece = 1; piece < 10; piece += 4) {
			decode(&pieces, in, size, piece, maxima[i]);
			MUST(whole.parse == pieces.parse && whole.used == pieces.used);
			MUST(whole.len == pieces.len);
			MUST(memcmp(whole.body, pieces.body, whole.len) == 0);
		}
	}
	free(in);
	free(whole.body);
	free(pieces.body);
	return 0;
}
