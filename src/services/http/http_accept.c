#include "http_accept.h"

#include <string.h>

enum { BEST = 1000, UNSAID = -1 };

/* What was said of a coding, and of all that are not named. */
struct quality {
	int coding, others;
};

/* qvalue, RFC 9110 12.4.2, the whole text; UNSAID: something else. */
static int
read_qvalue(struct http_text text)
{
	int value = 0;

	if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
	    (text.len > 1 && text.at[1] != '.'))
		return UNSAID;
	for (size_t i = 2; i < 5; i++) {
		char digit = i < text.len ? text.at[i] : '0';

		if (digit < '0' || digit > '9')
			return UNSAID;
		value = value * 10 + (digit - '0');
	}
	if (text.at[0] == '1')
		return value == 0 ? BEST : UNSAID;
	return value;
}

/* What stands behind the coding of a member: nothing, or OWS ";" OWS "q=" qvalue. */
static int
read_weight(struct http_text text)
{
	text = http_text_trim(text);
	if (text.len == 0)
		return BEST;
	if (text.at[0] != ';')
		return UNSAID;
	text = http_text_trim((struct http_text){ text.at + 1, text.len - 1 });
	if (text.len < 2 || (text.at[0] != 'q' && text.at[0] != 'Q') || text.at[1] != '=')
		return UNSAID;
	return read_qvalue((struct http_text){ text.at + 2, text.len - 2 });
}

static void
lower(int *quality, int said)
{
	if (*quality == UNSAID || said < *quality)
		*quality = said;
}

/* x-gzip and x-compress are old names (8.4.1). */
static bool
is_coding(struct http_text name, const char *coding)
{
	static const char *const with_old_name[] = { "gzip", "compress" };

	if (http_text_is_nocase(name, coding))
		return true;
	for (size_t i = 0; i < 2; i++)
		if (strcmp(coding, with_old_name[i]) == 0 && name.len > 2 &&
		    http_text_is_nocase((struct http_text){ name.at, 2 }, "x-") &&
		    http_text_is_nocase((struct http_text){ name.at + 2, name.len - 2 }, coding))
			return true;
	return false;
}

static void
read_list(struct http_text list, const char *coding, struct quality *quality)
{
	struct http_text member;

	while (http_text_next(&list, &member)) {
		struct http_text name = member;
		int weight;

		name.len = 0;
		while (name.len < member.len && http_is(member.at[name.len], HTTP_TOKEN))
			name.len++;
		weight =
		    read_weight((struct http_text){ member.at + name.len, member.len - name.len });
		if (weight == UNSAID)
			continue;
		if (http_text_is(name, "*"))
			lower(&quality->others, weight);
		else if (is_coding(name, coding))
			lower(&quality->coding, weight);
	}
}

static int
decide(const struct quality *quality, bool there, const char *coding)
{
	bool identity = strcmp(coding, "identity") == 0;

	if (!there)
		return identity ? BEST : 0;
	if (quality->coding != UNSAID)
		return quality->coding;
	if (quality->others != UNSAID)
		return quality->others;
	return identity ? 1 : 0;
}

int
http_accept_encoding(const struct http_head *head, const char *coding)
{
	struct quality quality = { UNSAID, UNSAID };
	bool there = false;

	for (size_t i = 0; i < head->nfields; i++)
		if (http_text_is_nocase(head->fields[i].name, "Accept-Encoding")) {
			there = true;
			read_list(head->fields[i].value, coding, &quality);
		}
	return decide(&quality, there, coding);
}
