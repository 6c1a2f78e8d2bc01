/*
 * Bytes of a request as part of a line of a log: whatever they are, they neither end the
 * line nor the field they stand in.  Pure.
 */
#ifndef PREFORKD_HTTP_LOG_TEXT_H
#define PREFORKD_HTTP_LOG_TEXT_H

#include "http_text.h"

#include <stdint.h>

/* How a text is written. */
enum http_log_style {
	HTTP_LOG_BARE,   /* Apache's escapes (\" \\ \n \xhh), and blanks as \x20: one word */
	HTTP_LOG_QUOTED, /* the same with blanks, for what stands in quotes */
	HTTP_LOG_JSON    /* inside of a JSON string: UTF-8; a byte that is not is \u00hh */
};

/*
 * A line that is being written.  len goes on behind size, as snprintf(3) counts: then the
 * line did not fit.  No text takes more than text_max bytes, escaped; a longer one is cut
 * between two characters and ends with "...".
 */
struct http_log_line {
	char *buf;
	size_t size, len;
	size_t text_max; /* at least 3 */
};

void http_log_raw(struct http_log_line *line, const char *text, size_t len);
void http_log_string(struct http_log_line *line, const char *text);
void http_log_number(struct http_log_line *line, int64_t number, unsigned digits);
void http_log_text(struct http_log_line *line, struct http_text text, enum http_log_style style);

#endif
