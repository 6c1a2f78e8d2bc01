/*
 * An answer to "status", line by line: a record can be written as a line that is read as
 * the same record, and the status of whatever it is shows as a valid JSON document, as text
 * without control characters, for Prometheus with a series a line, and as a page of tags
 * that are the page's own.
 */
#include "status_json.h"
#include "status_page.h"
#include "status_prometheus.h"
#include "status_text.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_again(const struct control_record *record)
{
	struct control_record again;
	char *line = NULL;
	size_t len;
	FILE *out = open_memstream(&line, &len);

	control_record_begin(out, record->kind);
	for (size_t i = 0; i < record->n; i++)
		control_record_text(out, record->keys[i], record->values[i]);
	control_record_end(out);
	fclose(out);
	if (memchr(line, '\n', len) != line + len - 1)
		abort();
	line[len - 1] = '\0';
	if (control_record_parse(&again, line) < 0 || again.n != record->n)
		abort();
	for (size_t i = 0; i < record->n; i++)
		if (strcmp(again.keys[i], record->keys[i]) != 0 ||
		    strcmp(again.values[i], record->values[i]) != 0)
			abort();
	free(line);
}

static void
take(struct status_doc *doc, char *line)
{
	struct control_record record;
	char *err = NULL;
	bool ok;

	if (control_last_parse(line, &ok) || control_record_parse(&record, line) < 0)
		return;
	check_again(&record);
	if (status_doc_add(doc, &record, &err) < 0 && !err)
		abort();
	free(err);
}

static char *
printed(const struct status_doc *doc, void (*print)(const struct status_doc *, FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(doc, out);
	fclose(out);
	if (strlen(text) != len)
		abort();
	return text;
}

static void
check_text(const struct status_doc *doc, void (*print)(const struct status_doc *, FILE *))
{
	char *text = printed(doc, print), *clean;

	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	clean = utf8_printable(text);
	if (strcmp(clean, text) != 0)
		abort();
	free(clean);
	free(text);
}

static void
print_metrics(const struct status_doc *doc, FILE *out)
{
	status_prometheus_print(doc, 0, out);
}

/* Behind the quoted text that begins here. */
static const char *
skip_quoted(const char *p)
{
	for (p++; *p != '"'; p++)
		if (*p == '\0' || (*p == '\\' && !strchr("\\\"n", *++p)))
			abort();
	return p + 1;
}

/* NAME{LABEL="...",LABEL="..."} NUMBER */
static void
check_series(const char *line)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyz_";
	const char *p = line + strspn(line, name);

	if (*p == '{')
		do {
			p += 1 + strspn(p + 1, name);
			if (strncmp(p, "=\"", 2) != 0)
				abort();
			p = skip_quoted(p + 1);
		} while (*p == ',');
	p += *p == '}';
	if (*p != ' ' || p[1 + strspn(p + 1, "0123456789.e+-")] != '\0')
		abort();
}

static void
check_metrics(const struct status_doc *doc)
{
	char *text = printed(doc, print_metrics), *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line && *line != '#')
			check_series(line);
	free(text);
}

static void
print_page(const struct status_doc *doc, FILE *out)
{
	status_page_print(doc, 0, STATUS_PAGE_ONCE, out);
}

/* Each tag is one that the page has, with all its quotes closed. */
static void
check_tags(const char *at)
{
	static const char tags[] =
	    " a b body button dd details div dl dt h1 h2 h3 head header html li main "
	    "ol p path rect section small span style summary svg table tbody td th thead time "
	    "title tr ul ";

	while ((at = strchr(at, '<'))) {
		const char *end = strchr(at, '>'), *name = at + 1 + (at[1] == '/');
		char *tag = util_format(" %.*s ", (int)strcspn(name, " />"), name);
		size_t quotes = 0;

		if (!end || !strstr(tags, tag))
			abort();
		for (; at < end; at++)
			quotes += *at == '"';
		if (quotes % 2 != 0)
			abort();
		free(tag);
	}
}

static void
check_page(const struct status_doc *doc)
{
	char *text = printed(doc, print_page);
	const char *body = strstr(text, "</style>");

	check_tags(body);
	for (const char *p = body; *p; p += utf8_char(p))
		if (utf8_char(p) == 0 || ((unsigned char)*p < ' ' && *p != '\n') || *p == 0x7f)
			abort();
	free(text);
}

static void
check_json(const struct status_doc *doc)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *root;

	if (status_json_print(doc, out) < 0)
		abort();
	fclose(out);
	root = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!root)
		abort();
	json_decref(root);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct status_doc *doc = status_doc_new();
	char *text = util_calloc(1, size + 1), *rest = text, *line, *err = NULL;

	memcpy(text, data, size);
	while ((line = strsep(&rest, "\n")))
		take(doc, line);
	if (status_doc_check(doc, &err) < 0 && !err)
		abort();
	free(err);
	check_text(doc, status_text_print);
	check_text(doc, status_text_print_workers);
	check_json(doc);
	check_metrics(doc);
	check_text(doc, print_metrics);
	check_page(doc);
	status_doc_free(doc);
	free(text);
	return 0;
}
