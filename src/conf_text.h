/*
 * The text of a configuration file before libconfuse sees it: comments blanked (it
 * counts a # line three times and refuses comments in lists), and everything refused
 * that it would swallow without a word: an open section, string or comment at the end,
 * a stray byte it skips, a bad escape (which leaves its lexer inside the string for
 * every later parse of the process).  Pure.
 */
#ifndef PREFORKD_CONF_TEXT_H
#define PREFORKD_CONF_TEXT_H

#include <stddef.h>

struct conf_text {
	int *section_lines; /* of each section's opening brace, in the order of the closing ones */
	size_t nsections;
};

/*
 * Blanks the comments of text[0..len) in place; newlines stay.  0, or -1 with *err as
 * "FILE:LINE: text".  The caller frees out->section_lines in both cases.
 */
int conf_text_clean(const char *file, char *text, size_t len, struct conf_text *out, char **err);

#endif
