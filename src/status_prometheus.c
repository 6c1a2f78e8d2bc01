#include "status_prometheus.h"

#include "status_figures.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define POOL(member) offsetof(struct status_pool, member)

/* Metrics that are one number of each pool. */
static const struct metric {
	const char *name, *type, *help;
	size_t offset;
	enum status_kind kind;
} pool_metrics[] = {
	{ "preforkd_workers_limit", "gauge", "Workers that the pool may have at most.",
	  POOL(max_workers), STATUS_NUMBER },
	{ "preforkd_accept_queue_length", "gauge", "Connections that wait for a worker.",
	  POOL(queue_length), STATUS_UNKNOWN_IS_MINUS_1 },
	{ "preforkd_accept_queue_limit", "gauge", "Connections that could wait at most.",
	  POOL(queue_limit), STATUS_UNKNOWN_IS_MINUS_1 },
	{ "preforkd_saturated_seconds", "gauge",
	  "For how long all workers have been busy, with no more allowed; 0 if they are not.",
	  POOL(saturated_ms), STATUS_MS },
	{ "preforkd_backoff_seconds", "gauge",
	  "Until workers are started again, after they did not stay alive; 0 if they did.",
	  POOL(next_try_ms), STATUS_MS },
	{ "preforkd_connections_total", "counter", "Connections accepted.", POOL(accepted),
	  STATUS_NUMBER },
	{ "preforkd_requests_total", "counter", "Requests begun.", POOL(requests), STATUS_NUMBER },
	{ "preforkd_request_timeouts_total", "counter",
	  "Requests ended by request_timeout, and by max_time and idle_timeout of exec.",
	  POOL(timed_out), STATUS_NUMBER },
	{ "preforkd_received_bytes_total", "counter", "Bytes received from clients.",
	  POOL(bytes_in), STATUS_NUMBER },
	{ "preforkd_sent_bytes_total", "counter", "Bytes sent to clients.", POOL(bytes_out),
	  STATUS_NUMBER },
	{ "preforkd_keepalives_given_way_total", "counter",
	  "Kept connections closed because others waited.", POOL(given_way), STATUS_NUMBER },
	{ "preforkd_worker_respawns_total", "counter", "Workers started in place of others.",
	  POOL(respawns), STATUS_NUMBER },
};

static const char *const pool_states[] = { "running", "backed off", "draining", "drained",
					   "stopping" };

static int64_t
number_of(const struct status_pool *pool, size_t offset)
{
	return *(const int64_t *)((const char *)pool + offset);
}

static void
begin(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/*
 * As status_text shows it, so that no two names of pools become one and the answer is
 * fit for a terminal; then as the format wants it.
 */
static void
put_label(FILE *out, const char *label, const char *value)
{
	char *clean = utf8_printable(value);

	fprintf(out, "%s=\"", label);
	for (const char *p = clean; *p; p++) {
		if (*p == '\\' || *p == '"')
			putc('\\', out);
		putc(*p, out);
	}
	putc('"', out);
	free(clean);
}

/* NAME{pool="...",LABEL="VALUE"}, and a blank; label may be NULL. */
static void
put_series(FILE *out, const char *name, const struct status_pool *pool, const char *label,
	   const char *value)
{
	fprintf(out, "%s{", name);
	put_label(out, "pool", pool->name);
	if (label) {
		putc(',', out);
		put_label(out, label, value);
	}
	fputs("} ", out);
}

static void
put_count(FILE *out, const char *name, const struct status_pool *pool, const char *label,
	  const char *value, int64_t n)
{
	put_series(out, name, pool, label, value);
	fprintf(out, "%" PRId64 "\n", n);
}

static void
put_number(FILE *out, int64_t n, enum status_kind kind)
{
	if (kind == STATUS_MS || kind == STATUS_US)
		fprintf(out, "%.15g\n", (double)n / (kind == STATUS_MS ? 1e3 : 1e6));
	else
		fprintf(out, "%" PRId64 "\n", n);
}

/* The nearest second: what is computed from two clocks must not flicker. */
static int64_t
seconds(int64_t ms)
{
	return (ms + 500) / 1000;
}

/* A daemon that does not say it has only the last outcome, whatever that was of. */
static bool
is_file_refused(const struct status_doc *doc)
{
	return doc->config_refused < 0 ? strcmp(doc->reload_state, "refused") == 0
				       : doc->config_refused > 0;
}

static void
print_daemon(const struct status_doc *doc, int64_t now_ms, FILE *out)
{
	begin(out, "preforkd_build_info", "gauge", "The version that runs; always 1.");
	fputs("preforkd_build_info{", out);
	put_label(out, "version", doc->version);
	fputs("} 1\n", out);
	begin(out, "preforkd_start_time_seconds", "gauge", "When the daemon started, since 1970.");
	fprintf(out, "preforkd_start_time_seconds %" PRId64 "\n", seconds(now_ms - doc->uptime_ms));
	begin(out, "preforkd_generation", "gauge", "Configurations that took effect.");
	fprintf(out, "preforkd_generation %" PRId64 "\n", doc->generation);
	begin(out, "preforkd_max_workers", "gauge", "Workers that all pools may have at most.");
	fprintf(out, "preforkd_max_workers %" PRId64 "\n", doc->max_workers);
	begin(out, "preforkd_last_reload_successful", "gauge",
	      "0 if the configuration file was refused when it was last read, else 1.");
	fprintf(out, "preforkd_last_reload_successful %d\n", !is_file_refused(doc));
	if (strcmp(doc->reload_state, "done") != 0 && strcmp(doc->reload_state, "refused") != 0)
		return;
	begin(out, "preforkd_last_reload_timestamp_seconds", "gauge",
	      "When the last reload, recycling, resuming or upgrade ended, since 1970.");
	fprintf(out, "preforkd_last_reload_timestamp_seconds %" PRId64 "\n",
		seconds(now_ms - doc->reload_ago_ms));
}

static void
print_pool_state(const struct status_doc *doc, FILE *out)
{
	begin(out, "preforkd_pool_info", "gauge", "What the pool is; always 1.");
	for (size_t i = 0; i < doc->n; i++) {
		fputs("preforkd_pool_info{", out);
		put_label(out, "pool", doc->pools[i].name);
		putc(',', out);
		put_label(out, "service", doc->pools[i].service);
		putc(',', out);
		put_label(out, "listen", doc->pools[i].listen);
		fputs("} 1\n", out);
	}
	begin(out, "preforkd_pool_state", "gauge", "1 for the state that the pool is in, else 0.");
	for (size_t i = 0; i < doc->n; i++)
		for (size_t k = 0; k < ARRAY_LEN(pool_states); k++)
			put_count(out, "preforkd_pool_state", &doc->pools[i], "state",
				  pool_states[k], strcmp(doc->pools[i].state, pool_states[k]) == 0);
}

static void
count_workers(const struct status_pool *pool, int64_t *n)
{
	for (size_t i = 0; i < pool->n; i++)
		n[status_state_find(pool->workers[i].state)]++;
}

/* With those of the pools that have left their name to another one. */
static void
print_workers(const struct status_doc *doc, const struct status_doc *left, FILE *out)
{
	begin(out, "preforkd_workers", "gauge", "Workers by what they do.");
	for (size_t i = 0; i < doc->n; i++) {
		const struct status_pool *pool = &doc->pools[i];
		int64_t n[STATUS_STATES] = { 0 };

		count_workers(pool, n);
		for (size_t k = 0; k < left->n; k++)
			if (strcmp(left->pools[k].name, pool->name) == 0)
				count_workers(&left->pools[k], n);
		for (size_t k = 0; k < STATUS_STATES; k++)
			put_count(out, "preforkd_workers", pool, "state", status_states[k].name,
				  n[k]);
	}
}

static void
print_metrics(const struct status_doc *doc, FILE *out)
{
	for (size_t i = 0; i < ARRAY_LEN(pool_metrics); i++) {
		const struct metric *m = &pool_metrics[i];

		begin(out, m->name, m->type, m->help);
		for (size_t k = 0; k < doc->n; k++) {
			int64_t n = number_of(&doc->pools[k], m->offset);

			if (m->kind == STATUS_UNKNOWN_IS_MINUS_1 && n < 0)
				continue;
			put_series(out, m->name, &doc->pools[k], NULL, NULL);
			put_number(out, n, m->kind);
		}
	}
}

static void
print_reasons(const struct status_doc *doc, const char *name, const char *help,
	      const struct status_reasons *reasons, FILE *out)
{
	begin(out, name, "counter", help);
	for (size_t i = 0; i < doc->n; i++)
		for (size_t k = 0; k < reasons->n; k++)
			put_count(out, name, &doc->pools[i], "reason", reasons->at[k].name,
				  status_reason_count(&doc->pools[i], &reasons->at[k]));
}

static void
print_durations(const struct status_doc *doc, FILE *out)
{
	begin(out, "preforkd_request_duration_seconds", "histogram",
	      "Time in service of requests.");
	for (size_t i = 0; i < doc->n; i++) {
		const struct status_pool *pool = &doc->pools[i];
		struct status_durations d;

		if (!status_durations_parse(&d, pool->durations))
			continue;
		for (size_t k = 0; k < d.n; k++) {
			char le[32] = "+Inf";

			if (d.le_us[k] < INT64_MAX)
				snprintf(le, sizeof(le), "%.15g", (double)d.le_us[k] / 1e6);
			put_count(out, "preforkd_request_duration_seconds_bucket", pool, "le", le,
				  d.count[k]);
		}
		put_series(out, "preforkd_request_duration_seconds_sum", pool, NULL, NULL);
		put_number(out, pool->duration_sum_us, STATUS_US);
		put_count(out, "preforkd_request_duration_seconds_count", pool, NULL, NULL,
			  d.count[d.n - 1]);
	}
}

static bool
is_stopping(const struct status_pool *pool)
{
	return strcmp(pool->state, "stopping") == 0;
}

/* A reload has dropped it, and the next one has brought it back before its workers had left. */
static bool
has_heir(const struct status_doc *doc, const struct status_pool *pool)
{
	if (!is_stopping(pool))
		return false;
	for (const struct status_pool *p = doc->pools; p < doc->pools + doc->n; p++)
		if (p != pool && strcmp(p->name, pool->name) == 0 && (p > pool || !is_stopping(p)))
			return true;
	return false;
}

/* No series may stand there twice: pools of one name are one, and have the same counters. */
void
status_prometheus_print(const struct status_doc *doc, int64_t now_ms, FILE *out)
{
	struct status_doc shown = { .n = 0 }, left = { .n = 0 };

	shown.pools = util_calloc(doc->n + 1, sizeof(*shown.pools));
	left.pools = util_calloc(doc->n + 1, sizeof(*left.pools));
	for (size_t i = 0; i < doc->n; i++) {
		struct status_doc *to = has_heir(doc, &doc->pools[i]) ? &left : &shown;

		to->pools[to->n++] = doc->pools[i];
	}
	print_daemon(doc, now_ms, out);
	print_pool_state(&shown, out);
	print_workers(&shown, &left, out);
	print_metrics(&shown, out);
	print_reasons(&shown, "preforkd_refused_total", "Connections closed unserved, by reason.",
		      &status_refusals, out);
	print_reasons(&shown, "preforkd_worker_deaths_total",
		      "Workers that died unasked, by reason.", &status_deaths, out);
	print_durations(&shown, out);
	free(shown.pools);
	free(left.pools);
}
