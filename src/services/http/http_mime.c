#include "http_mime.h"

#include "http_text.h"
#include "util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 4 << 20 };

#define UNKNOWN "application/octet-stream"
#define CHARSET "; charset=utf-8"

/* In the form of mime.types(5), so that there is one reader. */
static const char built_in[] = "application/epub+zip epub\n"
			       "application/gzip gz\n"
			       "application/json json map\n"
			       "application/manifest+json webmanifest\n"
			       "application/pdf pdf\n"
			       "application/wasm wasm\n"
			       "application/xhtml+xml xhtml xht\n"
			       "application/xml xml xsl xsd\n"
			       "application/zip zip\n"
			       "audio/flac flac\n"
			       "audio/mpeg mp3\n"
			       "audio/ogg oga ogg opus\n"
			       "font/otf otf\n"
			       "font/ttf ttf\n"
			       "font/woff woff\n"
			       "font/woff2 woff2\n"
			       "image/avif avif\n"
			       "image/gif gif\n"
			       "image/jpeg jpg jpeg\n"
			       "image/png png\n"
			       "image/svg+xml svg\n"
			       "image/vnd.microsoft.icon ico\n"
			       "image/webp webp\n"
			       "text/css css\n"
			       "text/csv csv\n"
			       "text/html html htm\n"
			       "text/javascript js mjs\n"
			       "text/markdown md markdown\n"
			       "text/plain txt text log conf\n"
			       "video/mp4 mp4\n"
			       "video/ogg ogv\n"
			       "video/webm webm\n";

/* Offsets into the texts: half of what pointers need, and free to move while it grows. */
struct row {
	uint32_t extension, type;
};

struct http_mime {
	char *texts; /* terminated, one behind the other */
	size_t len, size;
	struct row *rows; /* sorted by the extension once all is read */
	size_t n, room;
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static uint32_t
add_text(struct http_mime *mime, struct http_text text, const char *behind)
{
	size_t start = mime->len, end = start + text.len, more = strlen(behind) + 1;

	if (end + more > mime->size) {
		mime->size = 2 * (end + more);
		mime->texts = util_realloc(mime->texts, mime->size, 1);
	}
	memcpy(mime->texts + start, text.at, text.len);
	memcpy(mime->texts + end, behind, more);
	mime->len = end + more;
	return (uint32_t)start;
}

static void
add_row(struct http_mime *mime, struct http_text extension, uint32_t type)
{
	uint32_t start = add_text(mime, extension, "");

	for (char *c = mime->texts + start; *c; c++)
		*c = lower(*c);
	if (mime->n == mime->room) {
		mime->room = mime->room ? 2 * mime->room : 64;
		mime->rows = util_realloc(mime->rows, mime->room, sizeof(*mime->rows));
	}
	mime->rows[mime->n++] = (struct row){ start, type };
}

/* Takes a word that blanks end off the front; len 0: there is none. */
static struct http_text
take_word(struct http_text *line)
{
	struct http_text word = { line->at, 0 };

	while (line->len > 0 && strchr(" \t\r", line->at[0])) {
		line->at++;
		line->len--;
	}
	word.at = line->at;
	while (word.len < line->len && !strchr(" \t\r", word.at[word.len]))
		word.len++;
	line->at += word.len;
	line->len -= word.len;
	return word;
}

/* type "/" subtype, RFC 9110 8.3.1: it goes into a field, so it must not break it. */
static bool
is_type(struct http_text text)
{
	const char *slash = memchr(text.at, '/', text.len);
	size_t before = slash ? (size_t)(slash - text.at) : 0;

	return slash && http_text_is_token((struct http_text){ text.at, before }) &&
	       http_text_is_token((struct http_text){ slash + 1, text.len - before - 1 });
}

static const char *
charset_of(struct http_text type)
{
	static const char *const in_utf8[] = { "application/javascript", "application/json",
					       "application/xml", "image/svg+xml" };

	if (type.len > 5 && http_text_is_nocase((struct http_text){ type.at, 5 }, "text/"))
		return CHARSET;
	for (size_t i = 0; i < ARRAY_LEN(in_utf8); i++)
		if (http_text_is_nocase(type, in_utf8[i]))
			return CHARSET;
	return "";
}

/* A type without extensions is only told about.  -1: the line has no type at its front. */
static int
read_line(struct http_mime *mime, struct http_text line)
{
	const char *comment = memchr(line.at, '#', line.len);
	struct http_text type, extension;
	uint32_t start = 0;

	if (comment)
		line.len = (size_t)(comment - line.at);
	type = take_word(&line);
	if (type.len == 0)
		return 0;
	if (!is_type(type))
		return -1;
	for (bool first = true; (extension = take_word(&line)).len > 0; first = false) {
		if (first)
			start = add_text(mime, type, charset_of(type));
		add_row(mime, extension, start);
	}
	return 0;
}

/* 0, or the number of the first line that is wrong. */
static int
read_text(struct http_mime *mime, const char *text, size_t len)
{
	for (int number = 1; len > 0; number++) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) : len;

		if (memchr(text, '\0', line) ||
		    read_line(mime, (struct http_text){ text, line }) < 0)
			return number;
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	return 0;
}

static int
read_file(struct http_mime *mime, const char *path, char **err)
{
	FILE *in = fopen(path, "re");
	int result = 0, number;
	char *text;
	size_t len;

	if (!in)
		return errno == ENOENT ? 0 : util_fail(err, "%s: %s", path, strerror(errno));
	text = util_calloc(1, FILE_MAX + 1);
	len = fread(text, 1, FILE_MAX + 1, in);
	if (ferror(in))
		result = util_fail(err, "%s: %s", path, strerror(errno));
	else if (len > FILE_MAX)
		result = util_fail(err, "%s: larger than %d MiB", path, FILE_MAX >> 20);
	else if ((number = read_text(mime, text, len)) != 0)
		result = util_fail(err, "%s: line %d begins with no media type", path, number);
	free(text);
	fclose(in);
	return result;
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct row *left = a, *right = b;
	const char *texts = arg;
	int order = strcmp(texts + left->extension, texts + right->extension);

	/* What was read later stands behind. */
	return order ? order
		     : (left->extension > right->extension) - (left->extension < right->extension);
}

/* Sorts the rows, keeps the last one of each extension, and gives back what is too much. */
static void
settle(struct http_mime *mime)
{
	size_t kept = 0;

	qsort_r(mime->rows, mime->n, sizeof(*mime->rows), compare_rows, mime->texts);
	for (size_t i = 0; i < mime->n; i++)
		if (i + 1 == mime->n || strcmp(mime->texts + mime->rows[i].extension,
					       mime->texts + mime->rows[i + 1].extension) != 0)
			mime->rows[kept++] = mime->rows[i];
	mime->n = mime->room = kept;
	mime->size = mime->len;
	mime->rows = util_realloc(mime->rows, kept, sizeof(*mime->rows));
	mime->texts = util_realloc(mime->texts, mime->len, 1);
}

struct http_mime *
http_mime_load(const char *path, char **err)
{
	struct http_mime *mime = util_calloc(1, sizeof(*mime));

	read_text(mime, built_in, sizeof(built_in) - 1);
	if (path && read_file(mime, path, err) < 0) {
		http_mime_free(mime);
		return NULL;
	}
	settle(mime);
	return mime;
}

void
http_mime_free(struct http_mime *mime)
{
	if (!mime)
		return;
	free(mime->texts);
	free(mime->rows);
	free(mime);
}

/* As strcmp(3), with wanted in whatever case. */
static int
compare_extension(const char *wanted, const char *extension)
{
	while (*wanted && lower(*wanted) == *extension) {
		wanted++;
		extension++;
	}
	return (unsigned char)lower(*wanted) - (unsigned char)*extension;
}

const char *
http_mime_type(const struct http_mime *mime, const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t low = 0, high = mime->n;

	while (dot && low < high) {
		size_t middle = low + (high - low) / 2;
		const struct row *row = &mime->rows[middle];
		int order = compare_extension(dot + 1, mime->texts + row->extension);

		if (order == 0)
			return mime->texts + row->type;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return UNKNOWN;
}
