/*
 * What happened last to the daemon and is worth a word on a page: deaths, reloads,
 * back-offs.  In the master only, and never more than EVENTS of them.
 */
#ifndef PREFORKD_EVENTS_H
#define PREFORKD_EVENTS_H

#include "util.h"

#define EVENTS 20

enum event_kind {
	EVENT_DEATH,
	EVENT_RELOAD,
	EVENT_BACKOFF,
	EVENT_SATURATION,
	EVENT_TIMEOUT,
	EVENT_SLOW,
	EVENT_LIMIT,
	EVENT_WARNING, /* a worker's */
};

struct events_entry {
	int64_t at; /* util_now_ms() */
	char *pool; /* "": the whole daemon */
	enum event_kind kind;
	char *text;
	unsigned more; /* of the same kind before, which this one stands for */
};

/*
 * pool may be NULL.  One that follows shortly on one of its kind takes its place; so does one
 * that differs only in its numbers from another of the last ten minutes.
 */
void events_add(const char *pool, enum event_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A worker's warning, which stands for so many more. */
void events_warn(const char *pool, const char *text, unsigned more);

/* One that another master has seen; whoever was before it and after it stays so. */
void events_inherit(const struct events_entry *entry);

/* The i-th, the newest first; NULL behind the last one. */
const struct events_entry *events_get(size_t i);

/* The word for a kind, and the kind of a word; -1: it is none. */
const char *events_word(enum event_kind kind);
int events_kind(const char *word);

#endif
