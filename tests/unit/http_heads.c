#include "http_heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
heads_parse(struct parsed_head *parsed, const char *raw, size_t len,
	    const struct http_limits *limits, size_t piece)
{
	static const struct http_limits apache = { 8190, 8190, 100 };
	size_t there = 0, scanned = 0;

	memset(parsed, 0, sizeof(*parsed));
	parsed->head.fields = parsed->fields;
	do {
		there = there + piece < len ? there + piece : len;
		parsed->parse =
		    http_head_parse(&parsed->head, raw, there, limits ? limits : &apache, &scanned,
				    &parsed->used, &parsed->status, &parsed->why);
	} while (parsed->parse == HTTP_MORE && there < len);
}

const struct parsed_head *
heads_of(const char *raw)
{
	static struct parsed_head parsed;

	heads_parse(&parsed, raw, strlen(raw), NULL, strlen(raw));
	return &parsed;
}

static void
say(const struct http_head *head, char *out, size_t size)
{
	static const char *const framings[] = { "none", "length", "chunked" };

	snprintf(out, size, "%.*s %d %.*s %.*s %s%s%s", (int)head->method_text.len,
		 head->method_text.at, head->minor, (int)head->authority.len, head->authority.at,
		 (int)head->origin.len, head->origin.at ? head->origin.at : "",
		 framings[head->framing], head->keep_alive ? " keep" : "",
		 head->expect_continue ? " expect" : "");
}

/* In memory of just its size, so that sanitizers see a read behind its end. */
static void
parse_row(struct parsed_head *parsed, const char *raw, size_t len, bool empty_line, size_t piece,
	  char **copy)
{
	*copy = util_calloc(1, len + 2 * empty_line);
	memcpy(*copy, "\r\n", 2 * empty_line);
	memcpy(*copy + 2 * empty_line, raw, len);
	heads_parse(parsed, *copy, len + 2 * empty_line, NULL, piece);
}

void
heads_must_be_refused(const struct refused_head *rows, size_t n)
{
	static struct parsed_head parsed;
	char *copy;

	for (size_t i = 0; i < n; i++) {
		for (size_t way = 0; way < 3; way++) {
			parse_row(&parsed, rows[i].raw, rows[i].len, way == 2,
				  way == 1 ? 1 : SIZE_MAX / 2, &copy);
			if (parsed.parse == HTTP_BAD && parsed.status == rows[i].status &&
			    parsed.why != NULL) {
				free(copy);
				continue;
			}
			fail_msg("row %zu, way %zu: %d with status %d (%s) for\n%s", i, way,
				 (int)parsed.parse, parsed.status, parsed.why ? parsed.why : "-",
				 rows[i].raw);
		}
	}
}

void
heads_must_be_taken(const struct taken_head *rows, size_t n)
{
	static struct parsed_head parsed;
	char said[256], *copy;

	for (size_t i = 0; i < n; i++) {
		for (size_t way = 0; way < 3; way++) {
			parse_row(&parsed, rows[i].raw, rows[i].len, way == 2,
				  way == 1 ? 1 : SIZE_MAX / 2, &copy);
			if (parsed.parse != HTTP_DONE)
				fail_msg("row %zu, way %zu: %d with status %d (%s) for\n%s", i, way,
					 (int)parsed.parse, parsed.status,
					 parsed.why ? parsed.why : "-", rows[i].raw);
			say(&parsed.head, said, sizeof(said));
			if (strcmp(said, rows[i].said) != 0 ||
			    parsed.used != rows[i].len + 2 * (way == 2))
				fail_msg("row %zu, way %zu: \"%s\" instead of \"%s\"", i, way, said,
					 rows[i].said);
			free(copy);
		}
	}
}
