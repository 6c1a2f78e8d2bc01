#include "http_rules.h"

#include "http_authority.h"
#include "layout.h"

#include <string.h>

/* What the fields say together; evaluated once all are there. */
struct facts {
	const struct http_text *host, *length;
	size_t hosts, lengths, codings;
	bool chunked, coding_unknown, coding_bad;
	bool close, keep_alive;
	bool expects, expects_other;
};

/* Transfer-Encoding: token [ OWS ";" parameters ], ... */
static void
take_coding(struct facts *facts, struct http_text value)
{
	struct http_text list = value, member = { NULL, 0 }, name;

	facts->codings++;
	if (http_text_is_nocase(value, "chunked")) {
		facts->coding_unknown |= facts->chunked;
		facts->chunked = true;
		return;
	}
	facts->coding_unknown = true;
	facts->coding_bad |= !http_text_next(&list, &member);
	do {
		name = member;
		for (name.len = 0; name.len < member.len && member.at[name.len] != ';'; name.len++)
			;
		facts->coding_bad |= !http_text_is_token(http_text_trim(name));
	} while (http_text_next(&list, &member));
}

static void
take_connection(struct facts *facts, struct http_text value)
{
	struct http_text member;

	while (http_text_next(&value, &member)) {
		facts->close |= http_text_is_nocase(member, "close");
		facts->keep_alive |= http_text_is_nocase(member, "keep-alive");
	}
}

static void
take_expect(struct facts *facts, struct http_text value)
{
	struct http_text member;

	facts->expects_other |= value.len == 0;
	while (http_text_next(&value, &member)) {
		if (http_text_is_nocase(member, "100-continue"))
			facts->expects = true;
		else
			facts->expects_other = true;
	}
}

static void
take_field(struct facts *facts, const struct http_field *field)
{
	/* The length tells most fields of no interest. */
	switch (field->name.len) {
	case 4:
		if (http_text_is_nocase(field->name, "Host")) {
			facts->host = &field->value;
			facts->hosts++;
		}
		break;
	case 6:
		if (http_text_is_nocase(field->name, "Expect"))
			take_expect(facts, field->value);
		break;
	case 10:
		if (http_text_is_nocase(field->name, "Connection"))
			take_connection(facts, field->value);
		break;
	case 14:
		if (http_text_is_nocase(field->name, "Content-Length")) {
			facts->length = &field->value;
			facts->lengths++;
		}
		break;
	case 17:
		if (http_text_is_nocase(field->name, "Transfer-Encoding"))
			take_coding(facts, field->value);
		break;
	}
}

/* 1*DIGIT up to 63 bits; -1: it is not. */
static int64_t
parse_length(struct http_text text)
{
	int64_t length = 0;

	for (size_t i = 0; i < text.len; i++) {
		int digit = text.at[i] - '0';

		if (digit < 0 || digit > 9 || length > (INT64_MAX - digit) / 10)
			return -1;
		length = length * 10 + digit;
	}
	return text.len > 0 ? length : -1;
}

static int
refuse(const char **why, int status, const char *text)
{
	*why = text;
	return status;
}

/* RFC 9112 3.2: of every message, an empty one is fine. */
static int
check_host(struct http_head *head, const struct facts *facts, const char **why)
{
	struct http_text host = { NULL, 0 }, port;

	if (facts->hosts > 1)
		return refuse(why, 400, "more than one Host");
	if (facts->hosts == 0 && head->minor > 0)
		return refuse(why, 400, "no Host");
	if (facts->hosts == 1 && facts->host->len == 0)
		host = *facts->host;
	else if (facts->hosts == 1 && !http_authority_parse(*facts->host, &host, &port))
		return refuse(why, 400, "Host is not valid");
	if (head->authority.at == NULL)
		head->authority = host;
	return 0;
}

/* RFC 9112 6: the body's length must be beyond doubt. */
static int
check_framing(struct http_head *head, const struct facts *facts, const char **why)
{
	if (facts->lengths > 1)
		return refuse(why, 400, "more than one Content-Length");
	if (facts->lengths > 0 && facts->codings > 0)
		return refuse(why, 400, "Content-Length with Transfer-Encoding");
	if (facts->codings > 0 && head->minor == 0)
		return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
	if (facts->coding_bad)
		return refuse(why, 400, "Transfer-Encoding is not valid");
	if (facts->coding_unknown)
		return refuse(why, 501, "a transfer coding other than chunked");
	if (facts->codings > 0)
		head->framing = HTTP_CHUNKED;
	if (facts->lengths > 0) {
		head->framing = HTTP_LENGTH;
		head->content_length = parse_length(*facts->length);
		if (head->content_length < 0)
			return refuse(why, 400, "Content-Length is not valid");
	}
	return 0;
}

HOT int
http_rules_apply(struct http_head *head, const char **why)
{
	struct facts facts = { .host = NULL };
	int status;

	for (size_t i = 0; i < head->nfields; i++)
		take_field(&facts, &head->fields[i]);
	status = check_host(head, &facts, why);
	if (status == 0)
		status = check_framing(head, &facts, why);
	if (status != 0)
		return status;
	if (facts.expects_other)
		return refuse(why, 417, "an expectation other than 100-continue");

	/* RFC 9112 9.3. */
	head->keep_alive = !facts.close && (head->minor > 0 || facts.keep_alive);
	/* RFC 9110 10.1.1: ignored in HTTP/1.0, and without a body nobody waits. */
	head->expect_continue = facts.expects && head->minor > 0 &&
				(head->framing == HTTP_CHUNKED || head->content_length > 0);
	return 0;
}
