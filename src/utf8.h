/*
 * Texts of unknown bytes, for documents and terminals that want UTF-8.  Pure.
 */
#ifndef PREFORKD_UTF8_H
#define PREFORKD_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes of the character that the text begins with: 1 to 4; 0: it is not UTF-8. */
size_t utf8_char(const char *text);

/*
 * Whether UTF-8 text begins with a control character, U+0080 to U+009F among them, whose
 * number then is that of its last byte.
 */
bool utf8_is_control(const char *text);

/* How many characters a text of UTF-8 has. */
size_t utf8_length(const char *text);

/* A copy in which each byte that is not UTF-8 is U+FFFD. */
char *utf8_replace(const char *text);

/*
 * A copy that a terminal only shows: control characters, also those of 8 bits and of
 * UTF-8 (U+0080 to U+009F), and bytes that are not UTF-8 are \xNN.
 */
char *utf8_printable(const char *text);

#endif
