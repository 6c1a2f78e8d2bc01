#include "http_reply.h"

#include "http_date.h"
#include "layout.h"
#include "util.h"

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

/* No printf(3): it would be the dearest part of a small answer. */
#define LITERAL(text) text, sizeof(text) - 1

static void
put(struct writer *w, const char *text, size_t len)
{
	if ((size_t)(w->end - w->at) <= len) {
		w->full = true;
		return;
	}
	memcpy(w->at, text, len);
	w->at += len;
}

static void
put_string(struct writer *w, const char *text)
{
	put(w, text, strlen(text));
}

static void
put_number(struct writer *w, uint64_t number)
{
	char text[UTIL_DIGITS], *end = text + sizeof(text), *at = util_digits(end, number);

	put(w, at, (size_t)(end - at));
}

static void
put_field(struct writer *w, const char *name, size_t len, const char *value)
{
	put(w, name, len);
	put_string(w, value);
	put(w, LITERAL("\r\n"));
}

static void
put_status(struct writer *w, const struct http_reply *r)
{
	put(w, LITERAL("HTTP/1.1 "));
	put_number(w, (uint64_t)r->status);
	put(w, LITERAL(" "));
	if (r->reason.len > 0)
		put(w, r->reason.at, r->reason.len);
	else
		put_string(w, http_reply_reason(r->status));
	put(w, LITERAL("\r\n"));
}

/* What every answer has, made anew once a second. */
static void
put_date(struct writer *w)
{
	static char text[] PER_WORKER =
	    "Date: Day, 00 Mon 0000 00:00:00 GMT\r\nServer: preforkd\r\n";
	static time_t second PER_WORKER;
	time_t now = time(NULL);

	if (now != second) {
		char date[HTTP_DATE_BYTES];

		http_date_format(date, now);
		memcpy(text + strlen("Date: "), date, strlen(date));
		second = now;
	}
	put(w, LITERAL(text));
}

static void
put_entity(struct writer *w, const struct http_entity *entity)
{
	put_field(w, LITERAL("Last-Modified: "), entity->last_modified);
	put_field(w, LITERAL("ETag: "), entity->etag);
	put(w, LITERAL("Accept-Ranges: bytes\r\n"));
}

/* 1.1 keeps connections and 1.0 closes them, unless they say otherwise. */
static void
put_connection(struct writer *w, const struct http_reply *r)
{
	if (!r->keep_alive)
		put(w, LITERAL("Connection: close\r\n"));
	else if (r->minor == 0)
		put(w, LITERAL("Connection: keep-alive\r\n"));
}

HOT size_t
http_reply_head(const struct http_reply *r, char *buf, size_t size)
{
	struct writer w = { buf, buf + size, false };

	put_status(&w, r);
	put_date(&w);
	if (r->entity)
		put_entity(&w, r->entity);
	if (r->type)
		put_field(&w, LITERAL("Content-Type: "), r->type);
	if (r->coding)
		put_field(&w, LITERAL("Content-Encoding: "), r->coding);
	if (r->length >= 0) {
		put(&w, LITERAL("Content-Length: "));
		put_number(&w, (uint64_t)r->length);
		put(&w, LITERAL("\r\n"));
	}
	if (r->chunked)
		put(&w, LITERAL("Transfer-Encoding: chunked\r\n"));
	if (r->vary)
		put(&w, LITERAL("Vary: Accept-Encoding\r\n"));
	if (r->location)
		put_field(&w, LITERAL("Location: "), r->location);
	if (r->fields)
		put_string(&w, r->fields);
	if (r->extra)
		put_string(&w, r->extra);
	put_connection(&w, r);
	put(&w, LITERAL("\r\n"));
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
