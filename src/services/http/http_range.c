#include "http_range.h"

enum spec { WRONG, BEHIND_END, INSIDE };

/* Digits off the front; false: there are none.  A number too large is the largest. */
static bool
take_number(struct http_text *text, int64_t *number)
{
	size_t i = 0;

	for (*number = 0; i < text->len && text->at[i] >= '0' && text->at[i] <= '9'; i++) {
		int digit = text->at[i] - '0';

		*number = *number > (INT64_MAX - digit) / 10 ? INT64_MAX : *number * 10 + digit;
	}
	text->at += i;
	text->len -= i;
	return i > 0;
}

static bool
take_byte(struct http_text *text, char byte)
{
	if (text->len == 0 || text->at[0] != byte)
		return false;
	text->at++;
	text->len--;
	return true;
}

/* Takes an int-range or a suffix-range (14.1.1) off the front. */
static enum spec
take_spec(struct http_text *text, int64_t size, struct http_range *range)
{
	int64_t suffix;

	if (take_number(text, &range->first)) {
		if (!take_byte(text, '-'))
			return WRONG;
		if (!take_number(text, &range->last))
			range->last = INT64_MAX;
		if (range->last < range->first)
			return WRONG;
		if (range->first >= size)
			return BEHIND_END;
		if (range->last >= size)
			range->last = size - 1;
		return INSIDE;
	}
	if (!take_byte(text, '-') || !take_number(text, &suffix))
		return WRONG;
	if (suffix == 0)
		return BEHIND_END;
	range->first = suffix < size ? size - suffix : 0;
	range->last = size - 1;
	return INSIDE;
}

static bool
take_unit(struct http_text *text)
{
	static const char unit[] = "bytes";
	size_t len = sizeof(unit) - 1;

	if (text->len < len || !http_text_is_nocase((struct http_text){ text->at, len }, unit))
		return false;
	text->at += len;
	text->len -= len;
	return take_byte(text, '=');
}

enum http_range_result
http_range_parse(struct http_text value, int64_t size, struct http_range *ranges, size_t max,
		 size_t *n)
{
	struct http_text rest = http_text_trim(value), lead;
	size_t asked = 0, inside = 0;
	int64_t left = size;

	if (!rest.at || !take_unit(&rest))
		return HTTP_RANGE_NONE;
	/* OWS stands before a comma or behind one, but not directly behind the "=". */
	lead = http_text_trim(rest);
	if (lead.len > 0 && lead.at != rest.at && lead.at[0] != ',')
		return HTTP_RANGE_NONE;
	for (rest = lead; rest.len > 0; rest = http_text_trim(rest)) {
		struct http_range range;
		enum spec spec;

		if (take_byte(&rest, ','))
			continue;
		spec = take_spec(&rest, size, &range);
		rest = http_text_trim(rest);
		if (spec == WRONG || (rest.len > 0 && rest.at[0] != ',') || asked++ == max)
			return HTTP_RANGE_NONE;
		if (spec == BEHIND_END)
			continue;
		if (range.last < range.first || range.last - range.first >= left)
			return HTTP_RANGE_NONE;
		left -= range.last - range.first + 1;
		ranges[inside++] = range;
	}
	if (asked == 0)
		return HTTP_RANGE_NONE;
	*n = inside;
	return inside > 0 ? HTTP_RANGE_SOME : HTTP_RANGE_UNSATISFIABLE;
}
