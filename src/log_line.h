/*
 * How a line of the log is written: for people, for syslogd, or as an object of JSON.
 */
#ifndef PREFORKD_LOG_LINE_H
#define PREFORKD_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct log_line {
	const char *ident;
	int level;
	int facility; /* of syslog(3); -1: not for syslogd */
	bool plain;   /* without time and process */
	bool json;
	const char *text;
	size_t len;
};

/*
 * Without an end of line; cut if it has no room, but what is JSON stays JSON.  Bytes that
 * could be taken for something else are escaped.  Returns the length, less than size.
 */
size_t log_line_format(const struct log_line *line, char *buf, size_t size);

#endif
