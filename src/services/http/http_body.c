#include "http_body.h"

#include "kept.h"
#include "layout.h"

#define DROP_BYTES       65536 /* of a body that nobody wants: more is not waited for */
#define CHUNK_LINE_BYTES 4096

HOT void
http_body_init(struct http_body *body, struct http_conn *conn, const struct http_head *head,
	       int64_t timeout, int64_t min_rate)
{
	*body = (struct http_body){
		.conn = conn,
		.framing = head ? head->framing : HTTP_NO_BODY,
		.left = head ? head->content_length : 0,
		.timeout = timeout,
		.min_rate = min_rate,
	};
	body->ended = body->framing != HTTP_CHUNKED && body->left == 0;
	body->expects_100 = !body->ended && head->expect_continue;
	if (body->framing == HTTP_CHUNKED)
		http_chunk_init(&body->chunk, CHUNK_LINE_BYTES, CHUNK_LINE_BYTES);
}

static enum http_parse
next_of_length(struct http_body *body, struct http_text *piece)
{
	struct http_conn *c = body->conn;

	piece->at = c->buf + c->at;
	piece->len = (size_t)util_min((int64_t)(c->len - c->at), body->left);
	c->at += piece->len;
	body->left -= (int64_t)piece->len;
	body->taken += (int64_t)piece->len;
	body->ended = body->left == 0;
	return body->ended ? HTTP_DONE : HTTP_MORE;
}

static enum http_parse
next_of_chunks(struct http_body *body, struct http_text *piece)
{
	struct http_conn *c = body->conn;
	enum http_parse result;
	size_t used;

	do {
		result =
		    http_chunk_feed(&body->chunk, c->buf + c->at, c->len - c->at, &used, piece);
		c->at += used;
		body->taken += (int64_t)used;
	} while (result == HTTP_MORE && piece->len == 0 && c->at < c->len);
	body->ended = result == HTTP_DONE;
	return result;
}

enum http_parse
http_body_next(struct http_body *body, struct http_text *piece)
{
	*piece = (struct http_text){ NULL, 0 };
	if (body->ended)
		return HTTP_DONE;
	return body->framing == HTTP_CHUNKED ? next_of_chunks(body, piece)
					     : next_of_length(body, piece);
}

int64_t
http_body_patience(const struct http_body *body)
{
	return body->timeout + body->taken * 1000 / body->min_rate - body->waited_ms;
}

int
http_body_fill(struct http_body *body)
{
	int64_t now = util_now_ms();
	int n = http_conn_fill(body->conn, now + http_body_patience(body));

	body->waited_ms += util_now_ms() - now;
	return n;
}

bool
http_body_continue(struct http_body *body)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	bool expected = body->expects_100;

	body->expects_100 = false;
	return !expected || http_conn_send(body->conn, text, sizeof(text) - 1, false);
}

/* Who waits for 100 and gets the answer instead may send its body, or not. */
HOT bool
http_body_is_droppable(const struct http_body *body)
{
	return body->ended || (!body->expects_100 && body->left <= DROP_BYTES);
}

/* As for the next request, from idle_at on: this one has its answer, and others want theirs. */
static int
fill_idle(struct http_body *body, int64_t idle_at)
{
	int64_t now = util_now_ms();
	int n = http_conn_fill_idle(body->conn, idle_at, now + http_body_patience(body));

	body->waited_ms += util_now_ms() - now;
	return n;
}

HOT bool
http_body_drop(struct http_body *body)
{
	int64_t limit = body->taken + DROP_BYTES, idle_at = 0;

	while (!body->ended) {
		struct http_text piece;
		enum http_parse result = http_body_next(body, &piece);

		if (result != HTTP_MORE)
			return result == HTTP_DONE;
		if (body->taken > limit)
			return false;
		if (piece.len > 0)
			continue;
		if (idle_at == 0)
			idle_at = util_now_ms() + KEPT_IDLE_MS;
		if (fill_idle(body, idle_at) <= 0)
			return false;
	}
	return true;
}
