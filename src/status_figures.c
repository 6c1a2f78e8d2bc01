#include "status_figures.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct status_state status_states[STATUS_STATES] = {
	{ "idle", "I", "idle" },
	{ "running", "P", "running a program that accepts" },
	{ "waiting", "T", "waiting for its turn or a header" },
	{ "reading", "R", "reading a request" },
	{ "busy", "B", "busy, working" },
	{ "writing", "W", "writing an answer" },
	{ "keepalive", "K", "keeping a connection" },
	{ "closing", "C", "closing a connection" },
	{ "starting", "S", "starting" },
	{ "held", "H", "started, held for a reload" },
	{ "draining", "D", "draining" },
	{ "killed", "X", "killed, about to end" },
	{ "unknown", "?", "something else" },
};

#define POOL(member) offsetof(struct status_pool, member)

static const struct status_reason refusals[] = {
	{ "access", POOL(refused_access) }, { "source", POOL(refused_source) },
	{ "times", POOL(refused_times) },   { "load", POOL(refused_load) },
	{ "proxy", POOL(refused_proxy) },   { "queue_wait", POOL(shed) },
};

/* "unknown" is what the others leave of the sum. */
static const struct status_reason deaths[] = {
	{ "exit", POOL(died_exit) }, { "signal", POOL(died_signal) }, { "oom", POOL(died_oom) },
	{ "boot", POOL(died_boot) }, { "unknown", POOL(crashes) },
};

const struct status_reasons status_refusals = { refusals, ARRAY_LEN(refusals) };
const struct status_reasons status_deaths = { deaths, ARRAY_LEN(deaths) };

int64_t
status_reason_count(const struct status_pool *pool, const struct status_reason *reason)
{
	int64_t n = *(const int64_t *)((const char *)pool + reason->offset);

	if (reason->offset != POOL(crashes))
		return n;
	for (size_t i = 0; deaths[i].offset != POOL(crashes); i++)
		n -= status_reason_count(pool, &deaths[i]);
	return util_max(n, 0);
}

size_t
status_state_find(const char *name)
{
	size_t i = 0;

	while (i < STATUS_STATES - 1 && strcmp(status_states[i].name, name) != 0)
		i++;
	return i;
}

/* Digits, and behind them the end, which is taken too. */
static bool
take(const char **text, int64_t *n, char end)
{
	char *rest;

	if (!isdigit((unsigned char)**text))
		return false;
	errno = 0;
	*n = strtoll(*text, &rest, 10);
	*text = rest + 1;
	return errno == 0 && *rest == end;
}

static bool
take_bound(const char **text, int64_t *le_us)
{
	static const char last[] = "inf:";

	if (strncmp(*text, last, sizeof(last) - 1) != 0)
		return take(text, le_us, ':') && *le_us < INT64_MAX;
	*text += sizeof(last) - 1;
	*le_us = INT64_MAX;
	return true;
}

static bool
parse_durations(struct status_durations *d, const char *text)
{
	for (d->n = 0; d->n < STATUS_BOUNDS;) {
		size_t i = d->n++;

		if (!take_bound(&text, &d->le_us[i]) ||
		    !take(&text, &d->count[i], d->le_us[i] == INT64_MAX ? '\0' : ','))
			return false;
		if (i > 0 && (d->le_us[i] <= d->le_us[i - 1] || d->count[i] < d->count[i - 1]))
			return false;
		if (d->le_us[i] == INT64_MAX)
			return true;
	}
	return false;
}

bool
status_durations_parse(struct status_durations *d, const char *text)
{
	bool right = parse_durations(d, text);

	if (!right)
		d->n = 0;
	return right;
}

static void
add_step(struct status_history *h, int64_t busy, int64_t queue, int64_t requests)
{
	if (h->n == STATUS_STEPS) {
		h->n--;
		memmove(h->busy, h->busy + 1, h->n * sizeof(*h->busy));
		memmove(h->queue, h->queue + 1, h->n * sizeof(*h->queue));
		memmove(h->requests, h->requests + 1, h->n * sizeof(*h->requests));
	}
	h->busy[h->n] = busy;
	h->queue[h->n] = queue;
	h->requests[h->n++] = requests;
}

static bool
parse_history(struct status_history *h, const char *text)
{
	int64_t age, busy, queue, requests;
	size_t left = 0; /* entries */

	for (const char *p = text; *p; p++)
		left += *p == ';';
	h->n = 0;
	if (left == 0 || !take(&text, &age, ';'))
		return false;
	for (; left > 0; left--) {
		if (!take(&text, &busy, ',') || !take(&text, &queue, ',') ||
		    !take(&text, &requests, left > 1 ? ';' : '\0'))
			return false;
		add_step(h, busy, queue, requests);
	}
	for (int64_t i = util_min(age / STATUS_STEP_S, STATUS_STEPS); i > 0; i--)
		add_step(h, 0, 0, 0);
	return true;
}

bool
status_history_parse(struct status_history *h, const char *text)
{
	bool right = parse_history(h, text);

	if (!right)
		h->n = 0;
	return right;
}
