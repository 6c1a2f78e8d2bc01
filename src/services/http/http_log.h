/*
 * The access log: one line a request, in the format that the administrator chose, whatever
 * the bytes of the request were.  Pure but for the time zone; opening and writing the
 * file is not here.
 */
#ifndef PREFORKD_HTTP_LOG_H
#define PREFORKD_HTTP_LOG_H

#include "http_head.h"

#include <sys/types.h>

/* A buffer for a line has at least so much; the longest request is cut less with 8 KiB. */
#define HTTP_LOG_LINE_MIN 4096

/*
 * What there is to say of a request.  A text that is not known is at NULL, a head that could
 * not be read as http_head_parse() left it, or NULL.  Nothing is kept.
 */
struct http_log_entry {
	const struct http_head *head;
	struct http_text reply;         /* the head of the answer, as sent, for %{name}o */
	struct http_text client, local; /* addresses, without ports */
	struct http_text server;        /* the site's name */
	struct http_text user;
	unsigned port; /* the server's */
	pid_t pid;
	int status;       /* 0: there was no answer */
	int64_t began_us; /* CLOCK_REALTIME, microseconds since 1970 */
	int64_t took_us;
	int64_t body;           /* bytes of the body sent */
	int64_t received, sent; /* bytes of all, heads too */
	unsigned nth;           /* requests before it on this connection */
	char connection;        /* as %X: '+' may be kept, '-' closed, 'X' broken off */
};

struct http_log_format;

/*
 * text is "common", "combined", "json" or a template with Apache's letters:
 *   %% %a %A %B %b %D %H %h %I %k %l %m %O %P %p %q %r %s %T %t %U %u %V %v %X,
 *   %{name}i and %{name}o (the first field of that name), %{s}T %{ms}T %{us}T, %{...}t with
 *   strftime(3), sec, msec, usec, msec_frac or usec_frac; '<' and '>' mean nothing.
 * %U is the path as it was sent, still encoded.  In a template \" \\ and \t are what they are
 * in C.  NULL with *err, which names the place.
 *
 * The master compiles, the workers use it: what changes is the time of the last line as text,
 * of which each has its own copy.
 */
struct http_log_format *http_log_format_new(const char *text, char **err);
void http_log_format_free(struct http_log_format *format);

/* The lines say the server's own address or port. */
bool http_log_format_has_local(const struct http_log_format *format);

/*
 * Writes the line with its LF, never more than size bytes, and returns its length.  In
 * text formats a byte that is not printable is \xhh (or \n, ...), quotes and backslashes have a
 * backslash, and outside of quotes a blank is \x20 and nothing "-", so that columns
 * stay columns; JSON is valid JSON in UTF-8.  When the line would be too long the longest texts
 * are cut alike, and end with "...".  0: size is less than HTTP_LOG_LINE_MIN, and too small.
 */
size_t http_log_format_line(const struct http_log_format *format,
			    const struct http_log_entry *entry, char *buf, size_t size);

#endif
