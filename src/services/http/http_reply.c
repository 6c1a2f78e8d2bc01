#include "http_reply.h"

#include "http_date.h"
#include "util.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *
http_reply_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 204, "No Content" },
		{ 206, "Partial Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 502, "Bad Gateway" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

struct writer {
	char *at, *end;
	bool full;
};

static void add(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
add(struct writer *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->at, (size_t)(w->end - w->at), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= w->end - w->at)
		w->full = true;
	else
		w->at += n;
}

static void
add_text(struct writer *w, const char *name, const char *value)
{
	size_t a = strlen(name), b = strlen(value);

	if ((size_t)(w->end - w->at) <= a + b + 2) {
		w->full = true;
		return;
	}
	memcpy(w->at, name, a);
	memcpy(w->at + a, value, b);
	memcpy(w->at + a + b, "\r\n", 2);
	w->at += a + b + 2;
}

static const char *
date_now(void)
{
	static char text[30];
	static time_t second;
	time_t now = time(NULL);

	if (now != second) {
		http_date_format(text, now);
		second = now;
	}
	return text;
}

static void
add_entity(struct writer *w, const struct http_entity *entity)
{
	add_text(w, "Last-Modified: ", entity->last_modified);
	add_text(w, "ETag: ", entity->etag);
	add_text(w, "Accept-Ranges: ", "bytes");
}

/* 1.1 keeps connections and 1.0 closes them, unless they say otherwise. */
static void
add_connection(struct writer *w, const struct http_reply *r)
{
	if (!r->keep_alive)
		add_text(w, "Connection: ", "close");
	else if (r->minor == 0)
		add_text(w, "Connection: ", "keep-alive");
}

size_t
http_reply_head(const struct http_reply *r, char *buf, size_t size)
{
	struct writer w = { buf, buf + size, false };

	if (r->reason.len > 0)
		add(&w, "HTTP/1.1 %d %.*s\r\n", r->status, (int)r->reason.len, r->reason.at);
	else
		add(&w, "HTTP/1.1 %d %s\r\n", r->status, http_reply_reason(r->status));
	add_text(&w, "Date: ", date_now());
	add_text(&w, "Server: ", "preforkd");
	if (r->entity)
		add_entity(&w, r->entity);
	if (r->type)
		add_text(&w, "Content-Type: ", r->type);
	if (r->coding)
		add_text(&w, "Content-Encoding: ", r->coding);
	if (r->length >= 0)
		add(&w, "Content-Length: %" PRId64 "\r\n", r->length);
	if (r->chunked)
		add_text(&w, "Transfer-Encoding: ", "chunked");
	if (r->vary)
		add_text(&w, "Vary: ", "Accept-Encoding");
	if (r->location)
		add_text(&w, "Location: ", r->location);
	if (r->fields)
		add(&w, "%s", r->fields);
	if (r->extra)
		add(&w, "%s", r->extra);
	add_connection(&w, r);
	add(&w, "\r\n");
	return w.full ? 0 : (size_t)(w.at - buf);
}

size_t
http_reply_page(int status, char *buf, size_t size)
{
	const char *reason = http_reply_reason(status);
	int n = snprintf(buf, size,
			 "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
			 "<title>%d %s</title>\n<h1>%d %s</h1>\n",
			 status, reason, status, reason);

	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
