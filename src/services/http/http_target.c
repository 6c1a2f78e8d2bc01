#include "http_target.h"

#include "layout.h"

#include <string.h>

/* The byte at text[*i], decoded; *i goes behind it.  0, or a status. */
static int
decode(struct http_text text, size_t *i, char *byte)
{
	int high, low;

	*byte = text.at[*i];
	if (!http_is(*byte, HTTP_TARGET))
		return 400;
	if (*byte != '%') {
		(*i)++;
		return 0;
	}
	if (text.len - *i < 3)
		return 400;
	high = http_text_hex(text.at[*i + 1]);
	low = http_text_hex(text.at[*i + 2]);
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return 400;
	*byte = (char)(high * 16 + low);
	*i += 3;
	return *byte == '/' ? 404 : 0;
}

/*
 * The segment that ends the path has ended: without it when it is a dot segment.  The path
 * ends with the '/' before the segment then.  False: above the root.
 */
HOT static bool
end_segment(struct http_target *target)
{
	char *start = target->path + target->len;

	while (start[-1] != '/')
		start--;
	target->path[target->len] = '\0';
	if (strcmp(start, ".") == 0) {
		target->len--;
	} else if (strcmp(start, "..") == 0) {
		target->len -= 3;
		if (target->len == 0)
			return false;
		while (target->path[target->len - 1] != '/')
			target->len--;
	}
	return true;
}

static bool
ends_with_slash(const struct http_target *target)
{
	return target->path[target->len - 1] == '/';
}

static int
take_path(struct http_text path, struct http_target *target)
{
	size_t i = path.len > 0;
	int status;
	char byte;

	target->path[0] = '/';
	target->len = 1;
	while (i < path.len) {
		bool separator = path.at[i] == '/';

		status = decode(path, &i, &byte);
		if (status != 0)
			return status;
		if (separator && !ends_with_slash(target) && !end_segment(target))
			return 400;
		if (separator && ends_with_slash(target))
			continue;
		if (target->len + 1 == HTTP_PATH_BYTES)
			return 414;
		target->path[target->len++] = byte;
	}
	if (!end_segment(target))
		return 400;
	target->path[target->len] = '\0';
	target->slash = ends_with_slash(target);
	return 0;
}

HOT int
http_target_parse(struct http_text origin, struct http_target *target)
{
	struct http_text path = origin, query = { NULL, 0 };
	const char *mark;

	if (origin.len == 0)
		return 400;
	mark = memchr(origin.at, '?', origin.len);
	if (mark != NULL) {
		path.len = (size_t)(mark - origin.at);
		query = (struct http_text){ mark + 1, origin.len - path.len - 1 };
	}
	if (path.len > 0 ? path.at[0] != '/' : mark == NULL)
		return 400;
	for (size_t i = 0; i < query.len; i++)
		if (!http_is(query.at[i], HTTP_TARGET))
			return 400;
	target->query = query;
	target->has_query = mark != NULL;
	return take_path(path, target);
}

/* The place for what must be found, RFC 8615. */
static bool
is_well_known(const char *path)
{
	static const char allowed[] = "/.well-known";
	const char *rest = path + sizeof(allowed) - 1;

	return strncmp(path, allowed, sizeof(allowed) - 1) == 0 && (*rest == '/' || *rest == '\0');
}

HOT bool
http_target_is_hidden(const struct http_target *target)
{
	const char *dot = target->path;

	for (; (dot = strchr(dot, '.')) != NULL; dot++)
		if (dot[-1] == '/' && (dot > target->path + 1 || !is_well_known(target->path)))
			return true;
	return false;
}

size_t
http_target_encode(char *dst, size_t size, const char *path, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t whole = 0, fits = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)path[i];
		bool plain = http_is(path[i], HTTP_PLAIN);
		size_t n = plain ? 1 : 3;

		if (whole == fits && fits + n < size) {
			dst[fits] = plain ? path[i] : '%';
			if (!plain) {
				dst[fits + 1] = digits[byte >> 4];
				dst[fits + 2] = digits[byte & 15];
			}
			fits += n;
		}
		whole += n;
	}
	dst[fits] = '\0';
	return whole;
}

bool
http_target_has_prefix(const struct http_target *t, const struct http_prefix *prefix)
{
	size_t len = prefix->len;

	if (t->len < len || memcmp(t->path, prefix->text, len) != 0)
		return false;
	return t->len == len || prefix->text[len - 1] == '/' || t->path[len] == '/';
}
