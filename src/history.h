/*
 * The last ten minutes of a pool: what happened in steps of ten seconds, and how long
 * requests took.  Pure: times are in milliseconds of util_now_ms(), and whoever samples
 * does so at the end of a step, as long as anything happens.
 */
#ifndef PREFORKD_HISTORY_H
#define PREFORKD_HISTORY_H

#include "figures.h"

#include <stdbool.h>
#include <stdio.h>

#define HISTORY_MS        600000
#define HISTORY_STEP_MS   10000
#define HISTORY_STEPS     (HISTORY_MS / HISTORY_STEP_MS)
#define HISTORY_AGAIN_MS  60000 /* between two snapshots */
#define HISTORY_SNAPSHOTS (HISTORY_MS / HISTORY_AGAIN_MS + 2)

struct history_step {
	int busy;          /* workers, on the average, rounded up */
	int queue;         /* its longest that was seen */
	uint64_t requests; /* begun */
};

struct history {
	int64_t first, last; /* numbers of the steps that are known: time / HISTORY_STEP_MS */
	int64_t quiet_since; /* 0: it is being sampled */
	struct history_step steps[HISTORY_STEPS];
	struct history_snapshot {
		int64_t since, until; /* nothing happened between them */
		uint64_t durations[FIGURES_BUCKETS];
	} snapshots[HISTORY_SNAPSHOTS];
	unsigned nsnapshots; /* that there ever were */
};

/* All zero else. */
void history_init(struct history *h, int64_t now);

/* Something happens again, after nothing did; and nothing does. */
void history_wake(struct history *h, int64_t now, const uint64_t *durations);
void history_rest(struct history *h, int64_t now);

/* When the present step ends. */
int64_t history_step_end(int64_t now);

/* What happened since the last sample; false: the step is not over. */
bool history_sample(struct history *h, int64_t now, const struct history_step *step,
		    const uint64_t *durations);

/* "AGE_S;busy,queue,requests;...", the oldest first, of whole steps; or nothing. */
void history_print(const struct history *h, int64_t now, FILE *out);

/*
 * The same with the number of the newest step in place of its age, for another master on
 * this machine: by the same clock.
 */
void history_write(const struct history *h, FILE *out);

/*
 * What another one has written is added to what is known.  -1, and nothing is changed: it
 * is nothing of that kind, or of the future.
 */
int history_read(struct history *h, int64_t now, const char *text);

/* Of all durations those of about the last ten minutes. */
void history_recent(const struct history *h, int64_t now, const uint64_t *durations,
		    uint64_t *recent);

#endif
