/*
 * For tests of the page in a browser: the answer to "status" on standard input becomes the
 * live page on standard output, with its policy on a line before it.
 */
#include "status_page.h"

#include <stdlib.h>
#include <string.h>

int
main(void)
{
	struct status_doc *doc = status_doc_new();
	struct control_record record;
	char *line = NULL, *err = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (control_record_parse(&record, line) < 0 ||
		    status_doc_add(doc, &record, &err) < 0)
			return 1;
	}
	puts(status_page_policy());
	status_page_print(doc, time(NULL), STATUS_PAGE_LIVE, stdout);
	status_doc_free(doc);
	free(line);
	return 0;
}
