#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTLY_MS 1000

static struct {
	struct events_entry ring[EVENTS];
	size_t n; /* that there ever were */
} self;

/* Workers that die by the dozen must not push everything else out. */
static struct events_entry *
entry_for(const char *pool, enum event_kind kind, int64_t now)
{
	struct events_entry *newest = &self.ring[(self.n + EVENTS - 1) % EVENTS];

	if (self.n > 0 && newest->kind == kind && now - newest->at < SHORTLY_MS &&
	    strcmp(newest->pool, pool) == 0) {
		newest->more++;
		return newest;
	}
	newest = &self.ring[self.n++ % EVENTS];
	newest->more = 0;
	return newest;
}

void
events_add(const char *pool, enum event_kind kind, const char *fmt, ...)
{
	int64_t now = util_now_ms();
	struct events_entry *entry = entry_for(pool ? pool : "", kind, now);
	va_list ap;

	free(entry->text);
	va_start(ap, fmt);
	if (vasprintf(&entry->text, fmt, ap) < 0)
		entry->text = NULL;
	va_end(ap);
	free(entry->pool);
	entry->pool = util_strdup(pool ? pool : "");
	entry->kind = kind;
	entry->at = now;
}

const struct events_entry *
events_get(size_t i)
{
	return i < EVENTS && i < self.n ? &self.ring[(self.n - 1 - i) % EVENTS] : NULL;
}

void
events_inherit(const struct events_entry *entry)
{
	struct events_entry *oldest = &self.ring[self.n % EVENTS];
	size_t i = self.n;

	if (self.n >= EVENTS && entry->at <= oldest->at)
		return;
	free(oldest->pool);
	free(oldest->text);
	for (self.n++; i > 0 && i + EVENTS > self.n && self.ring[(i - 1) % EVENTS].at > entry->at;
	     i--)
		self.ring[i % EVENTS] = self.ring[(i - 1) % EVENTS];
	self.ring[i % EVENTS] = *entry;
	self.ring[i % EVENTS].pool = util_strdup(entry->pool);
	self.ring[i % EVENTS].text = util_strdup(entry->text);
}

static const char *const words[] = {
	[EVENT_DEATH] = "death",           [EVENT_RELOAD] = "reload",   [EVENT_BACKOFF] = "backoff",
	[EVENT_SATURATION] = "saturation", [EVENT_TIMEOUT] = "timeout",
};

const char *
events_word(enum event_kind kind)
{
	return words[kind];
}

int
events_kind(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -1;
}
