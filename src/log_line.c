#include "log_line.h"

#include "utf8.h"
#include "util.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TIME_BYTES 64

static const char *
level_name(int level)
{
	static const char *const names[] = { "emerg",   "alert",  "crit", "error",
					     "warning", "notice", "info", "debug" };

	return names[level & 7];
}

/* "2026-11-20T11:03:25.123+0000" */
static void
format_time(char buf[TIME_BYTES])
{
	struct timespec now;
	struct tm tm;
	char stamp[24], zone[8];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	snprintf(buf, TIME_BYTES, "%s.%03ld%s", stamp, now.tv_nsec / 1000000, zone);
}

/* "<29>Nov 20 11:03:25 preforkd[42]: " */
static size_t
format_syslog(const struct log_line *line, char *buf, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[24];

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
	return (size_t)snprintf(buf, size, "<%d>%s %s[%d]: ", line->facility | line->level, stamp,
				line->ident, (int)getpid());
}

static size_t
format_prefix(const struct log_line *line, char *buf, size_t size)
{
	char stamp[TIME_BYTES];

	if (line->facility >= 0)
		return format_syslog(line, buf, size);
	if (line->plain)
		return (size_t)snprintf(buf, size, "%s: %s: ", line->ident,
					level_name(line->level));
	format_time(stamp);
	return (size_t)snprintf(buf, size, "%s %s[%d] %s: ", stamp, line->ident, (int)getpid(),
				level_name(line->level));
}

/* The next character of a JSON string (RFC 8259 7), so many bytes of text; into buf, at most 8. */
static size_t
format_char(const char *text, char *buf, size_t *used)
{
	size_t n = utf8_char(text);

	*used = n > 0 ? n : 1;
	if (n == 0)
		return (size_t)sprintf(buf, "\\ufffd");
	if (*text == '"' || *text == '\\')
		return (size_t)sprintf(buf, "\\%c", *text);
	if (utf8_is_control(text))
		return (size_t)sprintf(buf, "\\u%04x", (unsigned char)text[n - 1]);
	memcpy(buf, text, n);
	return n;
}

static size_t
format_json(const struct log_line *line, char *buf, size_t size)
{
	static const char end[] = "\"}";
	char stamp[TIME_BYTES];
	size_t len = 0;

	if (line->facility >= 0)
		len = format_syslog(line, buf, size);
	format_time(stamp);
	len += (size_t)snprintf(buf + len, size - len,
				"{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d,"
				"\"message\":\"",
				stamp, level_name(line->level), line->ident, (int)getpid());
	for (size_t at = 0, used; at < line->len; at += used) {
		char piece[8];
		size_t n = format_char(line->text + at, piece, &used);

		if (len + n + sizeof(end) > size)
			break;
		memcpy(buf + len, piece, n);
		len += n;
	}
	memcpy(buf + len, end, sizeof(end));
	return len + sizeof(end) - 1;
}

size_t
log_line_format(const struct log_line *line, char *buf, size_t size)
{
	size_t len;

	if (line->json && !line->plain)
		return format_json(line, buf, size);
	len = format_prefix(line, buf, size);
	return len + util_escape(buf + len, size - len, line->text, line->len);
}
