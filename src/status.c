#include "status.h"

#include "events.h"
#include "netdiag.h"
#include "pool_figures.h"
#include "pool_resident.h"

#include <inttypes.h>
#include <string.h>

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
	[ACTIVITY_KEEPALIVE] = "keepalive", [ACTIVITY_WAITING] = "waiting",
	[ACTIVITY_BUSY] = "busy",           [ACTIVITY_READING] = "reading",
	[ACTIVITY_WRITING] = "writing",     [ACTIVITY_CLOSING] = "closing",
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
write_bytes(FILE *out, const struct figures_slot *figures)
{
	control_record_number(out, "bytes_in", (int64_t)atomic_load(&figures->n[FIGURE_BYTES_IN]));
	control_record_number(out, "bytes_out",
			      (int64_t)atomic_load(&figures->n[FIGURE_BYTES_OUT]));
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
	write_bytes(out, pool_figures_slot(pool, i));
	control_record_end(out);
}

/* The processes by what they do. */
struct census {
	int starting, idle, busy, draining;
	int kept; /* of the busy ones: they have a connection, and no request */
};

static void
take_census(const struct pool *pool, struct census *c)
{
	*c = (struct census){ 0 };
	for (size_t i = 0; i < pool->nslots; i++) {
		const struct slot *slot = &pool->slots[i];
		enum activity activity;

		if (slot->state == SLOT_FREE)
			continue;
		activity = scoreboard_activity(pool->scoreboard, i, slot->pid);
		if (slot->state == SLOT_DRAINING || slot->state == SLOT_KILLED)
			c->draining++;
		else if (slot->state == SLOT_STARTING || activity == ACTIVITY_HELD)
			c->starting++;
		else if (activity >= ACTIVITY_KEEPALIVE)
			c->busy++;
		else
			c->idle++;
		if (slot->state == SLOT_RUNNING)
			c->kept += activity == ACTIVITY_KEEPALIVE;
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

/* What a pool that is well has of workers that are ready. */
static int64_t
least_ready(const struct pool *pool, const struct conf_pool *conf)
{
	return conf->workers > 0 ? max_of(pool, conf)
				 : util_min(conf->min_spare_workers, conf->max_workers);
}

/* How many requests took so long at most, by bounds in microseconds that never change. */
static void
write_durations(FILE *out, const uint64_t *durations)
{
	static const int64_t bounds[] = { 1000,    2500,    5000,     10000,    25000,
					  50000,   100000,  250000,   500000,   1000000,
					  2500000, 5000000, 10000000, 30000000, 60000000 };
	uint64_t all = 0;

	fputs("\tdurations=", out);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
		fprintf(out, "%" PRId64 ":%" PRIu64 ",", bounds[i],
			figures_up_to(durations, bounds[i]));
	for (size_t i = 0; i < FIGURES_BUCKETS; i++)
		all += durations[i];
	fprintf(out, "inf:%" PRIu64, all);
}

/* Of the last ten minutes; how long requests took only since this master began. */
static void
write_recent(FILE *out, const struct pool *pool, const struct figures *own, int64_t now)
{
	const struct history *past = &pool->history.past;
	uint64_t recent[FIGURES_BUCKETS];

	history_recent(past, now, own->n, recent);
	control_record_number(out, "p50_us", figures_percentile(recent, 500));
	control_record_number(out, "p90_us", figures_percentile(recent, 900));
	control_record_number(out, "p99_us", figures_percentile(recent, 990));
	control_record_number(out, "max_us", figures_longest(recent));
	fputs("\thistory=", out);
	history_print(past, now, out);
}

/* Since ever, whichever master is asked. */
static void
write_figures(FILE *out, struct pool *pool, int64_t now)
{
	static const struct {
		const char *key;
		enum figure figure;
	} rows[] = {
		{ "accepted", FIGURE_ACCEPTED },
		{ "crashes", FIGURE_CRASHES },
		{ "respawns", FIGURE_RESPAWNS },
		{ "shed", FIGURE_SHED },
		{ "requests", FIGURE_REQUESTS },
		{ "bytes_in", FIGURE_BYTES_IN },
		{ "bytes_out", FIGURE_BYTES_OUT },
		{ "given_way", FIGURE_GIVEN_WAY },
		{ "timed_out", FIGURE_TIMED_OUT },
		{ "died_exit", FIGURE_DIED_EXIT },
		{ "died_signal", FIGURE_DIED_SIGNAL },
		{ "died_oom", FIGURE_DIED_OOM },
		{ "died_boot", FIGURE_DIED_BOOT },
		{ "duration_sum_us", FIGURE_DURATION_SUM },
		{ "refused_access", FIGURE_REFUSED_ACCESS },
		{ "refused_times", FIGURE_REFUSED_TIMES },
		{ "refused_load", FIGURE_REFUSED_LOAD },
		{ "refused_source", FIGURE_REFUSED_SOURCE },
		{ "refused_proxy", FIGURE_REFUSED_PROXY },
		{ "delayed", FIGURE_DELAYED },
	};
	struct figures own, all;

	pool_figures_sum(pool, &own);
	pool_figures_publish(pool, &own);
	totals_read(pool->figures.totals, &all);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		control_record_number(out, rows[i].key, (int64_t)all.n[rows[i].figure]);
	write_durations(out, all.n);
	write_recent(out, pool, &own, now);
}

static void
write_pool(FILE *out, struct pool *pool, int64_t now)
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
	control_record_number(out, "kept", c.kept);
	control_record_number(out, "starting", c.starting);
	control_record_number(out, "draining", c.draining);
	control_record_number(out, "total", c.idle + c.busy + c.starting + c.draining);
	control_record_number(out, "max_workers", conf ? max_of(pool, conf) : 0);
	write_queue(out, gen);
	control_record_number(out, "generation", gen ? gen->number : 0);
	control_record_number(out, "next_try_ms", util_max(next_try, 0));
	control_record_text(out, "last_failure", pool->last_failure);
	control_record_number(out, "saturated_ms", s->since > 0 ? now - s->since : 0);
	control_record_number(out, "extra", pool->extra);
	control_record_number(out, "min_ready", conf ? least_ready(pool, conf) : 0);
	write_figures(out, pool, now);
	control_record_end(out);
}

void
status_events(FILE *out, const char *only, int64_t now)
{
	const struct events_entry *event;

	for (size_t i = 0; (event = events_get(i)); i++) {
		if (only && event->pool[0] && strcmp(event->pool, only) != 0)
			continue;
		control_record_begin(out, "event");
		control_record_number(out, "ago_ms", util_max(now - event->at, 0));
		control_record_text(out, "pool", event->pool);
		control_record_text(out, "kind", events_word(event->kind));
		control_record_text(out, "text", event->text);
		if (event->more > 0)
			fprintf(out, " (and %u more)", event->more);
		control_record_end(out);
	}
}

void
status_pool(FILE *out, struct pool *pool, int64_t now)
{
	write_pool(out, pool, now);
	for (size_t i = 0; i < pool->nslots; i++)
		if (pool->slots[i].state != SLOT_FREE)
			write_worker(out, pool, i, now);
}
