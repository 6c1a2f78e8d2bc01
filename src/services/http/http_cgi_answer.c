#include "http_cgi_answer.h"

#include <stdio.h>
#include <string.h>

#define ROOM_BYTES   65536
#define FRAME_BYTES  8 /* "10000" CRLF: a chunk's size stands before its data ... */
#define FRAME_END    2 /* ... and CRLF behind it */
#define TARGET_BYTES 16384

_Static_assert(ROOM_BYTES >= HTTP_CGI_HEAD_BYTES, "a head must fit");

static char buffer[FRAME_BYTES + ROOM_BYTES + FRAME_END];
static char *const room = buffer + FRAME_BYTES;

void
http_cgi_answer_init(struct http_cgi_answer *a, struct http_request *r, bool raw)
{
	*a = (struct http_cgi_answer){
		.request = r,
		.state = raw ? HTTP_CGI_RAW : HTTP_CGI_READ_HEAD,
		.left = -1,
	};
	if (raw) {
		r->keep_alive = false;
		r->status = 200; /* until it says so itself */
	}
}

char *
http_cgi_answer_room(const struct http_cgi_answer *a, size_t *size)
{
	size_t used = a->state == HTTP_CGI_READ_HEAD ? a->len : 0;

	*size = (a->state == HTTP_CGI_READ_HEAD ? HTTP_CGI_HEAD_BYTES : ROOM_BYTES) - used;
	return room + used;
}

bool
http_cgi_answer_is_pending(const struct http_cgi_answer *a)
{
	return a->out[0].len > 0 || a->out[1].len > 0;
}

void
http_cgi_answer_drop(struct http_cgi_answer *a)
{
	size_t end = a->chunked ? FRAME_END : 0, len = a->out[1].len;

	a->request->body -= util_min((int64_t)(len > end ? len - end : 0), (int64_t)a->piece);
	a->out[0].len = a->out[1].len = 0;
}

static void
fault(struct http_cgi_answer *a, const char *why)
{
	a->state = HTTP_CGI_FAULT;
	a->why = why;
}

/* len bytes of the body, in the buffer; there is room for the frame around them. */
static void
pass_body(struct http_cgi_answer *a, char *at, size_t len)
{
	char frame[FRAME_BYTES + 1];
	int n;

	if (a->left >= 0 && (int64_t)len > a->left) {
		a->over = true;
		a->request->keep_alive = false;
		len = (size_t)a->left;
	}
	if (len == 0)
		return;
	a->request->body += (int64_t)len;
	a->piece = len;
	if (a->left >= 0)
		a->left -= (int64_t)len;
	if (a->chunked) {
		n = snprintf(frame, sizeof(frame), "%zx\r\n", len);
		memcpy(at + len, "\r\n", FRAME_END);
		len += (size_t)n + FRAME_END;
		at -= n;
		memcpy(at, frame, (size_t)n);
	}
	a->out[1] = (struct http_text){ at, len };
}

/* RFC 3875 6.2.2.  With a fragment, or if it is no target for us, it is for the client. */
static bool
is_local_redirect(const struct http_cgi_head *head)
{
	static struct http_target parsed;
	struct http_text to = head->location;

	return to.at && to.at[0] == '/' && (to.len == 1 || to.at[1] != '/') && head->status == 0 &&
	       head->others == 0 && to.len < TARGET_BYTES && http_target_parse(to, &parsed) == 0;
}

static void
note_redirect(struct http_cgi_answer *a)
{
	static char target[TARGET_BYTES];

	memcpy(target, a->head.location.at, a->head.location.len);
	a->request->redirect = (struct http_text){ target, a->head.location.len };
	a->redirects = true;
	a->state = HTTP_CGI_DROP;
}

static bool
has_body(const struct http_request *r, int status)
{
	return r->head->method != HTTP_HEAD && status != 204 && status != 304;
}

/* Terminated, in memory of its own: slices are not. */
static const char *
copy_text(struct http_text text, char *memory, size_t size)
{
	if (!text.at)
		return NULL;
	snprintf(memory, size, "%.*s", (int)text.len, text.at);
	return memory;
}

static void
make_head(struct http_cgi_answer *a, size_t used)
{
	static char fields[HTTP_CGI_FIELDS_BYTES], type[HTTP_CGI_HEAD_BYTES];
	static char location[HTTP_CGI_HEAD_BYTES];
	struct http_request *r = a->request;
	const struct http_cgi_head *h = &a->head;
	struct http_reply reply = {
		.status = h->status        ? h->status
			  : h->location.at ? 302
					   : 200,
		.reason = h->reason,
		.type = copy_text(h->type, type, sizeof(type)),
		.location = copy_text(h->location, location, sizeof(location)),
		.length = h->length,
		.fields = fields,
	};
	bool body = has_body(r, reply.status);

	if (reply.status == 204 || reply.status == 304)
		reply.length = -1;
	if (body && reply.length < 0) {
		reply.chunked = a->chunked = r->head->minor > 0;
		r->keep_alive = r->keep_alive && a->chunked;
	}
	if (!http_cgi_head_fields(room, used, fields, sizeof(fields)) ||
	    http_answer_make(r, &reply) == 0) {
		r->broken = false;
		fault(a, "its header is too long");
		return;
	}
	a->left = h->length;
	a->state = body ? HTTP_CGI_BODY : HTTP_CGI_DROP;
	a->out[0] = r->sent;
}

static void
read_head(struct http_cgi_answer *a, size_t n)
{
	size_t used;

	a->len += n;
	switch (http_cgi_head_parse(&a->head, room, a->len, &a->scanned, &used, &a->why)) {
	case HTTP_MORE:
		break;
	case HTTP_BAD:
		a->state = HTTP_CGI_FAULT;
		break;
	case HTTP_DONE:
		if (is_local_redirect(&a->head))
			note_redirect(a);
		else
			make_head(a, used);
		if (a->state == HTTP_CGI_BODY)
			pass_body(a, room + used, a->len - used);
		break;
	}
}

/* For the log: the status of "HTTP/1.1 404 Not Found", if it begins so. */
static void
note_raw_status(struct http_cgi_answer *a, size_t n)
{
	static const char form[] = "HTTP/1.0 000";
	struct http_request *r = a->request;

	if (r->body != (int64_t)a->len)
		return;
	for (size_t i = 0; i < n && a->len < sizeof(form) - 1; i++, a->len++) {
		bool digit = room[i] >= '0' && room[i] <= '9';

		if (form[a->len] == '0' ? !digit : room[i] != form[a->len])
			return;
		if (a->len > 8)
			a->head.status = a->head.status * 10 + (room[i] - '0');
	}
	if (a->len == sizeof(form) - 1)
		r->status = a->head.status;
}

/* How many of the bytes go to the client: for HEAD, no more than to the first empty line. */
static size_t
raw_part(struct http_cgi_answer *a, size_t n)
{
	if (a->request->head->method != HTTP_HEAD)
		return n;
	for (size_t i = 0; i < n; i++) {
		if (room[i] == '\n' && a->line_is_empty) {
			a->state = HTTP_CGI_DROP;
			return i + 1;
		}
		if (room[i] != '\r')
			a->line_is_empty = room[i] == '\n';
	}
	return n;
}

void
http_cgi_answer_read(struct http_cgi_answer *a, size_t n)
{
	switch (a->state) {
	case HTTP_CGI_READ_HEAD:
		read_head(a, n);
		break;
	case HTTP_CGI_BODY:
		pass_body(a, room, n);
		break;
	case HTTP_CGI_RAW:
		note_raw_status(a, n);
		n = raw_part(a, n);
		a->request->body += (int64_t)n;
		a->piece = n;
		a->out[1] = (struct http_text){ room, n };
		break;
	case HTTP_CGI_DROP:
	case HTTP_CGI_FAULT:
		break;
	}
}

void
http_cgi_answer_end(struct http_cgi_answer *a, bool whole)
{
	struct http_request *r = a->request;

	if (a->state == HTTP_CGI_READ_HEAD)
		fault(a, a->len == 0 ? "there is none" : "its header has no end");
	else if (a->state == HTTP_CGI_RAW && r->body == 0)
		fault(a, "there is none");
	if (a->state == HTTP_CGI_RAW)
		r->broken = !whole;
	if (a->state != HTTP_CGI_BODY)
		return;
	r->broken = a->left > 0 || (a->left < 0 && !whole);
	a->piece = 0;
	if (a->chunked && whole)
		a->out[1] = (struct http_text){ "0\r\n\r\n", 5 };
	a->state = HTTP_CGI_DROP;
}
