#include "figures.h"

#include "layout.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

struct figures_slot *
figures_slots_new(size_t n)
{
	struct figures_slot *slots = mmap(NULL, n * sizeof(*slots), PROT_READ | PROT_WRITE,
					  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (slots == MAP_FAILED)
		return NULL;
	return slots;
}

void
figures_slots_free(struct figures_slot *slots, size_t n)
{
	munmap(slots, n * sizeof(*slots));
}

void
figures_clear(struct figures_slot *slot)
{
	memset(slot, 0, sizeof(*slot));
}

void
figures_add(struct figures *sum, const struct figures_slot *slot)
{
	for (size_t i = 0; i < FIGURES; i++)
		sum->n[i] += atomic_load_explicit(&slot->n[i], memory_order_relaxed);
}

HOT int64_t
figures_now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

size_t
figures_bucket(int64_t us)
{
	unsigned power, quarter;
	size_t bucket;

	if (us < 4)
		return us > 0 ? (size_t)us : 0;
	power = 63 - (unsigned)__builtin_clzll((unsigned long long)us);
	quarter = (unsigned)(us >> (power - 2)) & 3;
	bucket = (power - 1) * 4 + quarter;
	return bucket < FIGURES_BUCKETS ? bucket : FIGURES_BUCKETS - 1;
}

int64_t
figures_bucket_begin(size_t bucket)
{
	return bucket < 4 ? (int64_t)bucket : (int64_t)(4 + bucket % 4) << (bucket / 4 - 1);
}

HOT void
figures_count_duration(struct figures_slot *slot, int64_t us)
{
	figures_count(slot, (enum figure)(FIGURE_DURATIONS + figures_bucket(us)), 1);
	figures_count(slot, FIGURE_DURATION_SUM, us > 0 ? (uint64_t)us : 0);
}

static double
width(size_t bucket)
{
	return (double)(figures_bucket_begin(bucket + 1) - figures_bucket_begin(bucket));
}

int64_t
figures_percentile(const uint64_t *durations, unsigned permille)
{
	uint64_t total = 0, before = 0, rank;

	for (size_t i = 0; i < FIGURES_BUCKETS; i++)
		total += durations[i];
	rank = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;
	for (size_t i = 0; i < FIGURES_BUCKETS; i++) {
		if (durations[i] > 0 && before + durations[i] >= rank)
			return figures_bucket_begin(i) +
			       (int64_t)(width(i) * (double)(rank - before) / (double)durations[i]);
		before += durations[i];
	}
	return 0;
}

int64_t
figures_longest(const uint64_t *durations)
{
	for (size_t i = FIGURES_BUCKETS; i-- > 0;)
		if (durations[i] > 0)
			return figures_bucket_begin(i + 1);
	return 0;
}

uint64_t
figures_up_to(const uint64_t *durations, int64_t us)
{
	size_t bucket = figures_bucket(us);
	uint64_t sum = 0;

	for (size_t i = 0; i < bucket; i++)
		sum += durations[i];
	return sum + (uint64_t)((double)durations[bucket] *
				(double)(us - figures_bucket_begin(bucket)) / width(bucket));
}
