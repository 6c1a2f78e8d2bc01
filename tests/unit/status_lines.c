#include "status_lines.h"

#include "unit.h"

#include <stdlib.h>

int
status_lines_add(struct status_doc *doc, const char *text, char **err)
{
	char *line = util_strdup(text);
	struct control_record record;
	int status;

	assert_int_equal(control_record_parse(&record, line), 0);
	status = status_doc_add(doc, &record, err);
	free(line);
	return status;
}

struct status_doc *
status_lines_document(const char *const *lines)
{
	struct status_doc *doc = status_doc_new();
	char *err = NULL;

	for (; *lines; lines++)
		assert_int_equal(status_lines_add(doc, *lines, &err), 0);
	assert_int_equal(status_doc_check(doc, &err), 0);
	return doc;
}

char *
status_lines_printed(void (*print)(const struct status_doc *, FILE *), const char *const *lines)
{
	struct status_doc *doc = status_lines_document(lines);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	print(doc, out);
	fclose(out);
	status_doc_free(doc);
	return text;
}
