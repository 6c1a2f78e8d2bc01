#include "events.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORTLY_MS 1000
#define ALIKE_MS   600000
#define TEXT_BYTES 2048 /* as a line of the log: whoever asks for the status gets 20 of them */

/* The oldest first. */
static struct {
	struct events_entry at[EVENTS];
	size_t n;
} self;

/* Numbers, and the addresses and times that are made of them, are all the same. */
static bool
is_alike(const char *a, const char *b)
{
	static const char numbers[] = "0123456789.:[]";

	for (;;) {
		a += strspn(a, numbers);
		b += strspn(b, numbers);
		if (*a != *b)
			return false;
		if (*a == '\0')
			return true;
		a++;
		b++;
	}
}

/* Does it say anew, or better, what the entry says? */
static bool
takes_place_of(const struct events_entry *entry, const char *pool, enum event_kind kind,
	       const char *text, int64_t now)
{
	bool newest = entry == &self.at[self.n - 1];

	if (entry->kind != kind || strcmp(entry->pool, pool) != 0)
		return false;
	if (newest && kind != EVENT_WARNING && now - entry->at < SHORTLY_MS)
		return true;
	return kind != EVENT_RELOAD && now - entry->at < ALIKE_MS && is_alike(entry->text, text);
}

/* Its place is closed. */
static void
drop(struct events_entry *entry)
{
	free(entry->pool);
	free(entry->text);
	self.n--;
	memmove(entry, entry + 1, (size_t)(self.at + self.n - entry) * sizeof(*entry));
}

/* Takes the text over.  Workers that die by the dozen must not push everything else out. */
static void
add(const char *pool, enum event_kind kind, char *text, unsigned more)
{
	int64_t now = util_now_ms();

	util_cut(text, TEXT_BYTES);
	for (size_t i = self.n; i-- > 0;)
		if (takes_place_of(&self.at[i], pool, kind, text, now)) {
			more += self.at[i].more + 1;
			drop(&self.at[i]);
			break;
		}
	if (self.n == EVENTS)
		drop(&self.at[0]);
	self.at[self.n++] = (struct events_entry){
		.at = now, .pool = util_strdup(pool), .kind = kind, .text = text, .more = more
	};
}

void
events_add(const char *pool, enum event_kind kind, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = util_strdup("");
	va_end(ap);
	add(pool ? pool : "", kind, text, 0);
}

void
events_warn(const char *pool, const char *text, unsigned more)
{
	add(pool, EVENT_WARNING, util_strdup(text), more);
}

const struct events_entry *
events_get(size_t i)
{
	return i < self.n ? &self.at[self.n - 1 - i] : NULL;
}

void
events_inherit(const struct events_entry *entry)
{
	size_t i;

	if (self.n == EVENTS && entry->at <= self.at[0].at)
		return;
	if (self.n == EVENTS)
		drop(&self.at[0]);
	for (i = self.n; i > 0 && self.at[i - 1].at > entry->at; i--)
		self.at[i] = self.at[i - 1];
	self.at[i] = *entry;
	self.at[i].pool = util_strdup(entry->pool);
	self.at[i].text = util_strdup(entry->text);
	self.n++;
}

static const char *const words[] = {
	[EVENT_DEATH] = "death",           [EVENT_RELOAD] = "reload",   [EVENT_BACKOFF] = "backoff",
	[EVENT_SATURATION] = "saturation", [EVENT_TIMEOUT] = "timeout", [EVENT_SLOW] = "slow",
	[EVENT_LIMIT] = "limit",           [EVENT_WARNING] = "warning",
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
