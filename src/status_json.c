#include "status_json.h"

#include "status_text.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { INDENT = 2, DIGITS = 15 /* parts of seconds, without noise behind them */ };

static json_t *
text_of(const char *text)
{
	char *clean = utf8_replace(text);
	json_t *value = json_string(clean);

	free(clean);
	return value;
}

static json_t *
value_of(const void *base, const struct status_field *field)
{
	switch (field->kind) {
	case STATUS_TEXT:
		return text_of(status_field_text(base, field));
	case STATUS_MS:
		return json_real((double)status_field_number(base, field) / 1000);
	case STATUS_US:
		return json_real((double)status_field_number(base, field) / 1000000);
	case STATUS_NUMBER:
	case STATUS_UNKNOWN_IS_MINUS_1:
		break;
	}
	return json_integer(status_field_number(base, field));
}

static json_t *
object_of(const void *base, const struct status_fields *fields)
{
	json_t *object = json_object();

	for (size_t i = 0; i < fields->n; i++)
		json_object_set_new(object, fields->at[i].json, value_of(base, &fields->at[i]));
	return object;
}

static json_t *
pool_of(const struct status_pool *pool)
{
	json_t *object = object_of(pool, &status_pool_fields), *workers = json_array();
	json_t *sentences = json_array();
	char **notes = status_text_notes(pool);

	for (size_t i = 0; i < util_list_len(notes); i++)
		json_array_append_new(sentences, text_of(notes[i]));
	util_list_free(notes);
	json_object_set_new(object, "notes", sentences);
	for (size_t i = 0; i < pool->n; i++)
		json_array_append_new(workers, object_of(&pool->workers[i], &status_worker_fields));
	json_object_set_new(object, "workers", workers);
	return object;
}

int
status_json_print(const struct status_doc *doc, FILE *out)
{
	json_t *root = object_of(doc, &status_daemon_fields), *pools = json_array();
	json_t *reload = object_of(doc, &status_reload_fields), *events = json_array();
	int status;

	if (strcmp(doc->reload_state, "none") == 0)
		json_object_set_new(reload, "ago_s", json_null());
	for (size_t i = 0; i < doc->n; i++)
		json_array_append_new(pools, pool_of(&doc->pools[i]));
	for (size_t i = 0; i < doc->n_events; i++)
		json_array_append_new(events, object_of(&doc->events[i], &status_event_fields));
	json_object_set_new(root, "last_reload", reload);
	json_object_set_new(root, "events", events);
	json_object_set_new(root, "pools", pools);
	status = json_dumpf(root, out, JSON_INDENT(INDENT) | JSON_REAL_PRECISION(DIGITS));
	json_decref(root);
	putc('\n', out);
	return status;
}
