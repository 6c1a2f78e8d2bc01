/*
 * Rates of connections that delay: each one is told when its turn is.  A token bucket, kept
 * as the one time at which it will be full again (GCRA, ITU-T I.371 annex A), so that one
 * word in shared memory and one compare-and-swap is all of it.  Pure; times are nanoseconds
 * of CLOCK_MONOTONIC.
 *
 * What a process writes there by mistake, or takes and does not use because it died, can
 * cost turns but never block: a time that is farther ahead than any queue could be counts
 * as none.
 */
#ifndef PREFORKD_RATE_H
#define PREFORKD_RATE_H

#include <stdatomic.h>
#include <stdint.h>

struct rate {
	int64_t interval; /* between two turns; 0: there is no limit */
	int64_t ahead;    /* so much earlier than that, after a pause */
};

/* burst: so many at once are not delayed, 1 or more.  per_second 0: no limit. */
struct rate rate_of(int64_t per_second, int64_t burst);

/* No turn. */
#define RATE_NEVER INT64_MAX

/* When the turn is of a connection that comes now: now, or later. */
int64_t rate_turn(_Atomic int64_t *full_at, const struct rate *rate, int64_t now);

/*
 * A bucket for each of many sources (source.h), in a table of fixed size.  A source that is
 * not in it takes the place of the one in its set whose bucket is the fullest.  Nobody ever
 * shares a bucket, so who fills the table can make others at most quicker than they should
 * be, never slower.
 *
 * Two words cannot change at once: who looks a source up just while it is replaced takes
 * one turn of the new one's, or gives the old one a turn too many.  That is all.
 */
#define RATE_SETS 1024
#define RATE_WAYS 4

struct rate_source {
	_Atomic uint64_t source; /* 0: free */
	_Atomic int64_t full_at;
};

struct rate_table {
	struct rate_source sets[RATE_SETS][RATE_WAYS];
};

/* At most so many wait, 1 or more: RATE_NEVER for one too many, which takes no turn. */
int64_t rate_turn_of(struct rate_table *table, uint64_t source, const struct rate *rate,
		     int64_t most, int64_t now);

#endif
