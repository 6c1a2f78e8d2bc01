#include "status_json.h"

#include "status_text.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* RFC 8259 7; nothing that a terminal obeys, either. */
static void
print_text(const char *text, FILE *out)
{
	char *clean = utf8_replace(text);

	putc('"', out);
	for (const char *p = clean; *p; p += utf8_char(p))
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (utf8_is_control(p))
			fprintf(out, "\\u%04x", (unsigned char)p[utf8_char(p) - 1]);
		else
			fwrite(p, 1, utf8_char(p), out);
	putc('"', out);
	free(clean);
}

/* Microseconds, not negative, as seconds with as many digits as are needed. */
static void
print_seconds(int64_t us, FILE *out)
{
	char fraction[8];
	size_t len = 6;

	snprintf(fraction, sizeof(fraction), "%06d", (int)(us % 1000000));
	while (len > 1 && fraction[len - 1] == '0')
		len--;
	fprintf(out, "%" PRId64 ".%.*s", us / 1000000, (int)len, fraction);
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
		print_seconds(util_max(number, 0) * 1000, out);
	else if (field->kind == STATUS_US)
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

/* The n objects of an array, so far in; its brackets are the caller's. */
static void
print_objects(const void *array, size_t n, size_t size, const struct status_fields *fields,
	      const char *indent, FILE *out)
{
	char *deeper = util_format("%s  ", indent);

	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s\n%s{\n", i > 0 ? "," : "", indent);
		print_fields((const char *)array + i * size, fields, deeper, out);
		fprintf(out, "\n%s}", indent);
	}
	free(deeper);
}

static void
print_notes(const struct status_pool *pool, FILE *out)
{
	char **notes = status_text_notes(pool);

	fputs(",\n      \"notes\": [", out);
	for (size_t i = 0; i < util_list_len(notes); i++) {
		fputs(i > 0 ? ",\n        " : "\n        ", out);
		print_text(notes[i], out);
	}
	fprintf(out, "%s]", util_list_len(notes) > 0 ? "\n      " : "");
	util_list_free(notes);
}

static void
print_pool(const struct status_pool *pool, FILE *out)
{
	fputs("    {\n", out);
	print_fields(pool, &status_pool_fields, "      ", out);
	print_notes(pool, out);
	fputs(",\n      \"workers\": [", out);
	print_objects(pool->workers, pool->n, sizeof(*pool->workers), &status_worker_fields,
		      "        ", out);
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
	fputs(",\n  \"events\": [", out);
	print_objects(doc->events, doc->n_events, sizeof(*doc->events), &status_event_fields,
		      "    ", out);
	fprintf(out, "%s]", doc->n_events > 0 ? "\n  " : "");
	fputs(",\n  \"pools\": [", out);
	for (size_t i = 0; i < doc->n; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		print_pool(&doc->pools[i], out);
	}
	fprintf(out, "%s]\n}\n", doc->n > 0 ? "\n  " : "");
	return ferror(out) ? -1 : 0;
}
