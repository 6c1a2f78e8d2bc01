/*
 * What our parsers accept, llhttp accepts too, with the same method, target, fields and
 * framing, and finds the same body.  Ours may refuse more; never less.
 */
#include "http_chunk.h"
#include "http_head.h"
#include "oracle.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)                     \
	do {                                \
		if (!(condition))           \
			differ(#condition); \
	} while (0)

static struct oracle oracle;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
differ(const char *what)
{
	fprintf(stderr, "not so: %s\nllhttp: %s\n", what, oracle.error ? oracle.error : "accepts");
	abort();
}

static bool
same(struct http_text a, struct http_text b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static enum http_parse
parse(struct http_head *head, const char *buf, size_t len, size_t *used)
{
	static const struct http_limits limits = { 8190, 8190, ORACLE_FIELDS };
	static struct http_field fields[ORACLE_FIELDS];
	size_t scanned = 0;
	const char *why;
	int status;

	head->fields = fields;
	return http_head_parse(head, buf, len, &limits, &scanned, used, &status, &why);
}

/* behind: the rest of the head behind a value. */
static void
blank_tabs(char *behind)
{
	for (; *behind == ' ' || *behind == '\t'; behind++)
		*behind = ' ';
}

/*
 * The request in words that llhttp knows: it refuses methods that it has no name for, and
 * minor versions behind 1.1; the caller of ours answers 501, and serves them as 1.1.  And
 * a tab behind Content-Length or Transfer-Encoding, which is a blank by RFC 9110 5.6.3.
 */
static char *
translate(const struct http_head *head, const char *buf, size_t *len)
{
	const char *line = head->request_line.at, *line_end = line + head->request_line.len;
	struct http_text method = head->method_text;
	char *copy = util_calloc(1, *len + 3), *p = copy;

	if (head->method == HTTP_UNKNOWN)
		method = (struct http_text){ "GET", 3 };
	memcpy(p, method.at, method.len);
	p += method.len;
	memcpy(p, line + head->method_text.len,
	       *len - (size_t)(line - buf) - head->method_text.len);
	*len = *len - (size_t)(line - buf) - head->method_text.len + method.len;
	p[line_end - line - (ptrdiff_t)head->method_text.len - 1] = (char)('0' + head->minor);
	for (size_t i = 0; i < head->nfields; i++) {
		struct http_text name = head->fields[i].name, value = head->fields[i].value;

		if (http_text_is_nocase(name, "content-length") ||
		    http_text_is_nocase(name, "transfer-encoding"))
			blank_tabs(p + (value.at + value.len - line) -
				   (ptrdiff_t)head->method_text.len);
	}
	return copy;
}

struct decoded {
	char *body;
	size_t len, used;
	bool whole;
};

/*
 * A chunked body that ours takes, as far as it goes, without its extensions: llhttp 8.1 does
 * not know the whole grammar of RFC 9112 7.1.1, no blanks, quoted pairs, or second one.
 */
static size_t
cut_extensions(char *body, size_t len)
{
	size_t in = 0, out = 0, size, blanks;

	do {
		size = strtoull(body + in, NULL, 16);
		while (in < len && http_is(body[in], HTTP_HEX))
			body[out++] = body[in++];
		blanks = strspn(body + in, " \t");
		if (in + blanks == len || body[in + blanks] == ';')
			while (in < len && body[in] != '\r')
				in++;
		for (size_t left = size + 4; left > 0 && in < len; left--)
			body[out++] = body[in++];
	} while (size > 0 && in < len);
	memmove(body + out, body + in, len - in);
	return out + len - in;
}

/* Ours reads the body; false: it refuses it. */
static bool
decode(const char *in, size_t len, struct decoded *decoded)
{
	struct http_chunk chunk;
	struct http_text data;
	enum http_parse parsed;
	size_t step;

	decoded->used = decoded->len = 0;
	http_chunk_init(&chunk, 8190, 8190);
	do {
		parsed =
		    http_chunk_feed(&chunk, in + decoded->used, len - decoded->used, &step, &data);
		memcpy(decoded->body + decoded->len, data.at, data.len);
		decoded->len += data.len;
		decoded->used += step;
	} while (parsed == HTTP_MORE && decoded->used < len);
	decoded->whole = parsed == HTTP_DONE;
	return parsed != HTTP_BAD;
}

static void
compare_head(const struct http_head *head)
{
	MUST(oracle.head);
	MUST(http_text_is(head->method_text, oracle.method));
	MUST(same(head->target, oracle.target) && head->minor == oracle.minor);
	MUST(oracle.chunked == (head->framing == HTTP_CHUNKED));
	MUST(oracle.has_length == (head->framing == HTTP_LENGTH));
	MUST(head->framing != HTTP_LENGTH ||
	     oracle.content_length == (uint64_t)head->content_length);
	MUST(head->nfields == oracle.nfields);
	for (size_t i = 0; i < head->nfields; i++) {
		MUST(same(head->fields[i].name, oracle.fields[i].name));
		MUST(same(head->fields[i].value, oracle.fields[i].value));
	}
}

static void
compare_body(const struct decoded *body, size_t end)
{
	MUST(oracle.error == NULL);
	MUST(oracle.body_len == body->len && memcmp(oracle.body, body->body, body->len) == 0);
	MUST(oracle.whole == body->whole);
	MUST(!oracle.whole || oracle.used == end);
}

static void
compare(const char *buf, size_t len)
{
	struct http_head head;
	struct decoded body;
	size_t used, cut = 0;
	bool good = true;
	char *copy;

	if (parse(&head, buf, len, &used) != HTTP_DONE)
		return;
	copy = translate(&head, buf, &len);
	MUST(parse(&head, copy, len, &used) == HTTP_DONE);
	oracle.body = util_calloc(1, len + 1);
	body.body = util_calloc(1, len + 1);
	if (head.framing == HTTP_CHUNKED) {
		good = decode(copy + used, len - used, &body);
	} else {
		body.used = body.len = (size_t)util_min((int64_t)(len - used), head.content_length);
		memcpy(body.body, copy + used, body.len);
		body.whole = body.len == (size_t)head.content_length;
	}
	oracle_read(&oracle, copy, len);
	if (oracle.error != NULL && head.framing == HTTP_CHUNKED && good) {
		cut = len - used - cut_extensions(copy + used, len - used);
		oracle_read(&oracle, copy, len - cut);
	}
	compare_head(&head);
	/* What follows a CONNECT is no HTTP for it, RFC 9110 9.3.6. */
	if (good && head.method != HTTP_CONNECT)
		compare_body(&body, used + body.used - cut);
	free(body.body);
	free(oracle.body);
	free(copy);
}

/* As it is, and as a chunked body. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char post[] =
	    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	char *buf = util_calloc(1, sizeof(post) + size);

	memcpy(buf, post, sizeof(post) - 1);
	if (size > 0)
		memcpy(buf + sizeof(post) - 1, data, size);
	compare(buf + sizeof(post) - 1, size);
	compare(buf, sizeof(post) - 1 + size);
	free(buf);
	return 0;
}
