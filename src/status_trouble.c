#include "status_trouble.h"

#include "status_text.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	SHOWN_EVENTS = 8,
	LEAVING_MS = 1000, /* who takes longer is worth a word */
};

/* Takes the text over. */
static void
put_line(char *text, bool *first, FILE *out)
{
	char *clean = utf8_printable(text);

	fprintf(out, "%s%s\n", *first ? "\n" : "", clean);
	*first = false;
	free(clean);
	free(text);
}

static bool
is_in(const struct status_worker *w, const char *const *states)
{
	for (; *states; states++)
		if (strcmp(w->state, *states) == 0)
			return true;
	return false;
}

/* The one that is longest in one of these states, and how many there are. */
static const struct status_worker *
longest(const struct status_pool *pool, const char *const *states, int64_t least_ms, size_t *n)
{
	const struct status_worker *found = NULL;

	*n = 0;
	for (size_t i = 0; i < pool->n; i++) {
		const struct status_worker *w = &pool->workers[i];

		if (!is_in(w, states) || w->since_ms < least_ms)
			continue;
		++*n;
		if (!found || w->since_ms > found->since_ms)
			found = w;
	}
	return found;
}

static void
print_request(const struct status_pool *pool, bool *first, FILE *out)
{
	static const char *const states[] = { "busy", "reading", "writing", NULL };
	bool full = pool->idle + pool->starting == 0 && pool->busy >= pool->max_workers;
	const struct status_worker *w;
	char *span;
	size_t n;

	if (pool->saturated_ms == 0 && !full)
		return;
	w = longest(pool, states, 0, &n);
	if (!w)
		return;
	span = status_text_span(w->since_ms);
	put_line(util_format("pool %s: longest request: worker %" PRId64 ", client %s, for %s%s%s",
			     pool->name, w->pid, w->client[0] ? w->client : "-", span,
			     w->request[0] ? ": " : "", w->request),
		 first, out);
	free(span);
}

static void
print_leaving(const struct status_pool *pool, bool *first, FILE *out)
{
	static const char *const states[] = { "draining", "killed", NULL };
	const struct status_worker *w;
	char *span;
	size_t n;

	w = longest(pool, states, LEAVING_MS, &n);
	if (!w)
		return;
	span = status_text_span(w->since_ms);
	put_line(util_format("pool %s: %zu old worker%s still at work; longest: worker %" PRId64
			     " (%s for %s), client %s%s%s",
			     pool->name, n, n == 1 ? " is" : "s are", w->pid, w->state, span,
			     w->client[0] ? w->client : "-", w->request[0] ? ": " : "", w->request),
		 first, out);
	free(span);
}

static void
print_log(const struct status_doc *doc, bool *first, FILE *out)
{
	char *span;

	if (doc->log_lost <= 0)
		return;
	span = status_text_span(doc->log_lost_ago_ms);
	put_line(util_format("the log lacks %" PRId64 " line%s, the last one %s ago: %s",
			     doc->log_lost, util_plural((uint64_t)doc->log_lost), span,
			     doc->log_lost_why),
		 first, out);
	free(span);
}

void
status_trouble_print(const struct status_doc *doc, bool *first, FILE *out)
{
	for (size_t i = 0; i < doc->n; i++) {
		print_request(&doc->pools[i], first, out);
		print_leaving(&doc->pools[i], first, out);
	}
	print_log(doc, first, out);
}

static int
younger(const void *a, const void *b)
{
	const struct status_event *x = *(const struct status_event *const *)a;
	const struct status_event *y = *(const struct status_event *const *)b;

	return (x->ago_ms > y->ago_ms) - (x->ago_ms < y->ago_ms);
}

void
status_trouble_print_events(const struct status_doc *doc, FILE *out)
{
	const struct status_event *events[STATUS_EVENTS];

	if (doc->n_events == 0)
		return;
	for (size_t i = 0; i < doc->n_events; i++)
		events[i] = &doc->events[i];
	qsort(events, doc->n_events, sizeof(*events), younger);
	fputs("\nlast events:\n", out);
	for (size_t i = 0; i < doc->n_events && i < SHOWN_EVENTS; i++) {
		char *span = status_text_span(events[i]->ago_ms);
		const char *pool = events[i]->pool;
		char *line = util_format("%8s ago  %s%s%s%s", span, pool[0] ? "pool " : "", pool,
					 pool[0] ? ": " : "", events[i]->text);
		char *clean = utf8_printable(line);

		fprintf(out, "%s\n", clean);
		free(clean);
		free(line);
		free(span);
	}
}
