#include "status_doc.h"

#include <stdlib.h>
#include <string.h>

#define DAEMON(member) offsetof(struct status_doc, member)
#define EVENT(member)  offsetof(struct status_event, member)
#define POOL(member)   offsetof(struct status_pool, member)
#define WORKER(member) offsetof(struct status_worker, member)

static const struct status_field daemon_fields[] = {
	{ "version", "version", STATUS_TEXT, DAEMON(version) },
	{ "pid", "pid", STATUS_NUMBER, DAEMON(pid) },
	{ "uptime_ms", "uptime_s", STATUS_MS, DAEMON(uptime_ms) },
	{ "generation", "generation", STATUS_NUMBER, DAEMON(generation) },
	{ "config_file", "config_file", STATUS_TEXT, DAEMON(config_file) },
	{ "config_refused", "config_refused", STATUS_UNKNOWN_IS_MINUS_1, DAEMON(config_refused) },
	{ "state", "state", STATUS_TEXT, DAEMON(state) },
	{ "workers", "workers", STATUS_NUMBER, DAEMON(workers) },
	{ "max_workers", "max_workers", STATUS_NUMBER, DAEMON(max_workers) },
	{ "log_lost", "log_lost", STATUS_NUMBER, DAEMON(log_lost) },
	{ "log_lost_ago_ms", "log_lost_ago_s", STATUS_MS, DAEMON(log_lost_ago_ms) },
	{ "log_lost_why", "log_lost_why", STATUS_TEXT, DAEMON(log_lost_why) },
};

static const struct status_field reload_fields[] = {
	{ "reload_what", "what", STATUS_TEXT, DAEMON(reload_what) },
	{ "reload_state", "state", STATUS_TEXT, DAEMON(reload_state) },
	{ "reload_text", "text", STATUS_TEXT, DAEMON(reload_text) },
	{ "reload_ago_ms", "ago_s", STATUS_MS, DAEMON(reload_ago_ms) },
};

static const struct status_field event_fields[] = {
	{ "ago_ms", "ago_s", STATUS_MS, EVENT(ago_ms) },
	{ "pool", "pool", STATUS_TEXT, EVENT(pool) },
	{ "kind", "kind", STATUS_TEXT, EVENT(kind) },
	{ "text", "text", STATUS_TEXT, EVENT(text) },
};

static const struct status_field pool_fields[] = {
	{ "name", "name", STATUS_TEXT, POOL(name) },
	{ "service", "service", STATUS_TEXT, POOL(service) },
	{ "listen", "listen", STATUS_TEXT, POOL(listen) },
	{ "state", "state", STATUS_TEXT, POOL(state) },
	{ "idle", "idle", STATUS_NUMBER, POOL(idle) },
	{ "busy", "busy", STATUS_NUMBER, POOL(busy) },
	{ "kept", "kept", STATUS_NUMBER, POOL(kept) },
	{ "starting", "starting", STATUS_NUMBER, POOL(starting) },
	{ "draining", "draining", STATUS_NUMBER, POOL(draining) },
	{ "total", "total", STATUS_NUMBER, POOL(total) },
	{ "max_workers", "max_workers", STATUS_NUMBER, POOL(max_workers) },
	{ "accepted", "accepted", STATUS_NUMBER, POOL(accepted) },
	{ "queue_length", "queue_length", STATUS_UNKNOWN_IS_MINUS_1, POOL(queue_length) },
	{ "queue_limit", "queue_limit", STATUS_UNKNOWN_IS_MINUS_1, POOL(queue_limit) },
	{ "crashes", "crashes", STATUS_NUMBER, POOL(crashes) },
	{ "respawns", "respawns", STATUS_NUMBER, POOL(respawns) },
	{ "generation", "generation", STATUS_NUMBER, POOL(generation) },
	{ "shed", "shed", STATUS_NUMBER, POOL(shed) },
	{ "refused_access", "refused_access", STATUS_NUMBER, POOL(refused_access) },
	{ "refused_times", "refused_times", STATUS_NUMBER, POOL(refused_times) },
	{ "refused_load", "refused_load", STATUS_NUMBER, POOL(refused_load) },
	{ "refused_source", "refused_source", STATUS_NUMBER, POOL(refused_source) },
	{ "refused_proxy", "refused_proxy", STATUS_NUMBER, POOL(refused_proxy) },
	{ "delayed", "delayed", STATUS_NUMBER, POOL(delayed) },
	{ "next_try_ms", "next_try_ms", STATUS_NUMBER, POOL(next_try_ms) },
	{ "last_failure", "last_failure", STATUS_TEXT, POOL(last_failure) },
	{ "saturated_ms", "saturated_ms", STATUS_NUMBER, POOL(saturated_ms) },
	{ "extra", "extra", STATUS_NUMBER, POOL(extra) },
	{ "min_ready", "min_ready", STATUS_NUMBER, POOL(min_ready) },
	{ "requests", "requests", STATUS_NUMBER, POOL(requests) },
	{ "bytes_in", "bytes_in", STATUS_NUMBER, POOL(bytes_in) },
	{ "bytes_out", "bytes_out", STATUS_NUMBER, POOL(bytes_out) },
	{ "given_way", "given_way", STATUS_NUMBER, POOL(given_way) },
	{ "timed_out", "timed_out", STATUS_NUMBER, POOL(timed_out) },
	{ "died_exit", "died_exit", STATUS_NUMBER, POOL(died_exit) },
	{ "died_signal", "died_signal", STATUS_NUMBER, POOL(died_signal) },
	{ "died_oom", "died_oom", STATUS_NUMBER, POOL(died_oom) },
	{ "died_boot", "died_boot", STATUS_NUMBER, POOL(died_boot) },
	{ "p50_us", "p50_s", STATUS_US, POOL(p50_us) },
	{ "p90_us", "p90_s", STATUS_US, POOL(p90_us) },
	{ "p99_us", "p99_s", STATUS_US, POOL(p99_us) },
	{ "max_us", "max_s", STATUS_US, POOL(max_us) },
	{ "durations", "durations", STATUS_TEXT, POOL(durations) },
	{ "duration_sum_us", "duration_sum_s", STATUS_US, POOL(duration_sum_us) },
	{ "history", "history", STATUS_TEXT, POOL(history) },
};

static const struct status_field worker_fields[] = {
	{ "pid", "pid", STATUS_NUMBER, WORKER(pid) },
	{ "slot", "slot", STATUS_NUMBER, WORKER(slot) },
	{ "generation", "generation", STATUS_NUMBER, WORKER(generation) },
	{ "state", "state", STATUS_TEXT, WORKER(state) },
	{ "requests", "requests", STATUS_NUMBER, WORKER(requests) },
	{ "age_ms", "age_s", STATUS_MS, WORKER(age_ms) },
	{ "since_ms", "state_since_ms", STATUS_NUMBER, WORKER(since_ms) },
	{ "client", "client", STATUS_TEXT, WORKER(client) },
	{ "request", "request", STATUS_TEXT, WORKER(request) },
	{ "program", "program", STATUS_NUMBER, WORKER(program) },
	{ "bytes_in", "bytes_in", STATUS_NUMBER, WORKER(bytes_in) },
	{ "bytes_out", "bytes_out", STATUS_NUMBER, WORKER(bytes_out) },
};

const struct status_fields status_daemon_fields = { daemon_fields, ARRAY_LEN(daemon_fields) };
const struct status_fields status_reload_fields = { reload_fields, ARRAY_LEN(reload_fields) };
const struct status_fields status_event_fields = { event_fields, ARRAY_LEN(event_fields) };
const struct status_fields status_pool_fields = { pool_fields, ARRAY_LEN(pool_fields) };
const struct status_fields status_worker_fields = { worker_fields, ARRAY_LEN(worker_fields) };

const char *
status_field_text(const void *base, const struct status_field *field)
{
	return *(char *const *)((const char *)base + field->offset);
}

int64_t
status_field_number(const void *base, const struct status_field *field)
{
	return *(const int64_t *)((const char *)base + field->offset);
}

static void
set_text(void *base, const struct status_field *field, const char *text)
{
	char **at = (char **)((char *)base + field->offset);

	free(*at);
	*at = util_strdup(text);
}

/* No further than a reader of JSON, or a sum, can count exactly. */
static int64_t
number_of(const struct control_record *record, const struct status_field *field)
{
	const int64_t far = INT64_C(1) << 53;
	int64_t n = control_record_get_number(record, field->key,
					      field->kind == STATUS_UNKNOWN_IS_MINUS_1 ? -1 : 0);

	return util_min(util_max(n, -far), far);
}

/* A NULL record sets what a missing key stands for. */
static void
fill(void *base, const struct status_fields *fields, const struct control_record *record)
{
	static const struct control_record nothing;

	if (!record)
		record = &nothing;
	for (size_t i = 0; i < fields->n; i++) {
		const struct status_field *f = &fields->at[i];
		const char *text = control_record_get(record, f->key);

		if (f->kind == STATUS_TEXT)
			set_text(base, f, text ? text : "");
		else
			*(int64_t *)((char *)base + f->offset) = number_of(record, f);
	}
}

static void
empty(void *base, const struct status_fields *fields)
{
	for (size_t i = 0; i < fields->n; i++)
		if (fields->at[i].kind == STATUS_TEXT)
			set_text(base, &fields->at[i], NULL);
}

/* Room for one more, cleared: at each power of two the array is made twice as long. */
static void *
grow(void *array, size_t n, size_t size)
{
	if ((n & (n - 1)) == 0)
		array = util_realloc(array, n ? 2 * n : 1, size);
	memset((char *)array + n * size, 0, size);
	return array;
}

static int
add_event(struct status_doc *doc, const struct control_record *record, char **err)
{
	if (doc->n_events == STATUS_EVENTS)
		return util_fail(err, "the answer has more than %d events", STATUS_EVENTS);
	doc->events = grow(doc->events, doc->n_events, sizeof(*doc->events));
	fill(&doc->events[doc->n_events++], &status_event_fields, record);
	return 0;
}

static int
add_pool(struct status_doc *doc, const struct control_record *record, char **err)
{
	if (doc->n == STATUS_POOLS)
		return util_fail(err, "the answer has more than %d pools", STATUS_POOLS);
	doc->pools = grow(doc->pools, doc->n, sizeof(*doc->pools));
	fill(&doc->pools[doc->n++], &status_pool_fields, record);
	return 0;
}

static int
add_worker(struct status_doc *doc, const struct control_record *record, char **err)
{
	struct status_pool *pool = doc->n > 0 ? &doc->pools[doc->n - 1] : NULL;
	const char *name = control_record_get(record, "pool");

	if (doc->n_workers == STATUS_WORKERS)
		return util_fail(err, "the answer has more than %d workers", STATUS_WORKERS);
	if (!pool || !name || strcmp(name, pool->name) != 0)
		return util_fail(err, "the answer has a worker that is not behind its pool");
	pool->workers = grow(pool->workers, pool->n, sizeof(*pool->workers));
	fill(&pool->workers[pool->n++], &status_worker_fields, record);
	doc->n_workers++;
	return 0;
}

int
status_doc_add(struct status_doc *doc, const struct control_record *record, char **err)
{
	if (strcmp(record->kind, "pool") == 0)
		return add_pool(doc, record, err);
	if (strcmp(record->kind, "worker") == 0)
		return add_worker(doc, record, err);
	if (strcmp(record->kind, "event") == 0)
		return add_event(doc, record, err);
	if (strcmp(record->kind, "daemon") == 0) {
		fill(doc, &status_daemon_fields, record);
		fill(doc, &status_reload_fields, record);
	}
	return 0;
}

int
status_doc_check(const struct status_doc *doc, char **err)
{
	return doc->version[0] ? 0 : util_fail(err, "the answer says nothing of the daemon");
}

struct status_doc *
status_doc_new(void)
{
	struct status_doc *doc = util_calloc(1, sizeof(*doc));

	fill(doc, &status_daemon_fields, NULL);
	fill(doc, &status_reload_fields, NULL);
	return doc;
}

void
status_doc_free(struct status_doc *doc)
{
	for (size_t i = 0; i < doc->n; i++) {
		struct status_pool *pool = &doc->pools[i];

		for (size_t k = 0; k < pool->n; k++)
			empty(&pool->workers[k], &status_worker_fields);
		free(pool->workers);
		empty(pool, &status_pool_fields);
	}
	free(doc->pools);
	for (size_t i = 0; i < doc->n_events; i++)
		empty(&doc->events[i], &status_event_fields);
	free(doc->events);
	empty(doc, &status_daemon_fields);
	empty(doc, &status_reload_fields);
	free(doc);
}
