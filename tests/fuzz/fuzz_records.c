/*
 * An answer to "status", line by line: a record can be written as a line that is read as
 * the same record, and the status of whatever it is shows as a valid JSON document and as
 * text without control characters.
 */
#include "status_json.h"
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

static void
check_text(const struct status_doc *doc, void (*print)(const struct status_doc *, FILE *))
{
	char *text = NULL, *clean;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(doc, out);
	fclose(out);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	clean = utf8_printable(text);
	if (strcmp(clean, text) != 0)
		abort();
	free(clean);
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
	status_doc_free(doc);
	free(text);
	return 0;
}
