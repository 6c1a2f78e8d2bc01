#include "top_rows.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *
top_order_name(enum top_order order)
{
	static const char *const names[TOP_ORDERS] = {
		[TOP_BY_TIME] = "time in its state",
		[TOP_BY_REQUESTS] = "requests",
		[TOP_BY_AGE] = "age",
		[TOP_BY_PID] = "pid",
		[TOP_BY_POOL] = "pool",
	};

	return names[order];
}

/* What waits stands behind what works, in every order but those of numbers. */
static bool
is_idle(const struct status_worker *worker)
{
	return strcmp(worker->state, "idle") == 0;
}

static int
compare_numbers(int64_t a, int64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* the greatest first */
}

static int
compare(const struct top_row *a, const struct top_row *b, enum top_order order)
{
	int result = 0;

	switch (order) {
	case TOP_BY_TIME:
		result = is_idle(a->worker) - is_idle(b->worker);
		if (result == 0)
			result = compare_numbers(a->worker->since_ms, b->worker->since_ms);
		break;
	case TOP_BY_REQUESTS:
		result = compare_numbers(a->worker->requests, b->worker->requests);
		break;
	case TOP_BY_AGE:
		result = compare_numbers(a->worker->age_ms, b->worker->age_ms);
		break;
	case TOP_BY_POOL:
		result = strcmp(a->pool->name, b->pool->name);
		break;
	case TOP_BY_PID:
	case TOP_ORDERS:
		break;
	}
	return result ? result : -compare_numbers(a->worker->pid, b->worker->pid);
}

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct top_choice *choice = arg;
	int result = compare(a, b, choice->order);

	return choice->reverse ? -result : result;
}

static bool
is_wanted(const struct top_row *row, const struct top_choice *choice)
{
	const struct status_worker *w = row->worker;
	const char *const texts[] = { row->pool->name, w->state, w->client, w->request };

	if (!choice->idle && is_idle(w))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcasestr(texts[i], choice->filter))
			return true;
	return false;
}

struct top_row *
top_rows(const struct status_doc *doc, const struct top_choice *choice, size_t *n)
{
	struct top_row *rows = util_calloc(doc->n_workers + 1, sizeof(*rows));

	*n = 0;
	for (size_t i = 0; i < doc->n; i++)
		for (size_t k = 0; k < doc->pools[i].n; k++) {
			struct top_row row = { &doc->pools[i], &doc->pools[i].workers[k] };

			if (is_wanted(&row, choice))
				rows[(*n)++] = row;
		}
	qsort_r(rows, *n, sizeof(*rows), compare_rows, (void *)(uintptr_t)choice);
	return rows;
}

double
top_rate(const struct status_pool *now, const struct status_doc *before, int64_t ms)
{
	for (size_t i = 0; before && ms > 0 && i < before->n; i++) {
		const struct status_pool *then = &before->pools[i];

		if (strcmp(then->name, now->name) == 0 && now->accepted >= then->accepted)
			return (double)(now->accepted - then->accepted) * 1000 / (double)ms;
	}
	return -1;
}
