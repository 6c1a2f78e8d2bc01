#include "http_log_text.h"

#include "layout.h"
#include "utf8.h"
#include "util.h"

#include <string.h>

#define CUT        "..."
#define CUT_BYTES  3
#define UNIT_BYTES 6 /* of the longest escape */

HOT void
http_log_raw(struct http_log_line *line, const char *text, size_t len)
{
	if (line->len < line->size && len <= line->size - line->len)
		memcpy(line->buf + line->len, text, len);
	line->len += len;
}

HOT void
http_log_string(struct http_log_line *line, const char *text)
{
	http_log_raw(line, text, strlen(text));
}

/* With zeros in front up to so many digits, at most 8. */
HOT void
http_log_number(struct http_log_line *line, int64_t number, unsigned digits)
{
	static const char zeros[] = "00000000";
	char text[UTIL_DIGITS], *end = text + sizeof(text);
	char *at = util_digits(end, number < 0 ? -(uint64_t)number : (uint64_t)number);
	size_t n = (size_t)(end - at);

	if (number < 0)
		http_log_raw(line, "-", 1);
	if (n < digits)
		http_log_raw(line, zeros, digits - n);
	http_log_raw(line, at, n);
}

/* ---- escapes ---------------------------------------------------------------------------- */

/* How many bytes from there on stand for themselves. */
static size_t
plain_run(const char *text, size_t len, enum http_log_style style)
{
	size_t n = 0;

	while (n < len &&
	       (http_is(text[n], HTTP_LOGGED) || (text[n] == ' ' && style != HTTP_LOG_BARE)))
		n++;
	return n;
}

/* A backslash and one letter, where there is one; else 0. */
static char
short_escape(unsigned char c, enum http_log_style style)
{
	static const char controls[] = "btnvfr"; /* from 8 on */
	char letter = c >= '\b' && c <= '\r' ? controls[c - '\b'] : '\0';

	if (c == '"' || c == '\\')
		return (char)c;
	/* As Apache has no \f, and JSON no \v. */
	return letter == (style == HTTP_LOG_JSON ? 'v' : 'f') ? '\0' : letter;
}

/* How many bytes are one character of UTF-8 that may stand in a log; 0: none. */
static size_t
utf8_unit(const char *text, size_t len)
{
	char first[5] = { 0 };
	size_t n;

	memcpy(first, text, len < 4 ? len : 4);
	n = utf8_char(first);
	/* Behind C2 come the control characters of 8 bits; a terminal may obey them. */
	return n >= 2 && !((unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0) ? n : 0;
}

/* Writes the first character of the text; *taken is how many bytes it has there. */
static size_t
escape(char unit[UNIT_BYTES], const char *text, size_t len, enum http_log_style style,
       size_t *taken)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char c = (unsigned char)*text;
	char letter = short_escape(c, style);
	size_t n = 0;

	*taken = 1;
	if (style == HTTP_LOG_JSON && c >= 0x80 && (n = utf8_unit(text, len)) > 0) {
		memcpy(unit, text, *taken = n);
		return n;
	}
	unit[n++] = '\\';
	if (letter) {
		unit[n++] = letter;
		return n;
	}
	unit[n++] = style == HTTP_LOG_JSON ? 'u' : 'x';
	if (style == HTTP_LOG_JSON) {
		unit[n++] = '0';
		unit[n++] = '0';
	}
	unit[n++] = hex[c >> 4];
	unit[n++] = hex[c & 15];
	return n;
}

HOT void
http_log_text(struct http_log_line *line, struct http_text text, enum http_log_style style)
{
	size_t begin = line->len, whole = begin, i = 0; /* whole: room for the mark behind it */

	while (i < text.len) {
		char unit[UNIT_BYTES];
		size_t room = line->text_max - (line->len - begin), taken = 0, n = 0;
		size_t run = plain_run(text.at + i, text.len - i, style);

		if (run == 0)
			n = escape(unit, text.at + i, text.len - i, style, &taken);
		if (run > room || n > room) {
			/* Of a run, as much as the mark leaves. */
			if (run > 0 && room >= CUT_BYTES) {
				http_log_raw(line, text.at + i, room - CUT_BYTES);
				whole = line->len;
			}
			line->len = whole;
			http_log_raw(line, CUT, CUT_BYTES);
			return;
		}
		http_log_raw(line, run > 0 ? text.at + i : unit, run > 0 ? run : n);
		i += run > 0 ? run : taken;
		if (line->text_max - (line->len - begin) >= CUT_BYTES)
			whole = line->len;
		else if (run > 0 && room >= CUT_BYTES)
			whole = begin + line->text_max - CUT_BYTES; /* inside of the run */
	}
}
