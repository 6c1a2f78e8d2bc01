#include "http_log.h"

#include "http_log_item.h"
#include "layout.h"
#include "local_time.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMON   "%h %l %u %t \"%r\" %>s %b"
#define COMBINED COMMON " \"%{Referer}i\" \"%{User-Agent}i\""

#define TEXT_MIN 3 /* what is left of a text that is cut: "..." */

struct http_log_format {
	struct http_log_item *items;
	size_t n;
	bool has_local;
};

static struct http_log_item *
add(struct http_log_format *format, enum http_log_style style)
{
	struct http_log_item *item;

	format->items = util_realloc(format->items, format->n + 1, sizeof(*format->items));
	item = &format->items[format->n++];
	*item = (struct http_log_item){ .letter = HTTP_LOG_LITERAL, .style = style };
	return item;
}

/* Most of them are short, and then stand in the item itself. */
static void
add_literal(struct http_log_format *format, enum http_log_style style, const char *text, size_t len)
{
	struct http_log_item *item = add(format, style);

	item->len = len;
	if (len <= sizeof(item->text))
		memcpy(item->text, text, len);
	else
		item->name = util_format("%.*s", (int)len, text);
}

/* ---- JSON ------------------------------------------------------------------------------- */

static const struct {
	const char *before;
	char letter;
	const char *name;
} members[] = {
	{ "{\"time\":", 't', NULL },
	{ ",\"client\":", 'a', NULL },
	{ ",\"user\":", 'u', NULL },
	{ ",\"method\":", 'm', NULL },
	{ ",\"target\":", HTTP_LOG_TARGET, NULL },
	{ ",\"protocol\":", 'H', NULL },
	{ ",\"status\":", 's', NULL },
	{ ",\"bytes\":", 'B', NULL },
	{ ",\"referer\":", 'i', "Referer" },
	{ ",\"user_agent\":", 'i', "User-Agent" },
	{ ",\"host\":", 'V', NULL },
	{ ",\"server\":", 'v', NULL },
	{ ",\"port\":", 'p', NULL },
	{ ",\"duration_us\":", 'D', NULL },
	{ ",\"received\":", 'I', NULL },
	{ ",\"sent\":", 'O', NULL },
	{ ",\"connection\":", 'X', NULL },
	{ ",\"keepalive\":", 'k', NULL },
	{ ",\"pid\":", 'P', NULL },
};

static void
compile_json(struct http_log_format *format)
{
	char *err = NULL;

	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		add_literal(format, HTTP_LOG_JSON, members[i].before, strlen(members[i].before));
		if (http_log_item_set(add(format, HTTP_LOG_JSON), members[i].letter,
				      members[i].name, &err) < 0)
			abort();
	}
	add_literal(format, HTTP_LOG_JSON, "}", 1);
}

/* ---- templates --------------------------------------------------------------------------- */

struct template
{
	const char *at;
	char *literal; /* what has come since the last letter */
	size_t len;
	bool quoted; /* inside of a pair of quotes */
};

static void
end_literal(struct http_log_format *format, struct template *t)
{
	if (t->len > 0)
		add_literal(format, HTTP_LOG_QUOTED, t->literal, t->len);
	t->len = 0;
}

static int
take_literal(struct template *t, char **err)
{
	char c = *t->at++;

	if (c == '\\') {
		c = *t->at++;
		if (c != '"' && c != '\\' && c != 't')
			return util_fail(err, "after a backslash only \", \\ and t can follow");
		if (c == 't')
			c = '\t';
	} else if (((unsigned char)c < ' ' && c != '\t') || c == 0x7f) {
		return util_fail(err, "there is a control character");
	}
	t->quoted ^= c == '"';
	t->literal[t->len++] = c;
	return 0;
}

/* Behind the '%'. */
static int
take_letter(struct http_log_format *format, struct template *t, char **err)
{
	char *name = NULL;
	int rc;

	if (*t->at == '%') {
		t->literal[t->len++] = *t->at++;
		return 0;
	}
	t->at += strspn(t->at, "<>");
	if (*t->at == '{') {
		size_t len = strcspn(++t->at, "}");

		if (!t->at[len])
			return util_fail(err, "the } is missing");
		name = util_format("%.*s", (int)len, t->at);
		t->at += len + 1;
	}
	end_literal(format, t);
	rc = *t->at ? http_log_item_set(add(format, t->quoted ? HTTP_LOG_QUOTED : HTTP_LOG_BARE),
					*t->at++, name, err)
		    : util_fail(err, "a letter is missing");
	free(name);
	return rc;
}

static int
compile(struct http_log_format *format, const char *text, char **err)
{
	struct template t = { .at = text, .literal = util_calloc(strlen(text) + 1, 1) };
	const char *from;
	char *why = NULL;
	int rc = 0;

	while (rc == 0 && *t.at) {
		from = t.at;
		if (*t.at == '%') {
			t.at++;
			rc = take_letter(format, &t, &why);
		} else {
			rc = take_literal(&t, &why);
		}
		if (rc < 0)
			util_fail(err, "at byte %zu: \"%.12s\": %s", (size_t)(from - text) + 1,
				  from, why);
	}
	end_literal(format, &t);
	free(t.literal);
	free(why);
	return rc;
}

/* The line when all texts in it are cut as far as they can be. */
static size_t
least(const struct http_log_format *format)
{
	size_t n = strlen("\n");

	for (size_t i = 0; i < format->n; i++)
		n += format->items[i].letter == HTTP_LOG_LITERAL ? format->items[i].len
								 : HTTP_LOG_ITEM_BYTES;
	return n;
}

struct http_log_format *
http_log_format_new(const char *text, char **err)
{
	struct http_log_format *format = util_calloc(1, sizeof(*format));
	int rc = 0;

	local_time_start(time(NULL)); /* a worker may have no /etc/localtime any more */
	if (strcmp(text, "json") == 0)
		compile_json(format);
	else if (strcmp(text, "common") == 0)
		rc = compile(format, COMMON, err);
	else if (strcmp(text, "combined") == 0)
		rc = compile(format, COMBINED, err);
	else if (!strchr(text, '%'))
		rc = util_fail(err,
			       "\"%s\" is neither common, combined, json nor a template with "
			       "a %% in it",
			       text);
	else
		rc = compile(format, text, err);
	if (rc == 0 && least(format) > HTTP_LOG_LINE_MIN)
		rc = util_fail(err, "the lines would be too long");
	for (size_t i = 0; i < format->n; i++)
		format->has_local |=
		    format->items[i].letter == 'A' || format->items[i].letter == 'p';
	if (rc == 0)
		return format;
	http_log_format_free(format);
	return NULL;
}

void
http_log_format_free(struct http_log_format *format)
{
	for (size_t i = 0; format && i < format->n; i++)
		free(format->items[i].name);
	if (format)
		free(format->items);
	free(format);
}

/* ---- lines --------------------------------------------------------------------------------- */

static bool
write_line(const struct http_log_format *format, const struct http_log_entry *entry,
	   struct http_log_line *line, size_t text_max)
{
	line->len = 0;
	line->text_max = text_max;
	for (size_t i = 0; i < format->n; i++)
		http_log_item_put(line, &format->items[i], entry);
	http_log_raw(line, "\n", 1);
	return line->len <= line->size;
}

HOT bool
http_log_format_has_local(const struct http_log_format *format)
{
	return format->has_local;
}

HOT size_t
http_log_format_line(const struct http_log_format *format, const struct http_log_entry *entry,
		     char *buf, size_t size)
{
	struct http_log_line line = { .buf = buf, .size = size };
	size_t fits = TEXT_MIN, too_long = size;

	if (write_line(format, entry, &line, SIZE_MAX))
		return line.len;
	while (too_long > fits + 1) {
		size_t middle = fits + (too_long - fits) / 2;

		if (write_line(format, entry, &line, middle))
			fits = middle;
		else
			too_long = middle;
	}
	return write_line(format, entry, &line, fits) ? line.len : 0;
}
