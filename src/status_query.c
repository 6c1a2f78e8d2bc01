#include "status_query.h"

#include "ctl_client.h"

#include <stdlib.h>
#include <string.h>

struct query {
	struct status_doc *doc;
	char *const *pools;
};

static bool
is_wanted(char *const *pools, const char *name)
{
	for (; pools && *pools; pools++)
		if (name && strcmp(*pools, name) == 0)
			return true;
	return false;
}

static int
take(void *arg, const struct control_record *record, char **err)
{
	const struct query *query = arg;
	bool of_pool = strcmp(record->kind, "pool") == 0;
	const char *name = control_record_get(record, of_pool ? "name" : "pool");

	if (query->pools && name && !is_wanted(query->pools, name))
		return 0;
	return status_doc_add(query->doc, record, err);
}

struct status_doc *
status_query(const char *socket, char *const *pools, int64_t timeout_ms, char **err)
{
	struct query query = { .doc = status_doc_new(), .pools = pools };
	struct ctl_request request = {
		.socket = socket,
		.line = "status\n",
		.timeout_ms = timeout_ms,
		.take = take,
		.arg = &query,
	};
	char *text = NULL;

	if (ctl_client_ask(&request, &text) == CTL_DONE && status_doc_check(query.doc, err) == 0) {
		free(text);
		return query.doc;
	}
	if (!*err)
		*err = text;
	else
		free(text);
	status_doc_free(query.doc);
	return NULL;
}

/* A reload has dropped it: who stops wholly says so of the daemon. */
static bool
is_dropped(const struct status_pool *pool)
{
	return strcmp(pool->state, "stopping") == 0;
}

bool
status_is_ready(const struct status_doc *doc, char **why)
{
	*why = NULL;
	if (strcmp(doc->state, "running") != 0)
		*why = util_format("preforkd is %s", doc->state);
	for (size_t i = 0; i < doc->n && !*why; i++) {
		const struct status_pool *pool = &doc->pools[i];

		if (is_dropped(pool))
			continue;
		if (strcmp(pool->state, "running") != 0)
			*why = util_format("pool %s is %s", pool->name, pool->state);
		else if (pool->idle + pool->busy < pool->min_ready)
			*why = util_format("pool %s has %lld of %lld workers", pool->name,
					   (long long)(pool->idle + pool->busy),
					   (long long)pool->min_ready);
	}
	return !*why;
}

bool
status_is_draining(const struct status_doc *doc)
{
	if (strcmp(doc->state, "stopping") == 0)
		return true;
	for (size_t i = 0; i < doc->n; i++)
		if (strncmp(doc->pools[i].state, "drain", 5) == 0)
			return true;
	return false;
}

int
status_idle_percent(const struct status_doc *doc)
{
	int64_t least = 100;

	for (size_t i = 0; i < doc->n; i++) {
		const struct status_pool *pool = &doc->pools[i];
		int64_t max = util_max(pool->max_workers, 1);

		if (is_dropped(pool) || strcmp(pool->service, "status") == 0)
			continue; /* of the latter, one worker is asking */
		least = util_min(least, 100 * util_max(max - pool->busy, 0) / max);
	}
	return (int)util_max(least, 1);
}
