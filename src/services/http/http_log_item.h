/*
 * The parts that a line of the access log is made of; http_log.c strings them together.
 */
#ifndef PREFORKD_HTTP_LOG_ITEM_H
#define PREFORKD_HTTP_LOG_ITEM_H

#include "http_log.h"
#include "http_log_text.h"

/* No item is longer but for literals, and for texts, which can be cut to less. */
#define HTTP_LOG_ITEM_BYTES 64

/* What has no letter of Apache. */
enum {
	HTTP_LOG_LITERAL = 1,
	HTTP_LOG_TARGET = 2, /* for JSON: what was asked for, as it came */
};

struct http_log_item {
	char letter; /* of Apache, or one of these */
	enum http_log_style style;
	char *name; /* a long literal, a field's name or a format of strftime(3); owned */
	size_t len; /* of a literal */

	/* A time or duration as a number: microseconds / divide [% modulo]; 0: it is none. */
	int64_t divide, modulo;
	unsigned digits;

	char text[HTTP_LOG_ITEM_BYTES]; /* of a literal that is short */
};

/*
 * Sets up the item for a letter and the name in its braces (NULL: there are none), which is
 * copied; -1 with *err when there is no such letter, or it wants another name.
 */
int http_log_item_set(struct http_log_item *item, char letter, const char *name, char **err);

void http_log_item_put(struct http_log_line *line, const struct http_log_item *item,
		       const struct http_log_entry *entry);

#endif
