#include "http_entity.h"

#include "layout.h"

#include <string.h>

enum { CODING_BYTES = 8 };

static char *
put_hex(char *out, uint64_t n)
{
	int digits = 1;

	while (digits < 16 && n >> (4 * digits) != 0)
		digits++;
	for (int i = digits; i-- > 0; n >>= 4)
		out[i] = "0123456789abcdef"[n & 15];
	return out + digits;
}

void
http_entity_of(struct http_entity *e, const struct stat *st, const char *coding, int64_t now)
{
	size_t len = strnlen(coding, CODING_BYTES);
	char *out;

	e->mtime = st->st_mtim.tv_sec;
	e->mtime_ns = st->st_mtim.tv_nsec;
	e->size = st->st_size;
	e->inode = st->st_ino;
	out = e->etag;
	*out++ = '"';
	out = put_hex(out, e->inode);
	*out++ = '-';
	out = put_hex(out, (uint64_t)e->size);
	*out++ = '-';
	out = put_hex(out, (uint64_t)e->mtime * 1000000000U + (uint64_t)e->mtime_ns);
	memcpy(out, coding, len);
	memcpy(out + len, "\"", 2);
	http_date_format(e->last_modified, e->mtime < now ? e->mtime : now);
}

struct tag {
	bool weak;
	struct http_text opaque; /* with its quotes */
};

/* Takes an entity-tag (RFC 9110 8.8.3) off the front. */
static bool
take_tag(struct http_text *text, struct tag *tag)
{
	struct http_text rest = *text;
	size_t end = 1;

	tag->weak = rest.len >= 2 && memcmp(rest.at, "W/", 2) == 0;
	if (tag->weak) {
		rest.at += 2;
		rest.len -= 2;
	}
	if (rest.len == 0 || rest.at[0] != '"')
		return false;
	/* etagc: any byte but the quote, controls and the space. */
	while (end < rest.len && (unsigned char)rest.at[end] > 0x20 && rest.at[end] != '"' &&
	       rest.at[end] != 0x7f)
		end++;
	if (end == rest.len || rest.at[end] != '"')
		return false;
	tag->opaque = (struct http_text){ rest.at, end + 1 };
	text->at = rest.at + end + 1;
	text->len = rest.len - end - 1;
	return true;
}

/* 8.8.3.2; ours is strong, so the strong comparison only asks for a strong one. */
static bool
tag_matches(const struct http_entity *e, const struct tag *tag, bool strong)
{
	return !(strong && tag->weak) && http_text_is(tag->opaque, e->etag);
}

/* What the fields of one name say so far. */
struct tags {
	bool star, match;
	size_t members;
};

/* One line of "*" or of a list of tags, which may have empty members; false: neither. */
static bool
read_tags(const struct http_entity *e, struct http_text line, bool strong, struct tags *tags)
{
	struct http_text rest = http_text_trim(line);
	struct tag tag;

	if (http_text_is(rest, "*")) {
		tags->star = true;
		tags->members++;
		return true;
	}
	while (rest.len > 0) {
		if (rest.at[0] != ',') {
			if (!take_tag(&rest, &tag))
				return false;
			tags->members++;
			tags->match |= tag_matches(e, &tag, strong);
			rest = http_text_trim(rest);
		}
		if (rest.len > 0 && rest.at[0] != ',')
			return false;
		if (rest.len > 0)
			rest = http_text_trim((struct http_text){ rest.at + 1, rest.len - 1 });
	}
	return true;
}

/*
 * If-Match or If-None-Match names the entity.  A list over several fields is one list; one
 * with a mistake names nothing, so that nothing is changed and nothing is taken for known.
 */
static bool
tags_match(const struct http_entity *e, const struct http_head *head, const char *name, bool strong)
{
	struct tags tags = { .members = 0 };

	for (size_t i = 0; i < head->nfields; i++)
		if (http_text_is_nocase(head->fields[i].name, name) &&
		    !read_tags(e, head->fields[i].value, strong, &tags))
			return false;
	return tags.star ? tags.members == 1 : tags.match;
}

/* A field with just one date; false: it must be ignored (13.1.3, 13.1.4). */
static bool
date_of(const struct http_head *head, const char *name, int64_t now, int64_t *date)
{
	return http_head_count(head, name) == 1 &&
	       http_date_parse(http_text_trim(http_head_get(head, name)), now, date);
}

/* Most requests have none, and each one pays for the question: so it is asked once. */
static bool
has_conditions(const struct http_head *head)
{
	for (size_t i = 0; i < head->nfields; i++) {
		struct http_text name = head->fields[i].name;

		if (name.len > 3 && (name.at[0] == 'I' || name.at[0] == 'i') && name.at[2] == '-')
			return true;
	}
	return false;
}

HOT int
http_entity_check(const struct http_entity *e, const struct http_head *head, int64_t now)
{
	bool get = head->method == HTTP_GET || head->method == HTTP_HEAD;
	int64_t date;

	/* Those that select no representation know no conditions (13.2.1). */
	if (head->method == HTTP_OPTIONS || head->method == HTTP_TRACE ||
	    head->method == HTTP_CONNECT || !has_conditions(head))
		return 0;
	if (http_head_get(head, "If-Match").at) {
		if (!tags_match(e, head, "If-Match", true))
			return 412;
	} else if (date_of(head, "If-Unmodified-Since", now, &date) && e->mtime > date) {
		return 412;
	}
	if (http_head_get(head, "If-None-Match").at) {
		if (tags_match(e, head, "If-None-Match", false))
			return get ? 304 : 412;
	} else if (get && date_of(head, "If-Modified-Since", now, &date) && e->mtime <= date) {
		return 304;
	}
	return 0;
}

bool
http_entity_if_range(const struct http_entity *e, const struct http_head *head, int64_t now)
{
	struct http_text value = http_text_trim(http_head_get(head, "If-Range"));
	struct tag tag;
	int64_t date;

	if (!value.at)
		return true;
	if (http_head_count(head, "If-Range") != 1)
		return false;
	if (take_tag(&value, &tag))
		return value.len == 0 && tag_matches(e, &tag, true);
	return http_date_parse(value, now, &date) && date == e->mtime && e->mtime < now;
}
