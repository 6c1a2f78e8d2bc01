#include "utf8.h"

#include "util.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By RFC 3629: no surrogates, nothing beyond U+10FFFF, nothing longer than it need be. */
size_t
utf8_char(const char *text)
{
	static const struct {
		uint8_t first_low, first_high, second_low, second_high, length;
	} rows[] = {
		{ 0x01, 0x7f, 0x00, 0xff, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const uint8_t *p = (const uint8_t *)text;
	size_t row = 0, n;

	while (row < ARRAY_LEN(rows) && (p[0] < rows[row].first_low || p[0] > rows[row].first_high))
		row++;
	if (row == ARRAY_LEN(rows))
		return 0;
	n = rows[row].length;
	if (n > 1 && (p[1] < rows[row].second_low || p[1] > rows[row].second_high))
		return 0;
	for (size_t i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

size_t
utf8_length(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((uint8_t)*text & 0xc0) != 0x80;
	return n;
}

char *
utf8_replace(const char *text)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const size_t width = sizeof(replacement) - 1;
	char *copy = util_calloc(strlen(text) + 1, width), *to = copy;

	while (*text) {
		size_t n = utf8_char(text);

		memcpy(to, n > 0 ? text : replacement, n > 0 ? n : width);
		to += n > 0 ? n : width;
		text += n > 0 ? n : 1;
	}
	return copy;
}

bool
utf8_is_control(const char *text)
{
	const uint8_t *p = (const uint8_t *)text;

	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0);
}

char *
utf8_printable(const char *text)
{
	enum { ESCAPE_BYTES = 4 };
	char *copy = util_calloc(strlen(text) + 1, ESCAPE_BYTES), *to = copy;

	while (*text) {
		size_t n = utf8_char(text), taken = n > 0 ? n : 1;

		if (n == 0 || utf8_is_control(text)) {
			for (size_t i = 0; i < taken; i++, to += ESCAPE_BYTES)
				snprintf(to, ESCAPE_BYTES + 1, "\\x%02x", (uint8_t)text[i]);
		} else {
			memcpy(to, text, n);
			to += n;
		}
		text += taken;
	}
	return copy;
}
