/*
 * The answer to "status" as data: records go in one by one, and what comes out is owned
 * by the document, bounded in number, and knows nothing of how it is shown.
 *
 * The tables of fields are the one place that says which key of a record is which member;
 * the JSON document has the same fields in the same order.  Keys that are not in them are
 * ignored; members whose key is missing are 0, or -1 if that means "unknown", or "".
 */
#ifndef PREFORKD_STATUS_DOC_H
#define PREFORKD_STATUS_DOC_H

#include "control_proto.h"

#define STATUS_POOLS   65536
#define STATUS_WORKERS 262144
#define STATUS_EVENTS  1024

struct status_worker {
	char *state, *client, *request;
	int64_t pid, slot, generation, requests, age_ms, since_ms, program, bytes_in, bytes_out;
};

struct status_pool {
	char *name, *service, *listen, *state, *last_failure;
	int64_t idle, busy, kept, starting, draining, total, max_workers;
	int64_t accepted, queue_length, queue_limit, crashes, respawns, generation, shed;
	int64_t next_try_ms, saturated_ms, extra, min_ready;
	int64_t requests, bytes_in, bytes_out, given_way, timed_out;
	int64_t refused_access, refused_times, refused_load, refused_source, refused_proxy;
	int64_t delayed;
	int64_t died_exit, died_signal, died_oom, died_boot;
	int64_t p50_us, p90_us, p99_us, max_us, duration_sum_us;
	char *durations, *history; /* see status_figures.h */
	struct status_worker *workers;
	size_t n;
};

/* A death, a refused reload, a back-off, ...: the last few of them. */
struct status_event {
	int64_t ago_ms;
	char *pool, *kind, *text;
};

struct status_doc {
	char *version, *config_file, *state, *reload_what, *reload_state, *reload_text;
	char *log_lost_why;
	int64_t pid, uptime_ms, generation, workers, max_workers, reload_ago_ms;
	int64_t config_refused; /* 1: config_file has what does not work, and is not in force */
	int64_t log_lost, log_lost_ago_ms; /* lines that the log lacks, and the last one's age */
	struct status_event *events;
	struct status_pool *pools;
	size_t n, n_workers, n_events;
};

enum status_kind {
	STATUS_TEXT,
	STATUS_NUMBER,
	STATUS_UNKNOWN_IS_MINUS_1,
	STATUS_MS,
	STATUS_US,
};

struct status_field {
	const char *key;  /* of the record */
	const char *json; /* of the document, there in seconds if it is STATUS_MS or _US */
	enum status_kind kind;
	size_t offset;
};

struct status_fields {
	const struct status_field *at;
	size_t n;
};

extern const struct status_fields status_daemon_fields, status_reload_fields, status_event_fields,
    status_pool_fields, status_worker_fields;

const char *status_field_text(const void *base, const struct status_field *field);
int64_t status_field_number(const void *base, const struct status_field *field);

struct status_doc *status_doc_new(void);
void status_doc_free(struct status_doc *doc);

/* -1 with *err: too many, or a worker that does not stand behind its pool. */
int status_doc_add(struct status_doc *doc, const struct control_record *record, char **err);

/* -1 with *err: no daemon said anything. */
int status_doc_check(const struct status_doc *doc, char **err);

#endif
