#include "rate.h"

#include "conf.h"

#define SECOND INT64_C(1000000000)

#define REPLACE_TRIES 8

struct rate
rate_of(int64_t per_second, int64_t burst)
{
	int64_t interval = per_second > 0 ? SECOND / per_second : 0;

	return (struct rate){ .interval = interval, .ahead = (burst - 1) * interval };
}

static int64_t
turn_among(_Atomic int64_t *full_at, const struct rate *rate, int64_t most, int64_t now)
{
	/* Each one that waits has a worker. */
	int64_t horizon = now + rate->ahead + CONF_MAX_WORKERS * rate->interval;
	int64_t before = atomic_load(full_at), from;

	do {
		from = before > now && before <= horizon ? before : now;
		if (from - rate->ahead > now + most * rate->interval)
			return RATE_NEVER;
	} while (!atomic_compare_exchange_weak(full_at, &before, from + rate->interval));
	return util_max(now, from - rate->ahead);
}

int64_t
rate_turn(_Atomic int64_t *full_at, const struct rate *rate, int64_t now)
{
	return turn_among(full_at, rate, CONF_MAX_WORKERS, now);
}

/* The finalizer of MurmurHash3; a flood of one set does no harm, so it has no secret. */
static uint64_t
scatter(uint64_t source)
{
	source = (source ^ source >> 33) * UINT64_C(0xff51afd7ed558ccd);
	source = (source ^ source >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return source ^ source >> 33;
}

static struct rate_source *
fullest(struct rate_source *set)
{
	struct rate_source *found = &set[0];

	for (int i = 1; i < RATE_WAYS; i++)
		if (atomic_load(&set[i].full_at) < atomic_load(&found->full_at))
			found = &set[i];
	return found;
}

/* NULL when others take each place before this process does. */
static struct rate_source *
find(struct rate_source *set, uint64_t source)
{
	for (int try = 0; try < REPLACE_TRIES; try++) {
		struct rate_source *entry;
		uint64_t old;

		for (int i = 0; i < RATE_WAYS; i++)
			if (atomic_load(&set[i].source) == source)
				return &set[i];
		entry = fullest(set);
		old = atomic_load(&entry->source);
		if (atomic_compare_exchange_strong(&entry->source, &old, source)) {
			atomic_store(&entry->full_at, 0);
			return entry;
		}
	}
	return NULL;
}

int64_t
rate_turn_of(struct rate_table *table, uint64_t source, const struct rate *rate, int64_t most,
	     int64_t now)
{
	struct rate_source *entry = find(table->sets[scatter(source) % RATE_SETS], source);

	return entry ? turn_among(&entry->full_at, rate, most, now) : now;
}
