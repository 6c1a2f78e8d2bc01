#include "saturation.h"

#include "events.h"

#include <inttypes.h>

#define REPEAT_MS 60000
/* A pool at its limit empties its queue for a moment now and then. */
#define OVER_MS 2000

static void
begin(struct saturation *s, const struct saturation_look *look, int64_t now)
{
	unsigned held_back = 0;

	s->since = now;
	s->longest = look->queue;
	s->told = log_limit_pass(&s->limit, REPEAT_MS, &held_back);
	s->told_at = now;
	if (!s->told)
		return;
	log_warn("pool %s: all %d worker%s busy and %d connection%s wait%s: raise %s if the "
		 "machine can bear it, or mend what is slow%s%s",
		 look->pool, look->busy, look->busy == 1 ? " is" : "s are", look->queue,
		 util_plural((unsigned)look->queue), look->queue == 1 ? "s" : "", look->remedy,
		 look->request[0] ? ": " : "", look->request);
	events_add(look->pool, EVENT_SATURATION,
		   "all %d worker%s busy and %d connection%s wait%s: see %s%s%s", look->busy,
		   look->busy == 1 ? " is" : "s are", look->queue,
		   util_plural((unsigned)look->queue), look->queue == 1 ? "s" : "", look->remedy,
		   look->request[0] ? "; longest: " : "", look->request);
}

static void
go_on(struct saturation *s, const struct saturation_look *look, int64_t now)
{
	s->longest = (int)util_max(s->longest, look->queue);
	if (now - s->told_at < REPEAT_MS)
		return;
	s->told = true;
	s->told_at = now;
	log_warn("pool %s: still saturated after %" PRId64 " s: all %d workers are busy, %d "
		 "connections wait, at most there were %d: raise %s if the machine can bear it, "
		 "or mend what is slow%s%s",
		 look->pool, (now - s->since) / 1000, look->busy, look->queue, s->longest,
		 look->remedy, look->request[0] ? ": " : "", look->request);
}

void
saturation_end(struct saturation *s, const char *pool)
{
	int64_t ms = s->seen - s->since;

	if (s->since != 0 && s->told) {
		log_notice("pool %s: no longer saturated, after %" PRId64 ".%" PRId64
			   " s; at most %d connection%s waited",
			   pool, ms / 1000, ms % 1000 / 100, s->longest,
			   util_plural((unsigned)s->longest));
		events_add(pool, EVENT_SATURATION,
			   "over after %" PRId64 ".%" PRId64 " s; at most %d connection%s waited",
			   ms / 1000, ms % 1000 / 100, s->longest,
			   util_plural((unsigned)s->longest));
	}
	s->since = 0;
}

int64_t
saturation_look(struct saturation *s, const struct saturation_look *look, int64_t now)
{
	if (look->saturated) {
		if (s->since == 0)
			begin(s, look, now);
		else
			go_on(s, look, now);
		s->seen = now;
		return 0;
	}
	if (s->since == 0)
		return 0;
	if (now - s->seen < OVER_MS)
		return s->seen + OVER_MS;
	saturation_end(s, look->pool);
	return 0;
}
