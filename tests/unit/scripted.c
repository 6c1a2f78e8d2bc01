#include "scripted.h"

#include <stdlib.h>
#include <string.h>

static void
take(struct scripted *s)
{
	for (int i = 0; i < 2; i++) {
		struct http_text *piece = &s->answer.out[i];

		if (s->len + piece->len > s->size) {
			s->size = 2 * (s->len + piece->len);
			s->out = realloc(s->out, s->size);
			if (!s->out)
				abort();
		}
		if (piece->len > 0)
			memcpy(s->out + s->len, piece->at, piece->len);
		s->len += piece->len;
		piece->len = 0;
	}
}

void
scripted_run(struct scripted *s, const char *output, size_t len, const size_t *pieces,
	     size_t npieces)
{
	struct http_cgi_answer *a = &s->answer;

	s->request = (struct http_request){
		.head = &s->asked,
		.input = &s->input,
		.keep_alive = !s->closes,
	};
	http_cgi_answer_init(a, &s->request, s->raw);
	for (size_t i = 0; len > 0 && a->state != HTTP_CGI_FAULT; i++) {
		size_t n, room_size;
		char *room = http_cgi_answer_room(a, &room_size);

		n = (size_t)util_min((int64_t)room_size, (int64_t)pieces[i % npieces]);
		n = (size_t)util_min((int64_t)n, (int64_t)len);
		memcpy(room, output, n);
		output += n;
		len -= n;
		http_cgi_answer_read(a, n);
		take(s);
	}
	if (a->state != HTTP_CGI_FAULT)
		http_cgi_answer_end(a, !s->killed);
	take(s);
}

/* ---- the client ---- */

/* The line at *at, without its CRLF; false: there is none. */
static bool
next_line(const struct scripted *s, size_t *at, struct http_text *line)
{
	char *end = *at < s->len ? memmem(s->out + *at, s->len - *at, "\r\n", 2) : NULL;

	if (!end)
		return false;
	*line = (struct http_text){ s->out + *at, (size_t)(end - (s->out + *at)) };
	*at = (size_t)(end + 2 - s->out);
	return true;
}

static bool
is_text(struct http_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!http_is(text.at[i], HTTP_FIELD))
			return false;
	return true;
}

/* HTTP/1.1 SP 3DIGIT SP reason-phrase, RFC 9112 4. */
static bool
read_status(struct scripted *s, struct http_text line)
{
	if (line.len < 13 || memcmp(line.at, "HTTP/1.1 ", 9) != 0 || line.at[12] != ' ')
		return false;
	for (size_t i = 9; i < 12; i++) {
		if (line.at[i] < '0' || line.at[i] > '9')
			return false;
		s->status = s->status * 10 + (line.at[i] - '0');
	}
	return is_text(line);
}

struct counts {
	unsigned date, server, length, coding, connection, type, location;
};

static const char *
note_field(struct scripted *s, struct http_text name, struct http_text value, struct counts *seen)
{
	if (http_text_is_nocase(name, "date")) {
		seen->date++;
	} else if (http_text_is_nocase(name, "server")) {
		seen->server++;
	} else if (http_text_is_nocase(name, "content-type")) {
		seen->type++;
	} else if (http_text_is_nocase(name, "location")) {
		seen->location++;
	} else if (http_text_is_nocase(name, "content-length")) {
		seen->length++;
		s->length = strtoll(value.at, NULL, 10);
		if (strspn(value.at, "0123456789") != value.len || value.len == 0)
			return "Content-Length is no number";
	} else if (http_text_is_nocase(name, "transfer-encoding")) {
		seen->coding++;
		s->chunked = true;
		if (!http_text_is(value, "chunked"))
			return "Transfer-Encoding is not chunked";
	} else if (http_text_is_nocase(name, "connection")) {
		seen->connection++;
		s->says_close = http_text_is(value, "close");
		if (!s->says_close && !http_text_is(value, "keep-alive"))
			return "Connection is not for the client";
	} else if (http_text_is_nocase(name, "status") || http_text_is_nocase(name, "keep-alive") ||
		   http_text_is_nocase(name, "trailer") || http_text_is_nocase(name, "upgrade") ||
		   http_text_is_nocase(name, "te") ||
		   http_text_is_nocase(name, "proxy-connection")) {
		return "a field that is not for the client";
	}
	return NULL;
}

static const char *
read_field(struct scripted *s, struct http_text line, struct counts *seen)
{
	const char *colon = memchr(line.at, ':', line.len);
	struct http_text name = { line.at, colon ? (size_t)(colon - line.at) : 0 };
	struct http_text value = { name.at + name.len + 1, line.len - name.len - 1 };

	if (!http_text_is_token(name) || !is_text(value) || value.len == 0 || value.at[0] != ' ')
		return "a line is no field";
	return note_field(s, name, http_text_trim(value), seen);
}

static bool
is_ours(struct http_text line)
{
	return line.len > 7 &&
	       (memcmp(line.at, "Date: ", 6) == 0 || http_text_is(line, "Server: preforkd"));
}

static void
keep_line(struct scripted *s, struct http_text line)
{
	size_t len = strlen(s->head);

	memcpy(s->head + len, line.at, line.len);
	memcpy(s->head + len + line.len, "\n", 2);
}

static const char *
read_head(struct scripted *s, size_t *at)
{
	struct counts seen = { 0 };
	struct http_text line;
	const char *why;

	if (!next_line(s, at, &line) || !read_status(s, line))
		return "no status line";
	keep_line(s, line);
	while (next_line(s, at, &line) && line.len > 0) {
		why = read_field(s, line, &seen);
		if (why)
			return why;
		if (!is_ours(line))
			keep_line(s, line);
	}
	if (line.len > 0)
		return "the head has no end";
	if (seen.date != 1 || seen.server != 1 || seen.type > 1 || seen.location > 1 ||
	    seen.connection > 1)
		return "a field is there twice, or is not";
	if (seen.length + seen.coding > 1)
		return "more than one framing";
	return NULL;
}

static const char *
read_chunks(struct scripted *s, size_t at)
{
	enum http_parse result = HTTP_MORE;
	struct http_chunk chunk;

	http_chunk_init(&chunk, 16, 0);
	while (result == HTTP_MORE && at < s->len) {
		struct http_text data;
		size_t used;

		result = http_chunk_feed(&chunk, s->out + at, s->len - at, &used, &data);
		memcpy(s->body + s->body_len, data.at, data.len);
		s->body_len += data.len;
		at += used;
	}
	s->ended = result == HTTP_DONE;
	return result == HTTP_BAD ? "a chunk is not well formed"
	       : at < s->len      ? "something behind the last chunk"
				  : NULL;
}

/* RFC 9112 6.3. */
static const char *
read_body(struct scripted *s, size_t at)
{
	if (s->asked.method == HTTP_HEAD || s->status == 204 || s->status == 304) {
		s->ended = true;
		if (s->asked.method != HTTP_HEAD && (s->length >= 0 || s->chunked))
			return "an answer without a body has framing";
		return s->len > at ? "an answer without a body has one" : NULL;
	}
	if (s->chunked)
		return s->asked.minor == 0 ? "chunks for 1.0" : read_chunks(s, at);
	s->body_len = s->len - at;
	memcpy(s->body, s->out + at, s->body_len);
	s->ended = s->length < 0 || (int64_t)s->body_len == s->length;
	if (s->length >= 0 && (int64_t)s->body_len > s->length)
		return "more than Content-Length says";
	return s->length < 0 && s->request.keep_alive ? "no end but the connection's" : NULL;
}

const char *
scripted_read(struct scripted *s)
{
	const char *why;
	size_t at = 0;

	s->length = -1;
	s->head = util_calloc(1, s->len + 1);
	s->body = util_calloc(1, s->len + 1);
	why = read_head(s, &at);
	if (!why)
		why = read_body(s, at);
	if (!why && s->request.body != (int64_t)s->body_len)
		why = "not all that went out was counted";
	if (!why && s->request.status != s->status)
		why = "another status was noted";
	if (!why && s->says_close && s->request.keep_alive)
		why = "the connection goes on against its word";
	return why;
}

void
scripted_free(struct scripted *s)
{
	free(s->out);
	free(s->head);
	free(s->body);
}
