#include "status_json.h"

#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8259 7 */
static void
print_text(const char *text, FILE *out)
{
	char *clean = utf8_replace(text);

	putc('"', out);
	for (const char *p = clean; *p; p++)
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if ((unsigned char)*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\u%04x", (unsigned)*p);
		else
			putc(*p, out);
	putc('"', out);
	free(clean);
}

/* Milliseconds, not negative, as seconds with as many digits as are needed. */
static void
print_seconds(int64_t ms, FILE *out)
{
	int digits = ms % 100 == 0 ? 1 : ms % 10 == 0 ? 2 : 3;
	int fraction = (int)(ms % 1000) / (digits == 1 ? 100 : digits == 2 ? 10 : 1);

	fprintf(out, "%" PRId64 ".%0*d", ms / 1000, digits, fraction);
}

static void
print_value(const void *base, const struct status_field *field, FILE *out)
{
	int64_t number;

	if (field->kind == STATUS_TEXT) {
		print_text(status_field_text(base, field), out);
		return;
	}
	number = status_field_number(base, field);
	if (field->kind == STATUS_MS)
		print_seconds(util_max(number, 0), out);
	else
		fprintf(out, "%" PRId64, number);
}

/* An object's fields, so far in; its braces are the caller's. */
static void
print_fields(const void *base, const struct status_fields *fields, const char *indent, FILE *out)
{
	for (size_t i = 0; i < fields->n; i++) {
		fprintf(out, "%s%s\"%s\": ", i > 0 ? ",\n" : "", indent, fields->at[i].json);
		print_value(base, &fields->at[i], out);
	}
}

static void
print_worker(const struct status_worker *worker, FILE *out)
{
	fputs("        {\n", out);
	print_fields(worker, &status_worker_fields, "          ", out);
	fputs("\n        }", out);
}

static void
print_pool(const struct status_pool *pool, FILE *out)
{
	fputs("    {\n", out);
	print_fields(pool, &status_pool_fields, "      ", out);
	fputs(",\n      \"workers\": [", out);
	for (size_t i = 0; i < pool->n; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		print_worker(&pool->workers[i], out);
	}
	fprintf(out, "%s]\n    }", pool->n > 0 ? "\n      " : "");
}

static void
print_reload(const struct status_doc *doc, FILE *out)
{
	const struct status_fields *fields = &status_reload_fields;
	bool none = strcmp(doc->reload_state, "none") == 0;

	fputs(",\n  \"last_reload\": {\n", out);
	for (size_t i = 0; i < fields->n; i++) {
		fprintf(out, "%s    \"%s\": ", i > 0 ? ",\n" : "", fields->at[i].json);
		if (none && fields->at[i].kind == STATUS_MS)
			fputs("null", out);
		else
			print_value(doc, &fields->at[i], out);
	}
	fputs("\n  }", out);
}

int
status_json_print(const struct status_doc *doc, FILE *out)
{
	fputs("{\n", out);
	print_fields(doc, &status_daemon_fields, "  ", out);
	print_reload(doc, out);
	fputs(",\n  \"pools\": [", out);
	for (size_t i = 0; i < doc->n; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		print_pool(&doc->pools[i], out);
	}
	fprintf(out, "%s]\n}\n", doc->n > 0 ? "\n  " : "");
	return ferror(out) ? -1 : 0;
}
