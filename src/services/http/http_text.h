/*
 * Slices of a buffer: how the http service hands on what stands in a request without a
 * copy.  Not terminated, not owned, never written to.  All comparisons are ASCII, by no
 * locale.  Pure.
 */
#ifndef PREFORKD_HTTP_TEXT_H
#define PREFORKD_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* at NULL: absent, which is something else than empty. */
struct http_text {
	const char *at;
	size_t len;
};

/* What a byte may be a part of; see http_is(). */
enum http_byte {
	HTTP_TOKEN = 1 << 0, /* tchar, RFC 9110 5.6.2 */
	HTTP_FIELD = 1 << 1, /* a field's value: VCHAR, obs-text, SP, HTAB, RFC 9110 5.5 */
	HTTP_TARGET =
	    1 << 2, /* VCHAR but '#': also what RFC 3986 does not know, but browsers send */
	HTTP_HEX = 1 << 3,
	HTTP_HOST = 1 << 4,  /* reg-name without '%', RFC 3986 3.2.2 */
	HTTP_PLAIN = 1 << 5, /* stands for itself in every part of a URI and of HTML; and '/' */
	HTTP_LOGGED = 1 << 6 /* stands for itself in a log, be it in quotes or not */
};

extern const unsigned char http_bytes[256];

/* The byte belongs to one of the classes of the set. */
static inline bool
http_is(char byte, unsigned int set)
{
	return (http_bytes[(unsigned char)byte] & set) != 0;
}

/* A string; absent for NULL and for an empty one. */
struct http_text http_text_of(const char *);

/* The value of a hexadecimal digit; -1 for any other byte. */
int http_text_hex(char digit);

/* The text is a token, RFC 9110 5.6.2: one byte or more. */
bool http_text_is_token(struct http_text);

/* The text is just that word; an absent one is none. */
bool http_text_is(struct http_text, const char *word);
bool http_text_is_nocase(struct http_text, const char *word);

/* Both are the same bytes, but for case. */
bool http_text_equal_nocase(struct http_text, struct http_text);

/* Without the SP and HTAB round it. */
struct http_text http_text_trim(struct http_text);

/*
 * Takes the next member, trimmed, off the front of a comma-separated list; false at its
 * end.  Empty members are skipped, as RFC 9110 5.6.1.2 wants.  Not for lists whose members
 * may be quoted strings.
 */
bool http_text_next(struct http_text *list, struct http_text *member);

#endif
