/*
 * Whatever a script writes, in whatever pieces: what goes out is one well-formed answer with
 * just the script's body in it, or nothing and a reason; and the pieces make no difference.
 * The first byte says what was asked and how the script ends, the next two how it is cut.
 */
#include "../unit/scripted.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

enum { ASKS_HEAD = 1, IS_1_0 = 2, IS_RAW = 4, IS_KILLED = 8, CLOSES = 16, HAS_INPUT = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_nothing(const struct scripted *s)
{
	MUST(s->len == 0 && s->request.body == 0 && !s->request.broken);
}

static void
check_redirect(const struct scripted *s)
{
	struct http_text to = s->request.redirect;
	static struct http_target target;

	check_nothing(s);
	MUST(to.at[0] == '/' && (to.len == 1 || to.at[1] != '/'));
	MUST(http_target_parse(to, &target) == 0);
}

/* How much of it is no body: up to the first empty line. */
static size_t
raw_head(const char *output, size_t len)
{
	const char *end = output + len, *at = memchr(output, '\n', len);

	while (at) {
		const char *next = at + 1;

		while (next < end && *next == '\r')
			next++;
		if (next < end && *next == '\n')
			return (size_t)(next + 1 - output);
		at = memchr(next, '\n', (size_t)(end - next));
	}
	return len;
}

/* As it went in; the status is one that a log can show. */
static void
check_raw(const struct scripted *s, const char *output, size_t len)
{
	if (s->asked.method == HTTP_HEAD)
		len = raw_head(output, len);
	MUST(s->len == len && memcmp(s->out, output, len) == 0);
	MUST(s->request.body == (int64_t)len && !s->request.keep_alive);
	MUST(s->request.status >= 0 && s->request.status <= 999);
}

/* The body is the script's, from behind its head to the length that it gave. */
static void
check_answer(struct scripted *s, const char *output, size_t len)
{
	struct http_cgi_head head;
	size_t scanned = 0, used;
	const char *why;

	MUST(http_cgi_head_parse(&head, output, len, &scanned, &used, &why) == HTTP_DONE);
	output += used;
	len -= used;
	MUST(scripted_read(s) == NULL);
	if (s->length >= 0)
		MUST(s->length == head.length);
	if (s->length >= 0 && (int64_t)len > s->length) {
		MUST(s->asked.method == HTTP_HEAD || !s->request.keep_alive);
		len = (size_t)s->length;
	}
	if (s->asked.method == HTTP_HEAD || s->status == 204 || s->status == 304) {
		MUST(!s->request.broken);
		return;
	}
	MUST(s->body_len == len && memcmp(s->body, output, len) == 0);
	MUST(s->request.broken == (s->killed || (s->length >= 0 && s->length > (int64_t)len)));
	MUST(s->chunked ? s->ended == !s->killed : s->ended || s->request.broken);
}

static void
check(struct scripted *s, const char *output, size_t len)
{
	MUST(!http_cgi_answer_is_pending(&s->answer));
	if (s->answer.state == HTTP_CGI_FAULT) {
		MUST(s->answer.why != NULL && !s->answer.redirects);
		check_nothing(s);
	} else if (s->answer.redirects) {
		check_redirect(s);
	} else if (s->raw) {
		check_raw(s, output, len);
	} else {
		check_answer(s, output, len);
	}
}

static void
compare(const struct scripted *a, const struct scripted *b)
{
	const struct http_request *r = &a->request, *other = &b->request;

	MUST(a->answer.state == b->answer.state && a->answer.over == b->answer.over);
	MUST(a->answer.why == b->answer.why && a->answer.redirects == b->answer.redirects);
	MUST(r->status == other->status && r->body == other->body);
	MUST(r->broken == other->broken && r->keep_alive == other->keep_alive);
	if (a->head != NULL)
		MUST(strcmp(a->head, b->head) == 0);
}

static struct scripted
asked_by(unsigned flags)
{
	return (struct scripted){
		.asked = { .method = flags & ASKS_HEAD ? HTTP_HEAD : HTTP_GET,
			   .minor = !(flags & IS_1_0) },
		.input = { .ended = !(flags & HAS_INPUT), .left = 1000000 },
		.raw = flags & IS_RAW,
		.killed = flags & IS_KILLED,
		.closes = flags & CLOSES,
	};
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t whole[] = { SIZE_MAX / 2 };
	struct scripted once, cut;
	const char *output;
	size_t pieces[2];

	if (size < 3)
		return 0;
	once = cut = asked_by(data[0]);
	pieces[0] = data[1] + 1;
	pieces[1] = data[2] + 1;
	output = (const char *)data + 3;
	size -= 3;
	scripted_run(&once, output, size, whole, 1);
	check(&once, output, size);
	scripted_run(&cut, output, size, pieces, 2);
	check(&cut, output, size);
	compare(&once, &cut);
	scripted_free(&once);
	scripted_free(&cut);
	return 0;
}
