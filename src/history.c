#include "history.h"

#include "util.h"

#include <inttypes.h>
#include <string.h>

static int64_t
step_of(int64_t now)
{
	return now / HISTORY_STEP_MS;
}

int64_t
history_step_end(int64_t now)
{
	return (step_of(now) + 1) * HISTORY_STEP_MS;
}

void
history_init(struct history *h, int64_t now)
{
	h->first = step_of(now);
	h->last = h->first - 1;
	h->quiet_since = now;
}

static struct history_step *
at(struct history *h, int64_t step)
{
	return &h->steps[step % HISTORY_STEPS];
}

/* Nothing happened in the steps before that one. */
static void
skip_to(struct history *h, int64_t step)
{
	int64_t from = util_max(h->last + 1, step - HISTORY_STEPS);

	for (int64_t i = from; i < step; i++)
		*at(h, i) = (struct history_step){ 0 };
	h->last = util_max(h->last, step - 1);
}

/* Of what has been so since then. */
static void
snapshot(struct history *h, int64_t since, int64_t now, const uint64_t *durations)
{
	const struct history_snapshot *newest =
	    &h->snapshots[(h->nsnapshots + HISTORY_SNAPSHOTS - 1) % HISTORY_SNAPSHOTS];
	struct history_snapshot *next = &h->snapshots[h->nsnapshots % HISTORY_SNAPSHOTS];

	if (h->nsnapshots > 0 && now - newest->until < HISTORY_AGAIN_MS)
		return;
	next->since = since;
	next->until = now;
	memcpy(next->durations, durations, sizeof(next->durations));
	h->nsnapshots++;
}

void
history_wake(struct history *h, int64_t now, const uint64_t *durations)
{
	skip_to(h, step_of(now));
	snapshot(h, h->quiet_since, now, durations);
	h->quiet_since = 0;
}

void
history_rest(struct history *h, int64_t now)
{
	h->quiet_since = now;
}

bool
history_sample(struct history *h, int64_t now, const struct history_step *step,
	       const uint64_t *durations)
{
	int64_t ended = step_of(now) - 1;

	if (ended <= h->last)
		return false;
	skip_to(h, ended);
	*at(h, ended) = *step;
	h->last = ended;
	snapshot(h, now, now, durations);
	return true;
}

void
history_print(const struct history *h, int64_t now, FILE *out)
{
	int64_t last = h->quiet_since != 0 ? step_of(now) - 1 : h->last;
	int64_t first = util_max(h->first, last - HISTORY_STEPS + 1);

	if (last < first)
		return;
	fprintf(out, "%" PRId64, (now - (last + 1) * HISTORY_STEP_MS) / 1000);
	for (int64_t i = first; i <= last; i++) {
		const struct history_step *step = &h->steps[i % HISTORY_STEPS];

		if (i > h->last)
			fputs(";0,0,0", out);
		else
			fprintf(out, ";%d,%d,%" PRIu64, step->busy, step->queue, step->requests);
	}
}

void
history_write(const struct history *h, FILE *out)
{
	int64_t first = util_max(h->first, h->last - HISTORY_STEPS + 1);

	if (h->last < first)
		return;
	fprintf(out, "%" PRId64, h->last);
	for (int64_t i = first; i <= h->last; i++) {
		const struct history_step *step = &h->steps[i % HISTORY_STEPS];

		fprintf(out, ";%d,%d,%" PRIu64, step->busy, step->queue, step->requests);
	}
}

/* Two masters may have seen something of the same step. */
static void
add(struct history *h, int64_t i, const struct history_step *step)
{
	if (i <= h->last - HISTORY_STEPS)
		return;
	skip_to(h, i + 1);
	at(h, i)->busy += step->busy;
	at(h, i)->queue = util_max(at(h, i)->queue, step->queue);
	at(h, i)->requests += step->requests;
	h->first = util_min(h->first, i);
}

int
history_read(struct history *h, int64_t now, const char *text)
{
	struct history_step steps[HISTORY_STEPS];
	int64_t last;
	int used = 0, n = 0;

	if (*text == '\0')
		return 0;
	if (sscanf(text, "%" SCNd64 "%n", &last, &used) != 1 || last < 0 || last > step_of(now))
		return -1;
	for (text += used; *text; text += used) {
		if (n == HISTORY_STEPS || sscanf(text, ";%d,%d,%" SCNu64 "%n", &steps[n].busy,
						 &steps[n].queue, &steps[n].requests, &used) != 3)
			return -1;
		n++;
	}
	if (last < n - 1)
		return -1;
	for (int i = 0; i < n; i++)
		add(h, last - n + 1 + i, &steps[i]);
	return 0;
}

/* The newest snapshot that is old enough, or else the oldest; NULL: there is none. */
static const struct history_snapshot *
base_of(const struct history *h, int64_t now)
{
	unsigned n = (unsigned)util_min(h->nsnapshots, HISTORY_SNAPSHOTS);
	const struct history_snapshot *base = NULL;

	for (unsigned i = h->nsnapshots - n; i < h->nsnapshots; i++) {
		const struct history_snapshot *each = &h->snapshots[i % HISTORY_SNAPSHOTS];

		if (!base || now - each->since >= HISTORY_MS)
			base = each;
	}
	return base;
}

void
history_recent(const struct history *h, int64_t now, const uint64_t *durations, uint64_t *recent)
{
	const struct history_snapshot *base = base_of(h, now);
	bool quiet = h->quiet_since != 0 && now - h->quiet_since >= HISTORY_MS;

	for (size_t i = 0; i < FIGURES_BUCKETS; i++) {
		uint64_t before = quiet ? durations[i] : base ? base->durations[i] : 0;

		recent[i] = durations[i] > before ? durations[i] - before : 0;
	}
}
