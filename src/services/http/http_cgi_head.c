#include "http_cgi_head.h"

#include "util.h"

#include <string.h>

enum kind { OTHER, STATUS, TYPE, LENGTH, LOCATION, DROPPED };

/* What means something to us, and what we say ourselves. */
static const struct {
	const char *name;
	enum kind kind;
} known[] = {
	{ "Status", STATUS },
	{ "Content-Type", TYPE },
	{ "Content-Length", LENGTH },
	{ "Location", LOCATION },
	{ "Connection", DROPPED },
	{ "Keep-Alive", DROPPED },
	{ "Proxy-Connection", DROPPED },
	{ "TE", DROPPED },
	{ "Trailer", DROPPED },
	{ "Transfer-Encoding", DROPPED },
	{ "Upgrade", DROPPED },
	{ "Date", DROPPED },
	{ "Server", DROPPED },
};

static enum kind
kind_of(struct http_text name)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (http_text_is_nocase(name, known[i].name))
			return known[i].kind;
	return OTHER;
}

static size_t
span(struct http_text text, enum http_byte class)
{
	size_t n = 0;

	while (n < text.len && http_is(text.at[n], class))
		n++;
	return n;
}

/* What is behind the first so many bytes of the text. */
static struct http_text
rest(struct http_text text, size_t from)
{
	return (struct http_text){ text.at + from, text.len - from };
}

/* The whole line at buf + from, of which seen bytes have no LF, without its end; 0, or where
 * the next one begins. */
static size_t
line_at(const char *buf, size_t from, size_t seen, size_t len, struct http_text *line)
{
	const char *lf = len > seen ? memchr(buf + seen, '\n', len - seen) : NULL;

	if (lf == NULL)
		return 0;
	*line = (struct http_text){ buf + from, (size_t)(lf - (buf + from)) };
	if (line->len > 0 && line->at[line->len - 1] == '\r')
		line->len--;
	return (size_t)(lf + 1 - buf);
}

/* NULL, or what is wrong.  A blank in front is a line that goes on, RFC 9112 5.2. */
static const char *
field_of(struct http_text line, struct http_field *field)
{
	struct http_text value;
	size_t name = span(line, HTTP_TOKEN);

	if (line.at[0] == ' ' || line.at[0] == '\t')
		return "a header line begins with a blank";
	if (line.len >= 5 && memcmp(line.at, "HTTP/", 5) == 0)
		return "it has an HTTP status line, which only a script named nph-... may send";
	if (memchr(line.at, ':', line.len) == NULL)
		return "a header line has no colon";
	if (name > 0 && (line.at[name] == ' ' || line.at[name] == '\t'))
		return "a header field's name has a blank behind it";
	if (name == 0 || line.at[name] != ':')
		return "a header field's name is not valid";
	value = rest(line, name + 1);
	if (span(value, HTTP_FIELD) < value.len)
		return "a control byte in a header field";
	*field = (struct http_field){ { line.at, name }, http_text_trim(value) };
	return NULL;
}

/* 3DIGIT [ SP reason-phrase ], RFC 3875 6.3.3. */
static const char *
take_status(struct http_cgi_head *head, struct http_text value)
{
	int status = 0;
	size_t i;

	if (head->status != 0)
		return "more than one Status";
	for (i = 0; i < value.len && i < 3 && value.at[i] >= '0' && value.at[i] <= '9'; i++)
		status = status * 10 + (value.at[i] - '0');
	if (i < 3 || (value.len > 3 && value.at[3] != ' '))
		return "Status is not three digits and words";
	if (status < 200 || status > 599)
		return "Status is not from 200 to 599";
	head->status = status;
	head->reason = http_text_trim(rest(value, 3));
	return NULL;
}

static const char *
take_length(struct http_cgi_head *head, struct http_text value)
{
	int64_t length = 0;

	if (head->length >= 0)
		return "more than one Content-Length";
	for (size_t i = 0; i < value.len; i++) {
		int digit = value.at[i] - '0';

		if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10)
			return "Content-Length is not a number";
		length = length * 10 + digit;
	}
	if (value.len == 0)
		return "Content-Length is empty";
	head->length = length;
	return NULL;
}

static const char *
take_text(struct http_text *text, struct http_text value, const char *twice, const char *empty)
{
	if (text->at != NULL)
		return twice;
	if (value.len == 0)
		return empty;
	*text = value;
	return NULL;
}

static const char *
take_line(struct http_cgi_head *head, struct http_text line)
{
	struct http_field field;
	const char *why = field_of(line, &field);

	if (why != NULL)
		return why;
	head->fields++;
	switch (kind_of(field.name)) {
	case STATUS:
		return take_status(head, field.value);
	case LENGTH:
		return take_length(head, field.value);
	case TYPE:
		return take_text(&head->type, field.value, "more than one Content-Type",
				 "Content-Type is empty");
	case LOCATION:
		return take_text(&head->location, field.value, "more than one Location",
				 "Location is empty");
	case OTHER:
		head->others++;
		break;
	case DROPPED:
		break;
	}
	return NULL;
}

enum http_parse
http_cgi_head_parse(struct http_cgi_head *head, const char *buf, size_t len, size_t *scanned,
		    size_t *used, const char **why)
{
	size_t stop = len < HTTP_CGI_HEAD_BYTES ? len : HTTP_CGI_HEAD_BYTES, next;
	struct http_text line;

	if (*scanned == 0)
		*head = (struct http_cgi_head){ .length = -1 };
	while ((next = line_at(buf, head->line, *scanned, stop, &line)) > 0) {
		*scanned = head->line = next;
		if (line.len == 0 && head->fields > 0) {
			*used = next;
			return HTTP_DONE;
		}
		*why = line.len == 0 ? "it begins with an empty line" : take_line(head, line);
		if (*why != NULL)
			return HTTP_BAD;
	}
	*scanned = stop;
	if (stop < HTTP_CGI_HEAD_BYTES)
		return HTTP_MORE;
	*why = "its header is longer than 64 KiB";
	return HTTP_BAD;
}

static bool
put(char **out, size_t *size, struct http_text text)
{
	if (text.len >= *size)
		return false;
	memcpy(*out, text.at, text.len);
	*out += text.len;
	*size -= text.len;
	**out = '\0';
	return true;
}

bool
http_cgi_head_fields(const char *buf, size_t used, char *out, size_t size)
{
	struct http_text line, colon = { ": ", 2 }, crlf = { "\r\n", 2 };
	struct http_field field;
	size_t next, from = 0;

	if (size == 0)
		return false;
	*out = '\0';
	while ((next = line_at(buf, from, from, used, &line)) > 0 && line.len > 0) {
		from = next;
		if (field_of(line, &field) != NULL || kind_of(field.name) != OTHER)
			continue;
		if (!put(&out, &size, field.name) || !put(&out, &size, colon) ||
		    !put(&out, &size, field.value) || !put(&out, &size, crlf))
			return false;
	}
	return true;
}
