/*
 * What all renderings make of the fields of a pool in the same way: those that are lists,
 * written as text by the daemon, those that belong together, and the words for what a
 * worker does.  Pure.  A list that is not written as it should be is empty: whoever shows
 * it does not know the figures then.
 */
#ifndef PREFORKD_STATUS_FIGURES_H
#define PREFORKD_STATUS_FIGURES_H

#include "status_doc.h"

#define STATUS_BOUNDS 32 /* of a histogram */
#define STATUS_STEPS  60 /* of a history */
#define STATUS_STEP_S 10

/* How many requests took so long at most; the last bound is INT64_MAX, and counts all. */
struct status_durations {
	int64_t le_us[STATUS_BOUNDS], count[STATUS_BOUNDS];
	size_t n;
};

/* "le_us:count,...,inf:count": bounds rise, counts do not fall. */
bool status_durations_parse(struct status_durations *d, const char *text);

/* The last ten minutes, oldest first; the last step is the one that ended just now. */
struct status_history {
	int64_t busy[STATUS_STEPS], queue[STATUS_STEPS], requests[STATUS_STEPS];
	size_t n;
};

/*
 * "age_s;busy,queue,requests;...", where age_s is that of the newest entry.  When it is
 * older than a step, nothing has happened since: steps of 0 follow it.  Of more than
 * STATUS_STEPS the newest are kept.
 */
bool status_history_parse(struct status_history *h, const char *text);

/* Counters that are one number told apart by a reason. */
struct status_reason {
	const char *name;
	size_t offset; /* in struct status_pool */
};

struct status_reasons {
	const struct status_reason *at;
	size_t n;
};

extern const struct status_reasons status_refusals, status_deaths;

int64_t status_reason_count(const struct status_pool *pool, const struct status_reason *reason);

struct status_state {
	const char *name, *letter, *meaning;
};

#define STATUS_STATES 13 /* the last one is for words that are not known */
extern const struct status_state status_states[STATUS_STATES];

/* The row of a state, that of unknown ones if there is none. */
size_t status_state_find(const char *name);

#endif
