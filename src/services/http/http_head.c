#include "http_head.h"

#include "http_authority.h"
#include "http_rules.h"
#include "layout.h"

#include <string.h>

#define TEXT(literal) ((struct http_text){ literal, sizeof(literal) - 1 })

/* One call of http_head_parse(): what is left of buf, and what to say when it is bad. */
struct lexer {
	const char *at, *end;
	int status;
	const char *why;
};

enum line { LINE_MORE, LINE_TAKEN, LINE_LAST, LINE_BAD };

static enum line
bad(struct lexer *lexer, int status, const char *why)
{
	lexer->status = status;
	lexer->why = why;
	return LINE_BAD;
}

/*
 * Where reading of the line at lexer->at has to stop: at the end of what is there, or when
 * one byte more than the limit has been seen.  So a line that is too long is found at the
 * same byte, however its bytes arrive.
 */
static const char *
line_stop(const struct lexer *lexer, size_t limit)
{
	size_t left = (size_t)(lexer->end - lexer->at);

	return lexer->at + (left > limit ? limit + 1 : left);
}

static enum line
line_stopped(struct lexer *lexer, const char *stop, size_t limit, int status)
{
	if ((size_t)(stop - lexer->at) <= limit)
		return LINE_MORE;
	return bad(lexer, status,
		   status == 414 ? "the request line is too long" : "a header field is too long");
}

/* At the byte where the grammar ends, which must be a CR; the LF behind it counts for no
 * limit. */
static enum line
line_end(struct lexer *lexer, const char *p, const char *otherwise)
{
	if (*p != '\r')
		return bad(lexer, 400, *p == '\n' ? "a bare LF" : otherwise);
	if (p + 1 == lexer->end)
		return LINE_MORE;
	if (p[1] != '\n')
		return bad(lexer, 400, "a bare CR");
	lexer->at = p + 2;
	return LINE_TAKEN;
}

static const char *
skip(const char *p, const char *stop, enum http_byte class)
{
	while (p < stop && http_is(*p, class))
		p++;
	return p;
}

/*
 * The same for HTTP_FIELD, eight bytes a step: a byte below SP borrows from its highest bit
 * when SP is taken off, one that is DEL does when 1 is taken off its difference to DEL.  A
 * borrow can reach into a higher byte, but only from one that was found, so no byte is
 * missed; the last step looks at each.
 */
static const char *
skip_value(const char *p, const char *stop)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	uint64_t word, del;

	while (stop - p >= 8) {
		memcpy(&word, p, 8);
		del = word ^ (ones * 0x7f);
		if ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high)
			break;
		p += 8;
	}
	return skip(p, stop, HTTP_FIELD);
}

static enum http_method
method_of(struct http_text text)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",       [HTTP_POST] = "POST",
		[HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE",   [HTTP_OPTIONS] = "OPTIONS",
		[HTTP_TRACE] = "TRACE", [HTTP_CONNECT] = "CONNECT", [HTTP_PATCH] = "PATCH",
	};
	enum http_method method = HTTP_GET;

	while (method < HTTP_UNKNOWN && !http_text_is(text, names[method]))
		method++;
	return method;
}

/* scheme "://" authority [ path ] [ "?" query ] with the schemes of a web server, which TLS
 * may be taken off in front of. */
static bool
absolute_form(struct http_head *head)
{
	struct http_text rest = head->target, host, port;
	size_t scheme, len = 0;

	if (rest.len > 7 && http_text_is_nocase((struct http_text){ rest.at, 7 }, "http://"))
		scheme = 7;
	else if (rest.len > 8 && http_text_is_nocase((struct http_text){ rest.at, 8 }, "https://"))
		scheme = 8;
	else
		return false;
	rest.at += scheme;
	rest.len -= scheme;
	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '?')
		len++;
	if (!http_authority_parse((struct http_text){ rest.at, len }, &host, &port))
		return false;
	head->authority = host;
	head->origin = (struct http_text){ rest.at + len, rest.len - len };
	if (head->origin.len == 0)
		head->origin = head->method == HTTP_OPTIONS ? TEXT("*") : TEXT("/");
	return true;
}

/* The four forms of a target, RFC 9112 3.2. */
static bool
target_form(struct http_head *head)
{
	struct http_text host, port;

	if (head->method == HTTP_CONNECT) {
		if (!http_authority_parse(head->target, &host, &port) || port.len == 0)
			return false;
		head->authority = host;
		return true;
	}
	head->origin = head->target;
	if (head->target.at[0] == '/')
		return true;
	if (head->method == HTTP_OPTIONS && http_text_is(head->target, "*"))
		return true;
	return absolute_form(head);
}

/* "HTTP/" DIGIT "." DIGIT at *p; puts *p behind it, or where it is wrong. */
static bool
version(const char **p, const char *stop)
{
	static const char pattern[] = "HTTP/0.0";

	for (size_t i = 0; i < sizeof(pattern) - 1 && *p < stop; i++, (*p)++)
		if (pattern[i] == '0' ? **p < '0' || **p > '9' : **p != pattern[i])
			return false;
	return true;
}

/* RFC 9112 3: method SP request-target SP HTTP-version. */
static enum line
request_line(struct lexer *lexer, struct http_head *head, size_t limit)
{
	const char *line = lexer->at, *stop = line_stop(lexer, limit), *p, *target, *name;
	struct http_text method;
	enum line taken;

	p = skip(line, stop, HTTP_TOKEN);
	if (p == stop)
		return line_stopped(lexer, stop, limit, 414);
	if (p == line || *p != ' ')
		return bad(lexer, 400, "the request line has no method");
	method = (struct http_text){ line, (size_t)(p - line) };
	target = ++p;
	p = skip(p, stop, HTTP_TARGET);
	if (p == stop)
		return line_stopped(lexer, stop, limit, 414);
	if (p == target || *p != ' ')
		return bad(lexer, 400, "the request line has no valid target");
	name = ++p;
	if (!version(&p, stop))
		return bad(lexer, 400, "the request line has no valid version");
	if (p == stop)
		return line_stopped(lexer, stop, limit, 414);
	taken = line_end(lexer, p, "the request line does not end behind the version");
	if (taken != LINE_TAKEN)
		return taken;

	head->method = method_of(method);
	head->method_text = method;
	head->request_line = (struct http_text){ line, (size_t)(p - line) };
	head->target = (struct http_text){ target, (size_t)(name - 1 - target) };
	head->minor = name[7] != '0' || name[5] != '1';
	if (name[5] != '1')
		return bad(lexer, 505, "the HTTP version is not 1.x");
	if (!target_form(head))
		return bad(lexer, 400, "the target is in none of the forms for the method");
	return LINE_TAKEN;
}

/* RFC 9112 5: field-name ":" OWS field-value OWS. */
static enum line
field_line(struct lexer *lexer, struct http_head *head, const struct http_limits *limits)
{
	const char *line = lexer->at, *stop = line_stop(lexer, limits->field_size);
	const char *p, *value;
	struct http_field *field = &head->fields[head->nfields];
	enum line taken;

	if (line == lexer->end)
		return LINE_MORE;
	if (*line == '\r') {
		taken = line_end(lexer, line, "");
		return taken == LINE_TAKEN ? LINE_LAST : taken;
	}
	if (head->nfields == limits->fields)
		return bad(lexer, 431, "too many header fields");
	p = skip(line, stop, HTTP_TOKEN);
	if (p == stop)
		return line_stopped(lexer, stop, limits->field_size, 431);
	if (p == line || *p != ':')
		return bad(lexer, 400, "a header field's name is not valid");
	value = p + 1;
	p = skip_value(value, stop);
	if (p == stop)
		return line_stopped(lexer, stop, limits->field_size, 431);
	taken = line_end(lexer, p, "a control byte in a header field");
	if (taken != LINE_TAKEN)
		return taken;
	field->name = (struct http_text){ line, (size_t)(value - 1 - line) };
	field->value = http_text_trim((struct http_text){ value, (size_t)(p - value) });
	head->nfields++;
	return LINE_TAKEN;
}

/* Nothing of the last request stays but the array.  One empty line before the request line
 * is skipped, RFC 9112 2.2. */
static enum line
begin(struct lexer *lexer, struct http_head *head)
{
	struct http_field *fields = head->fields;

	*head = (struct http_head){ .method = HTTP_UNKNOWN, .minor = 1, .fields = fields };
	if (lexer->at < lexer->end && *lexer->at == '\r')
		return line_end(lexer, lexer->at, "");
	return LINE_TAKEN;
}

/* A request line that is not one, as far as it is there. */
static struct http_text
remains(const struct lexer *lexer, size_t limit)
{
	const char *p = lexer->at, *stop = line_stop(lexer, limit);

	while (p < stop && *p != '\r' && *p != '\n')
		p++;
	return (struct http_text){ lexer->at, (size_t)(p - lexer->at) };
}

/* A method that ends; HTTP_UNKNOWN: the line has none of those that are known. */
static enum http_method
method_in_front(struct http_text line)
{
	const char *space = line.len > 0 ? memchr(line.at, ' ', line.len) : NULL;

	if (!space)
		return HTTP_UNKNOWN;
	return method_of((struct http_text){ line.at, (size_t)(space - line.at) });
}

HOT enum http_parse
http_head_parse(struct http_head *head, const char *buf, size_t len,
		const struct http_limits *limits, size_t *scanned, size_t *used, int *status,
		const char **why)
{
	struct lexer lexer = { buf + *scanned, buf + len, 0, NULL };
	enum line line = *scanned == 0 ? begin(&lexer, head) : LINE_TAKEN;

	if (line == LINE_TAKEN && head->method_text.at == NULL)
		line = request_line(&lexer, head, limits->request_line);
	while (line == LINE_TAKEN)
		line = field_line(&lexer, head, limits);
	*scanned = (size_t)(lexer.at - buf);
	if (line == LINE_MORE)
		return HTTP_MORE;
	if (line == LINE_LAST) {
		*used = *scanned;
		*status = http_rules_apply(head, why);
		return *status == 0 ? HTTP_DONE : HTTP_BAD;
	}
	if (head->method_text.at == NULL) {
		head->request_line = remains(&lexer, limits->request_line);
		head->method = method_in_front(head->request_line);
	}
	*status = lexer.status;
	*why = lexer.why;
	return HTTP_BAD;
}

HOT struct http_text
http_head_get(const struct http_head *head, const char *name)
{
	struct http_text wanted = { name, strlen(name) };

	for (size_t i = 0; i < head->nfields; i++)
		if (http_text_equal_nocase(head->fields[i].name, wanted))
			return head->fields[i].value;
	return (struct http_text){ NULL, 0 };
}

HOT size_t
http_head_count(const struct http_head *head, const char *name)
{
	struct http_text wanted = { name, strlen(name) };
	size_t n = 0;

	for (size_t i = 0; i < head->nfields; i++)
		n += http_text_equal_nocase(head->fields[i].name, wanted);
	return n;
}
