#include "oracle.h"

#include <llhttp.h>
#include <string.h>

/* Puts a span together: llhttp may hand it out in pieces, which follow each other. */
static int
extend(struct http_text *text, const char *at, size_t len)
{
	if (text->at == NULL)
		text->at = at;
	else if (text->at + text->len != at)
		return -1;
	text->len += len;
	return 0;
}

static int
on_url(llhttp_t *parser, const char *at, size_t len)
{
	struct oracle *oracle = parser->data;

	return extend(&oracle->target, at, len);
}

static int
on_field(llhttp_t *parser, const char *at, size_t len)
{
	struct oracle *oracle = parser->data;

	if (oracle->head)
		return 0;
	if (oracle->nfields == ORACLE_FIELDS)
		return -1;
	return extend(&oracle->fields[oracle->nfields].name, at, len);
}

static int
on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct oracle *oracle = parser->data;

	return oracle->head ? 0 : extend(&oracle->fields[oracle->nfields].value, at, len);
}

/* It leaves the blanks behind a value to its user. */
static int
on_value_end(llhttp_t *parser)
{
	struct oracle *oracle = parser->data;
	struct oracle_field *field = &oracle->fields[oracle->nfields];

	if (oracle->head)
		return 0;
	field->value = http_text_trim(field->value);
	oracle->nfields++;
	return 0;
}

static int
on_head(llhttp_t *parser)
{
	struct oracle *oracle = parser->data;

	oracle->head = true;
	oracle->method = llhttp_method_name(parser->method);
	oracle->minor = parser->http_minor;
	oracle->has_length = (parser->flags & F_CONTENT_LENGTH) != 0;
	oracle->chunked = (parser->flags & F_CHUNKED) != 0;
	oracle->content_length = parser->content_length;
	return 0;
}

static int
on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct oracle *oracle = parser->data;

	memcpy(oracle->body + oracle->body_len, at, len);
	oracle->body_len += len;
	return 0;
}

static int
on_end(llhttp_t *parser)
{
	struct oracle *oracle = parser->data;

	oracle->whole = true;
	return HPE_PAUSED;
}

void
oracle_read(struct oracle *oracle, const char *buf, size_t len)
{
	llhttp_settings_t settings;
	llhttp_t parser;
	llhttp_errno_t error;
	char *body = oracle->body;

	memset(oracle, 0, sizeof(*oracle));
	oracle->body = body;
	llhttp_settings_init(&settings);
	settings.on_url = on_url;
	settings.on_header_field = on_field;
	settings.on_header_value = on_value;
	settings.on_header_value_complete = on_value_end;
	settings.on_headers_complete = on_head;
	settings.on_body = on_body;
	settings.on_message_complete = on_end;
	llhttp_init(&parser, HTTP_REQUEST, &settings);
	parser.data = oracle;
	error = llhttp_execute(&parser, buf, len);
	if (error != HPE_OK && !oracle->whole)
		oracle->error = llhttp_get_error_reason(&parser);
	oracle->used = oracle->whole ? (size_t)(llhttp_get_error_pos(&parser) - buf) : len;
}
