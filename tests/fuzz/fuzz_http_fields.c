/*
 * Fields with a grammar of their own: dates, preconditions, ranges, Accept-Encoding.  Each
 * line of the input is a field, which its first byte names; the first line's says GET or
 * PUT.  What they lead to must be possible, and nothing is read behind a value's end.
 */
#include "http_accept.h"
#include "http_entity.h"
#include "http_range.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

#define NOW INT64_C(1800000000)

enum { FIELDS = 16, RANGES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_date(struct http_text value)
{
	char text[HTTP_DATE_BYTES];
	int64_t seconds = -1, again = -1;

	if (!http_date_parse(value, NOW, &seconds)) {
		if (seconds != -1)
			abort();
		return;
	}
	/* A leap second at the end of 9999 has no other form. */
	if (seconds == INT64_C(253402300800))
		return;
	http_date_format(text, seconds);
	if (!http_date_parse((struct http_text){ text, strlen(text) }, 0, &again) ||
	    again != seconds)
		abort();
}

static void
check_range(struct http_text value, int64_t size)
{
	struct http_range ranges[RANGES];
	int64_t left = size;
	size_t n = 0;

	if (http_range_parse(value, size, ranges, RANGES, &n) != HTTP_RANGE_SOME)
		return;
	if (n == 0 || n > RANGES)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (ranges[i].first < 0 || ranges[i].last < ranges[i].first ||
		    ranges[i].last >= size || ranges[i].last - ranges[i].first >= left)
			abort();
		left -= ranges[i].last - ranges[i].first + 1;
	}
}

static void
check_accept(const struct http_head *head)
{
	static const char *const codings[] = { "gzip", "br", "identity" };

	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		int quality = http_accept_encoding(head, codings[i]);

		if (quality < 0 || quality > 1000)
			abort();
	}
}

static void
check_conditions(const struct http_head *head)
{
	const struct stat st = { .st_ino = 1, .st_size = 1, .st_mtim = { .tv_sec = 784111777 } };
	bool get = head->method == HTTP_GET;
	struct http_entity e;
	int status;

	http_entity_of(&e, &st, "", NOW);
	status = http_entity_check(&e, head, NOW);
	if (status != 0 && status != 412 && (status != 304 || !get))
		abort();
	if (status == 304 && !http_head_get(head, "If-None-Match").at &&
	    !http_head_get(head, "If-Modified-Since").at)
		abort();
	if (status == 412 && get && !http_head_get(head, "If-Match").at &&
	    !http_head_get(head, "If-Unmodified-Since").at)
		abort();
	if (!http_entity_if_range(&e, head, NOW) && !http_head_get(head, "If-Range").at)
		abort();
	http_accept_encoding(head, "gzip");
}

/* The value in memory of just its size, so that a read behind its end is seen. */
static struct http_field
field_of(const uint8_t *line, size_t len)
{
	static const char *const names[] = { "If-Match",          "If-None-Match",
					     "If-Modified-Since", "If-Unmodified-Since",
					     "If-Range",          "Range",
					     "Accept-Encoding" };
	const char *name = names[line[0] % ARRAY_LEN(names)];
	char *value = malloc(len > 1 ? len - 1 : 1);

	if (!value)
		abort();
	memcpy(value, line + 1, len - 1);
	return (struct http_field){ { name, strlen(name) }, { value, len - 1 } };
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_field fields[FIELDS];
	struct http_head head = { .fields = fields };

	head.method = size > 0 && data[0] % 2 ? HTTP_GET : HTTP_PUT;
	while (size > 0 && head.nfields < FIELDS) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;

		if (len > 0)
			fields[head.nfields++] = field_of(data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	for (size_t i = 0; i < head.nfields; i++) {
		check_date(fields[i].value);
		check_range(fields[i].value, 1000);
		check_range(fields[i].value, 0);
		check_range(fields[i].value, INT64_MAX);
	}
	check_accept(&head);
	check_conditions(&head);
	for (size_t i = 0; i < head.nfields; i++)
		free((void *)(uintptr_t)fields[i].value.at);
	return 0;
}
