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

/* Parts of seconds, not negative, as seconds with as many digits as are needed. */
static void
print_seconds(int64_t parts, enum status_kind kind, FILE *out)
{
	int64_t second = kind == STATUS_MS ? 1000 : 1000000, fraction = parts % second;
	int digits = kind == STATUS_MS ? 3 : 6;

	for (; digits > 1 && fraction % 10 == 0; digits--)
		fraction /= 10;
	fprintf(out, "%" PRId64 ".%0*" PRId64, parts / second, digits, fraction);
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
	if (field->kind == STATUS_MS || field->kind == STATUS_US)
		print_seconds(util_max(number, 0), field->kind, out);
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

static void
print_event(const struct status_event *event, FILE *out)
{
	fputs("    {\n", out);
	print_fields(event, &status_event_fields, "      ", out);
	fputs("\n    }", out);
}

int
status_json_print(const struct status_doc *doc, FILE *out)
{
	fputs("{\n", out);
	print_fields(doc, &status_daemon_fields, "  ", out);
	print_reload(doc, out);
	fputs(",\n  \"events\": [", out);
	for (size_t i = 0; i < doc->n_events; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		print_event(&doc->events[i], out);
	}
	fprintf(out, "%s],\n  \"pools\": [", doc->n_events > 0 ? "\n  " : "");
	for (size_t i = 0; i < doc->n; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		print_pool(&doc->pools[i], out);
	}
	fprintf(out, "%s]\n}\n", doc->n > 0 ? "\n  " : "");
	return ferror(out) ? -1 : 0;
}
