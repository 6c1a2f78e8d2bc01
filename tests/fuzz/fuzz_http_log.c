/*
 * The access log: the first line of the input is a format, the rest a request.  The format is
 * refused with a message, or makes a line of printable ASCII that is one line and no longer than
 * the buffer; and as JSON every request is valid JSON.
 */
#include "http_log.h"
#include "util.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = HTTP_LOG_LINE_MIN };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of the input, or what there is. */
static struct http_text
take(struct http_text *rest)
{
	const char *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
	struct http_text line = { rest->at, end ? (size_t)(end - rest->at) : rest->len };

	*rest = (struct http_text){ rest->at + line.len, rest->len - line.len };
	if (end)
		*rest = (struct http_text){ end + 1, rest->len - 1 };
	return line;
}

/* In memory of its own, so that the sanitizer sees a byte too much. */
static size_t
write_line(const struct http_log_format *format, const struct http_log_entry *entry, char **line)
{
	size_t len;

	*line = util_calloc(1, LINE_BYTES);
	len = http_log_format_line(format, entry, *line, LINE_BYTES);
	if (len == 0 || len > LINE_BYTES || memchr(*line, '\n', len) != *line + len - 1)
		abort();
	return len;
}

static bool
is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static void
check_template(const char *text, const struct http_log_entry *entry)
{
	char *err = NULL, *line;
	struct http_log_format *format = http_log_format_new(text, &err);

	if (!format) {
		if (!err)
			abort();
		free(err);
		return;
	}
	if (err)
		abort();
	for (size_t i = 0, n = write_line(format, entry, &line); i < n - 1; i++) {
		unsigned char c = (unsigned char)line[i];

		/* What the administrator wrote himself may be there as it is. */
		if ((c < ' ' && c != '\t') || c == 0x7f)
			abort();
		if (c > 0x7f && strcmp(text, "json") != 0 && is_ascii(text))
			abort();
	}
	free(line);
	http_log_format_free(format);
}

static void
check_json(const struct http_log_entry *entry)
{
	static struct http_log_format *format;
	char *err = NULL, *line;
	size_t len;
	json_t *root;

	if (!format)
		format = http_log_format_new("json", &err);
	len = write_line(format, entry, &line);
	root = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!root)
		abort();
	json_decref(root);
	free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_text rest = { (const char *)data, size }, first = take(&rest);
	struct http_field fields[4];
	struct http_head head = { .fields = fields };
	struct http_log_entry entry = { .head = &head, .status = 404, .connection = '-' };
	char *text = util_calloc(1, first.len + 1);

	memcpy(text, first.at, first.len);
	entry.reply = head.request_line = take(&rest);
	head.method_text = head.target = head.origin = take(&rest);
	head.authority = entry.user = take(&rest);
	entry.began_us = (int64_t)rest.len * 1000003;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		static const char *const names[] = { "Referer", "User-Agent", "A", "b" };

		fields[i].name = (struct http_text){ names[i], strlen(names[i]) };
		fields[i].value = take(&rest);
		head.nfields++;
	}
	if (strlen(text) == first.len)
		check_template(text, &entry);
	check_json(&entry);
	free(text);
	return 0;
}
