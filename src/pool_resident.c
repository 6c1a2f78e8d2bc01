#include "pool_resident.h"

#include "pool_slots.h"

#include <stdlib.h>

/* The kernel is asked again only after so long. */
#define ACCEPTED_MS 10

/*
 * When a queue stands for so long, nobody is about to take from it: if it is not known who
 * is idle; and although somebody seems to be, who may be stuck, or may have to start.
 */
#define QUEUE_STANDS_MS    20
#define QUEUE_OF_NOBODY_MS 2000

bool
pool_resident(const struct pool *pool)
{
	return pool->current && pool->current->service->run;
}

static pid_t
program_of(const struct pool *pool, size_t i)
{
	return (pid_t)atomic_load(&pool->scoreboard->slots[i].program);
}

static bool
is_ready(const struct pool *pool, const struct slot *slot)
{
	return slot->gen == pool->current && slot->state == SLOT_RUNNING && slot->due == DUE_NOT;
}

/*
 * Connections of those that are ready: who is about to leave has one each, or else would be
 * gone.  -1: nobody knows.
 */
static int
held(const struct pool *pool, int accepted)
{
	int others = 0;

	if (accepted < 0)
		return -1;
	for (size_t i = 0; i < pool->nslots; i++)
		others += pool->slots[i].state != SLOT_FREE && !is_ready(pool, &pool->slots[i]) &&
			  program_of(pool, i) > 0;
	return accepted > others ? accepted - others : 0;
}

static void
note_queue(struct pool *pool, int queue, int64_t now)
{
	if (queue == 0)
		pool->queue_since = 0;
	else if (pool->queue_since == 0)
		pool->queue_since = now;
}

/* With so many connections, or so few facts, that they do not tell, only the queue does. */
static int
count_busy(const struct pool *pool, int ready, int connections, int64_t now, int64_t *look_at)
{
	bool known = connections >= 0 && connections <= ready;
	int64_t patience = known ? QUEUE_OF_NOBODY_MS : QUEUE_STANDS_MS;

	if (pool->queue_since != 0 && now - pool->queue_since >= patience)
		return ready;
	if (pool->queue_since != 0 && look_at)
		pool_slots_earliest(look_at, pool->queue_since + patience);
	return known ? connections : 0;
}

void
pool_resident_census(struct pool *pool, struct policy_census *c, int64_t now, int64_t *look_at)
{
	int ready = c->idle, connections;

	if (pool->accepted_at == 0 || now - pool->accepted_at >= ACCEPTED_MS) {
		pool->accepted_at = now;
		pool->accepted_now = pool->ops->accepted(pool->current->listener);
	} else if (look_at && now != pool->accepted_at) {
		pool_slots_earliest(look_at, pool->accepted_at + ACCEPTED_MS);
	}
	connections = held(pool, pool->accepted_now);
	note_queue(pool, c->queue, now);
	c->busy = count_busy(pool, ready, connections, now, look_at);
	c->idle = ready - c->busy;
	scoreboard_note_low(pool->scoreboard, c->idle);
	c->low = scoreboard_low(pool->scoreboard);
}

unsigned
pool_resident_busy(const struct pool *pool)
{
	int ready = 0, connections = held(pool, pool->ops->accepted(pool->current->listener));

	for (size_t i = 0; i < pool->nslots; i++)
		ready += is_ready(pool, &pool->slots[i]);
	return connections > 0 ? (unsigned)util_min(connections, ready) : 0;
}

/* Those that are ready, each with what it has used since the mark; owned. */
static struct pool_program *
examine(const struct pool *pool, size_t *n)
{
	struct pool_program *programs = util_calloc(pool->nslots, sizeof(*programs));

	*n = 0;
	for (size_t i = 0; i < pool->nslots; i++)
		if (is_ready(pool, &pool->slots[i]))
			programs[(*n)++] =
			    (struct pool_program){ .slot = i, .pid = program_of(pool, i) };
	pool->ops->examine(pool->current->listener, programs, *n);
	return programs;
}

void
pool_resident_mark(struct pool *pool)
{
	size_t n;
	struct pool_program *programs = examine(pool, &n);

	for (size_t i = 0; i < n; i++)
		pool->slots[programs[i].slot].cpu_mark = programs[i].cpu_ns;
	free(programs);
}

static int
by_use(const void *a, const void *b)
{
	const struct pool_program *x = a, *y = b;

	return (x->cpu_ns > y->cpu_ns) - (x->cpu_ns < y->cpu_ns);
}

/* It has a connection, or nobody can see that and it has worked. */
static bool
may_be_busy(const struct pool_program *p)
{
	return p->holds == POOL_HOLDS_UNKNOWN ? p->cpu_ns > 0 : p->holds == POOL_HOLDS;
}

void
pool_resident_retire(struct pool *pool, int n, bool too_many, int64_t now)
{
	struct pool_program *programs;
	size_t total;

	if (n <= 0)
		return;
	programs = examine(pool, &total);
	for (size_t i = 0; i < total; i++)
		programs[i].cpu_ns -= pool->slots[programs[i].slot].cpu_mark;
	if (total > 0)
		qsort(programs, total, sizeof(*programs), by_use);
	for (int pass = 0; pass < (too_many ? 2 : 1); pass++)
		for (size_t i = 0; i < total && n > 0; i++) {
			struct slot *slot = &pool->slots[programs[i].slot];

			if (!is_ready(pool, slot) || (pass == 0 && may_be_busy(&programs[i])))
				continue;
			pool_slots_drain(pool, slot, now);
			n--;
		}
	free(programs);
}
