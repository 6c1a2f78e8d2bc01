/*
 * What a pool has done, in numbers that only grow.
 *
 * Each worker has a slot in memory that it shares with the master, and writes it alone:
 * to count is a load and a store, without a locked instruction.  The master adds the
 * slots up.  They are not in the scoreboard, whose slots the master reads at each look.
 *
 * The durations of requests are counted in buckets, four for each power of two of
 * microseconds: a bucket is at most a quarter of its lower end wide.
 */
#ifndef PREFORKD_FIGURES_H
#define PREFORKD_FIGURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define FIGURES_BUCKETS 144 /* the last one: more than 33 hours */

/*
 * One master tells them to the next one, which may run another version, by their places
 * here: new ones come behind the others, and none goes.
 */
enum figure {
	FIGURE_DURATIONS,                      /* the first of the buckets */
	FIGURE_DURATION_SUM = FIGURES_BUCKETS, /* in microseconds */
	FIGURE_ACCEPTED,
	FIGURE_REQUESTS, /* begun */
	FIGURE_BYTES_IN,
	FIGURE_BYTES_OUT,
	FIGURE_GIVEN_WAY, /* connections that the client would have kept, and others waited */
	FIGURE_SHED,
	FIGURE_TIMED_OUT,
	FIGURE_CRASHES, /* the sum of what follows */
	FIGURE_DIED_BOOT,
	FIGURE_DIED_EXIT,
	FIGURE_DIED_SIGNAL,
	FIGURE_DIED_OOM,
	FIGURE_RESPAWNS,
	FIGURE_REFUSED_ACCESS,
	FIGURE_REFUSED_TIMES,
	FIGURE_REFUSED_LOAD,
	FIGURE_REFUSED_SOURCE,
	FIGURE_REFUSED_PROXY,
	FIGURE_DELAYED,
	FIGURES
};

struct figures {
	uint64_t n[FIGURES];
};

struct figures_slot {
	_Alignas(64) _Atomic uint64_t n[FIGURES];
};

/* The worker's side. */
static inline void
figures_count(struct figures_slot *slot, enum figure figure, uint64_t n)
{
	_Atomic uint64_t *at = &slot->n[figure];

	atomic_store_explicit(at, atomic_load_explicit(at, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

void figures_count_duration(struct figures_slot *slot, int64_t us);
int64_t figures_now_us(void); /* CLOCK_MONOTONIC */

/* The master's.  Slots for so many workers, and so many bytes: NULL with errno. */
struct figures_slot *figures_slots_new(size_t n);
void figures_slots_free(struct figures_slot *slots, size_t n);
void figures_clear(struct figures_slot *slot);
void figures_add(struct figures *sum, const struct figures_slot *slot);

/* The bucket of a duration; and where it begins, which is where the one before it ends. */
size_t figures_bucket(int64_t us);
int64_t figures_bucket_begin(size_t bucket);

/* Of the FIGURES_BUCKETS counts of durations, in microseconds; 0 if there is none. */
int64_t figures_percentile(const uint64_t *durations, unsigned permille);
int64_t figures_longest(const uint64_t *durations);

/* How many took so long at most; as if those of a bucket were spread over it evenly. */
uint64_t figures_up_to(const uint64_t *durations, int64_t us);

#endif
