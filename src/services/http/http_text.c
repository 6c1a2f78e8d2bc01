#include "http_text.h"

#include "layout.h"

#include <string.h>

/* The grammar of each class; all of it is computed by the compiler. */
#define AMONG(c, a, b, d, e) ((c) == (a) || (c) == (b) || (c) == (d) || (c) == (e))
#define DIGIT(c)             ((c) >= '0' && (c) <= '9')
#define ALPHA(c)             (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define VCHAR(c)             ((c) > 0x20 && (c) < 0x7f)
#define BLANK(c)             ((c) == ' ' || (c) == '\t')
#define UNRESERVED(c)        (ALPHA(c) || DIGIT(c) || AMONG(c, '-', '.', '_', '~'))
#define SUB_DELIM(c)                                                      \
	(AMONG(c, '!', '$', '&', '\'') || AMONG(c, '(', ')', '*', '+') || \
	 AMONG(c, ',', ';', '=', '='))

#define TOKEN(c)                                                                                  \
	(ALPHA(c) || DIGIT(c) || AMONG(c, '!', '#', '$', '%') || AMONG(c, '&', '\'', '*', '+') || \
	 AMONG(c, '-', '.', '^', '_') || AMONG(c, '`', '|', '~', '~'))
#define FIELD(c)  (VCHAR(c) || BLANK(c) || (c) >= 0x80)
#define TARGET(c) (VCHAR(c) && (c) != '#')
#define HEX(c)    (DIGIT(c) || ((c) >= 'a' && (c) <= 'f') || ((c) >= 'A' && (c) <= 'F'))
#define HOST(c)   (UNRESERVED(c) || SUB_DELIM(c))
#define PLAIN(c)  (UNRESERVED(c) || (c) == '/')
#define LOGGED(c) (VCHAR(c) && (c) != '"' && (c) != '\\')

#define BYTE(c)                                                                    \
	(TOKEN(c) * HTTP_TOKEN | FIELD(c) * HTTP_FIELD | TARGET(c) * HTTP_TARGET | \
	 HEX(c) * HTTP_HEX | HOST(c) * HTTP_HOST | PLAIN(c) * HTTP_PLAIN |         \
	 LOGGED(c) * HTTP_LOGGED)
#define ROW4(c)  BYTE(c), BYTE((c) + 1), BYTE((c) + 2), BYTE((c) + 3)
#define ROW16(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12)
#define ROW64(c) ROW16(c), ROW16((c) + 16), ROW16((c) + 32), ROW16((c) + 48)

const unsigned char http_bytes[256] = { ROW64(0), ROW64(64), ROW64(128), ROW64(192) };

static unsigned char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : (unsigned char)c;
}

HOT struct http_text
http_text_of(const char *text)
{
	return (struct http_text){ text && *text ? text : NULL, text ? strlen(text) : 0 };
}

int
http_text_hex(char digit)
{
	if (!http_is(digit, HTTP_HEX))
		return -1;
	return digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}

bool
http_text_is_token(struct http_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!http_is(text.at[i], HTTP_TOKEN))
			return false;
	return text.len > 0;
}

HOT bool
http_text_equal_nocase(struct http_text a, struct http_text b)
{
	if (a.at == NULL || b.at == NULL || a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (a.at[i] != b.at[i] && lower(a.at[i]) != lower(b.at[i]))
			return false;
	return true;
}

HOT bool
http_text_is(struct http_text text, const char *word)
{
	return text.at != NULL && text.len == strlen(word) && memcmp(text.at, word, text.len) == 0;
}

HOT bool
http_text_is_nocase(struct http_text text, const char *word)
{
	return http_text_equal_nocase(text, (struct http_text){ word, strlen(word) });
}

HOT struct http_text
http_text_trim(struct http_text text)
{
	for (; text.len > 0 && BLANK(text.at[0]); text.len--)
		text.at++;
	while (text.len > 0 && BLANK(text.at[text.len - 1]))
		text.len--;
	return text;
}

HOT bool
http_text_next(struct http_text *list, struct http_text *member)
{
	const char *comma;

	while (list->len > 0) {
		comma = memchr(list->at, ',', list->len);
		*member = *list;
		if (comma != NULL)
			member->len = (size_t)(comma - list->at);
		list->at += member->len + (comma != NULL);
		list->len -= member->len + (comma != NULL);
		*member = http_text_trim(*member);
		if (member->len > 0)
			return true;
	}
	return false;
}
