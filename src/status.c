#include "status.h"

#include "netdiag.h"
#include "pool_resident.h"

static const char *
state_of_pool(const struct pool *pool, int64_t now)
{
	if (pool->stopping)
		return "stopping";
	if (pool->parked)
		return pool->drained ? "drained" : "draining";
	return pool->policy.next_try > now ? "backed off" : "running";
}

/* Of those that run. */
static const char *const activities[ACTIVITIES] = {
	[ACTIVITY_NONE] = "idle",           [ACTIVITY_CHANGING] = "idle",
	[ACTIVITY_IDLE] = "idle",           [ACTIVITY_HELD] = "held",
	[ACTIVITY_KEEPALIVE] = "keepalive", [ACTIVITY_BUSY] = "busy",
	[ACTIVITY_READING] = "reading",     [ACTIVITY_WRITING] = "writing",
	[ACTIVITY_CLOSING] = "closing",
};

static bool
accepts_by_itself(const struct slot *slot)
{
	return slot->gen->service->run != NULL;
}

static const char *
state_of_worker(const struct slot *slot, enum activity activity)
{
	if (slot->state == SLOT_STARTING)
		return "starting";
	if (slot->state == SLOT_DRAINING)
		return "draining";
	if (slot->state == SLOT_KILLED)
		return "killed";
	if (accepts_by_itself(slot) && activity == ACTIVITY_IDLE)
		return "running";
	return activities[activity];
}

static void
write_worker(FILE *out, const struct pool *pool, size_t i, int64_t now)
{
	const struct slot *slot = &pool->slots[i];
	char client[ADDRESS_TEXT_BYTES] = "";
	struct scoreboard_view view;
	int64_t since = slot->since;
	bool busy, resident = accepts_by_itself(slot);

	scoreboard_read(pool->scoreboard, i, slot->pid, &view);
	busy = view.activity >= ACTIVITY_KEEPALIVE;
	if (busy && view.peer_len > 0)
		address_format((const struct sockaddr *)&view.peer, view.peer_len, client);
	if (slot->state == SLOT_RUNNING && view.since_ms > 0)
		since = view.since_ms;
	control_record_begin(out, "worker");
	control_record_text(out, "pool", pool->name);
	control_record_number(out, "pid", slot->pid);
	control_record_number(out, "slot", (int64_t)i);
	control_record_number(out, "generation", slot->gen->number);
	control_record_text(out, "state", state_of_worker(slot, view.activity));
	control_record_number(out, "requests", resident ? -1 : (int64_t)view.requests);
	control_record_number(out, "age_ms", now - slot->forked);
	control_record_number(out, "since_ms", util_max(now - since, 0));
	control_record_text(out, "client", client);
	control_record_text(out, "request", busy || resident ? view.text : "");
	control_record_number(out, "program", busy || resident ? view.program : 0);
	control_record_end(out);
}

/* The processes by what they do; accepted counts those that live. */
struct census {
	int starting, idle, busy, draining;
	uint64_t accepted;
};

static void
take_census(const struct pool *pool, struct census *c)
{
	*c = (struct census){ .accepted = pool->accepted };
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];
		enum activity activity;

		if (slot->state == SLOT_FREE)
			continue;
		c->accepted += atomic_load(&pool->scoreboard->slots[i].connections);
		activity = scoreboard_activity(pool->scoreboard, i, slot->pid);
		if (slot->state == SLOT_DRAINING || slot->state == SLOT_KILLED)
			c->draining++;
		else if (slot->state == SLOT_STARTING || activity == ACTIVITY_HELD)
			c->starting++;
		else if (activity >= ACTIVITY_KEEPALIVE)
			c->busy++;
		else
			c->idle++;
	}
	if (pool_resident(pool)) {
		int busy = (int)util_min(pool_resident_busy(pool), c->idle);

		c->idle -= busy;
		c->busy += busy;
	}
}

static void
write_queue(FILE *out, const struct generation *gen)
{
	int limit = -1, queue = gen ? netdiag_queue(gen->listener->fd, &limit) : -1;

	control_record_number(out, "queue_length", queue);
	control_record_number(out, "queue_limit", limit);
}

/* With what an operator has added to a fixed pool. */
static int64_t
max_of(const struct pool *pool, const struct conf_pool *conf)
{
	return conf->max_workers + (conf->workers > 0 ? pool->extra : 0);
}

static void
write_pool(FILE *out, const struct pool *pool, int64_t now)
{
	const struct generation *gen = pool->current;
	const struct conf_pool *conf = gen ? gen->conf : pool->parked;
	const struct saturation *s = &pool->saturation;
	int64_t next_try = pool->policy.next_try - now;
	struct census c;

	take_census(pool, &c);
	control_record_begin(out, "pool");
	control_record_text(out, "name", pool->name);
	control_record_text(out, "service", conf ? conf_service_names[conf->service] : "");
	control_record_text(out, "listen", gen ? gen->listener->name : "");
	control_record_text(out, "state", state_of_pool(pool, now));
	control_record_number(out, "idle", c.idle);
	control_record_number(out, "busy", c.busy);
	control_record_number(out, "starting", c.starting);
	control_record_number(out, "draining", c.draining);
	control_record_number(out, "total", c.idle + c.busy + c.starting + c.draining);
	control_record_number(out, "max_workers", conf ? max_of(pool, conf) : 0);
	control_record_number(out, "accepted",
			      conf && service_find(conf->service)->run ? -1 : (int64_t)c.accepted);
	write_queue(out, gen);
	control_record_number(out, "crashes", (int64_t)pool->crashes);
	control_record_number(out, "respawns", (int64_t)pool->respawns);
	control_record_number(out, "generation", gen ? gen->number : 0);
	control_record_number(out, "shed", (int64_t)atomic_load(&pool->scoreboard->shed));
	control_record_number(out, "next_try_ms", util_max(next_try, 0));
	control_record_text(out, "last_failure", pool->last_failure);
	control_record_number(out, "saturated_ms", s->since > 0 ? now - s->since : 0);
	control_record_number(out, "extra", pool->extra);
	control_record_end(out);
}

void
status_pool(FILE *out, const struct pool *pool, int64_t now)
{
	write_pool(out, pool, now);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			write_worker(out, pool, i, now);
}
