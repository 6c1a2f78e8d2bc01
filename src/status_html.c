#include "status_html.h"

#include "utf8.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

void
status_html_text(FILE *out, const char *text)
{
	char *clean = utf8_printable(text);

	for (const char *p = clean; *p;) {
		size_t plain = strcspn(p, "&<>\"'");

		fwrite(p, 1, plain, out);
		p += plain;
		if (*p)
			fprintf(out, "&#%d;", *p++);
	}
	free(clean);
}

void
status_html_put(FILE *out, char *text)
{
	status_html_text(out, text);
	free(text);
}

void
status_html_fill(FILE *out, const char *template,
		 void (*place)(FILE *out, const char *name, const void *of), const void *of)
{
	const char *begin, *end;

	while ((begin = strstr(template, "%{")) && (end = strchr(begin, '}'))) {
		char name[STATUS_HTML_NAME];

		fwrite(template, 1, (size_t)(begin - template), out);
		snprintf(name, sizeof(name), "%.*s", (int)(end - begin - 2), begin + 2);
		place(out, name, of);
		template = end + 1;
	}
	fputs(template, out);
}
