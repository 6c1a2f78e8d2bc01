#include "conf_text.h"

#include "util.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char nul_byte[] = "a NUL byte: this is not a text file";

struct scanner {
	const char *file;
	char *text;
	size_t len, at;
	int line;
	struct {
		int line;
		bool section; /* or a list */
	} open[8];            /* the braces that are open */
	size_t depth;
	char last; /* the last byte that was neither blank nor comment */
	struct conf_text *out;
	char **err;
};

static char
peek(const struct scanner *s, size_t ahead)
{
	return s->at + ahead < s->len ? s->text[s->at + ahead] : '\0';
}

static int
fail(struct scanner *s, int line, const char *text)
{
	return util_fail(s->err, "%s:%d: %s", s->file, line, text);
}

static void
blank_to_end_of_line(struct scanner *s)
{
	while (s->at < s->len && s->text[s->at] != '\n')
		s->text[s->at++] = ' ';
}

static int
blank_comment(struct scanner *s)
{
	int began = s->line;
	bool closed = false;

	s->text[s->at++] = ' ';
	s->text[s->at++] = ' ';
	while (s->at < s->len && !closed) {
		closed = peek(s, 0) == '*' && peek(s, 1) == '/';
		if (closed)
			s->text[s->at++] = ' ';
		if (s->text[s->at] == '\n')
			s->line++;
		else
			s->text[s->at] = ' ';
		s->at++;
	}
	if (!closed)
		return fail(s, began,
			    "the comment that begins here is never closed: */ is missing");
	return 0;
}

static bool
is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The byte that \ and digits stand for: \1 to \377, \x1 to \xff; 0 if it is none. */
static int
escaped_byte(const struct scanner *s)
{
	char hex[3] = { peek(s, 2), isxdigit((unsigned char)peek(s, 2)) ? peek(s, 3) : '\0', '\0' };
	size_t n = 1;
	int value = 0;

	if (peek(s, 1) == 'x')
		return isxdigit((unsigned char)hex[0]) ? (int)strtol(hex, NULL, 16) : 0;
	while (n <= 3 && is_octal(peek(s, n)))
		value = value * 8 + (peek(s, n++) - '0');
	return value > 255 || isdigit((unsigned char)peek(s, n)) ? 0 : value;
}

static int
check_escape(struct scanner *s)
{
	if (peek(s, 1) != 'x' && !isdigit((unsigned char)peek(s, 1)))
		return 0;
	if (escaped_byte(s) == 0)
		return fail(s, s->line,
			    "bad escape in the string: write \\001 to \\377, "
			    "\\x01 to \\xff, or \\\\ for a backslash");
	return 0;
}

/* ${NAME}: to the closing brace, which must stand in the same line and string. */
static int
skip_variable(struct scanner *s)
{
	size_t n = 2;

	while (peek(s, n) != '}') {
		if (peek(s, n) == '\0' || peek(s, n) == '"' || peek(s, n) == '\n')
			return fail(s, s->line,
				    "${ without }: to write these two bytes as they are, "
				    "write \\x24{");
		n++;
	}
	s->at += n;
	return 0;
}

static int
skip_string(struct scanner *s, char quote)
{
	int began = s->line;

	for (s->at++; s->at < s->len; s->at++) {
		char c = s->text[s->at];

		if (c == quote) {
			s->at++;
			return 0;
		}
		if (c == '\0')
			return fail(s, s->line, nul_byte);
		if (quote == '"' && c == '$' && peek(s, 1) == '{' && skip_variable(s) < 0)
			return -1;
		if (c == '\\') {
			if (quote == '"' && check_escape(s) < 0)
				return -1;
			s->at++;
			c = s->at < s->len ? s->text[s->at] : '\0';
		}
		if (c == '\n')
			s->line++;
	}
	return fail(s, began, "the string that begins here is never closed: a quote is missing");
}

static int
open_brace(struct scanner *s)
{
	if (s->depth == ARRAY_LEN(s->open))
		return fail(s, s->line, "sections are nested too deeply");
	s->open[s->depth].line = s->line;
	s->open[s->depth++].section = s->last != '=';
	return 0;
}

static int
close_brace(struct scanner *s)
{
	struct conf_text *out = s->out;

	if (s->depth == 0)
		return fail(s, s->line, "a closing brace without an opening one");
	if (!s->open[--s->depth].section)
		return 0;
	out->section_lines = util_realloc(out->section_lines, out->nsections + 1, sizeof(int));
	out->section_lines[out->nsections++] = s->open[s->depth].line;
	return 0;
}

/* Inside of a word // is no comment: https://example.org/ needs no quotes. */
static bool
begins_comment(const struct scanner *s)
{
	char before = s->at > 0 ? s->text[s->at - 1] : '\n';

	return peek(s, 0) == '#' ||
	       (peek(s, 0) == '/' && peek(s, 1) == '/' && strchr(" \t\r\n={}(),+\"'", before));
}

/* One byte outside of strings and comments. */
static int
scan_byte(struct scanner *s, char c)
{
	switch (c) {
	case '$':
		return peek(s, 1) == '{' ? skip_variable(s) : 0;
	case '\0':
		return fail(s, s->line, nul_byte);
	case '{':
		return open_brace(s);
	case '}':
		return close_brace(s);
	case '*':
	case '(':
	case ')':
		return fail(s, s->line, "*, ( and ) must stand in quotes");
	case '+':
		if (peek(s, 1) != '=')
			return fail(s, s->line, "+ must stand in quotes");
		return 0;
	default:
		return 0;
	}
}

static int
scan(struct scanner *s)
{
	while (s->at < s->len) {
		char c = s->text[s->at];

		if (begins_comment(s)) {
			blank_to_end_of_line(s);
			continue;
		}
		if (c == '/' && peek(s, 1) == '*') {
			if (blank_comment(s) < 0)
				return -1;
			continue;
		}
		if (c == '"' || c == '\'') {
			if (skip_string(s, c) < 0)
				return -1;
			s->last = c;
			continue;
		}
		if (scan_byte(s, c) < 0)
			return -1;
		if (c == '\n')
			s->line++;
		else if (c != ' ' && c != '\t' && c != '\r')
			s->last = c;
		s->at++;
	}
	if (s->depth > 0)
		return fail(s, s->open[s->depth - 1].line,
			    "the section or list that begins here is never closed: } is missing");
	return 0;
}

int
conf_text_clean(const char *file, char *text, size_t len, struct conf_text *out, char **err)
{
	struct scanner s = {
		.file = file, .text = text, .len = len, .line = 1, .out = out, .err = err
	};

	memset(out, 0, sizeof(*out));
	return scan(&s);
}
