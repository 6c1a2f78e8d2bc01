#include "complaints.h"

#include <stdio.h>
#include <string.h>

#define FULL        UINT32_MAX
#define INTERVAL_MS 1000

static const char *
without_pool(const char *text, const char *pool)
{
	size_t len = strlen(pool);
	bool has_it = strncmp(text, "pool ", 5) == 0 && strncmp(text + 5, pool, len) == 0 &&
		      strncmp(text + 5 + len, ": ", 2) == 0;

	return has_it ? text + 5 + len + 2 : text;
}

/* " (N more like this)" at the end of a line of the log is cut off, and N told. */
static unsigned
cut_more(char *text)
{
	char *end = strrchr(text, '(');
	unsigned more;
	int len = 0;

	if (!end || end == text || end[-1] != ' ' ||
	    sscanf(end, "(%u more like this)%n", &more, &len) != 1 || len == 0 || end[len] != '\0')
		return 0;
	end[-1] = '\0';
	return more;
}

bool
complaints_add(struct complaints *c, int pid, const char *pool, const char *text)
{
	unsigned held_back;

	if (!log_limit_burst(&c->limit, INTERVAL_MS, COMPLAINTS, &held_back))
		return false;
	for (size_t i = 0; i < COMPLAINTS; i++) {
		struct complaint *place = &c->places[i];
		uint32_t empty = 0;

		if (!atomic_compare_exchange_strong(&place->state, &empty, (uint32_t)pid))
			continue;
		snprintf(place->text, sizeof(place->text), "%s", without_pool(text, pool));
		place->more = held_back + cut_more(place->text);
		atomic_store(&place->state, FULL);
		return true;
	}
	atomic_fetch_add(&c->limit.held_back, held_back + 1);
	return false;
}

void
complaints_take(struct complaints *c, void (*each)(const char *text, unsigned more, void *arg),
		void *arg)
{
	char text[COMPLAINT_BYTES + 1];

	for (size_t i = 0; i < COMPLAINTS; i++) {
		struct complaint *place = &c->places[i];
		unsigned more;

		if (atomic_load(&place->state) != FULL)
			continue;
		more = place->more;
		memcpy(text, place->text, COMPLAINT_BYTES);
		text[COMPLAINT_BYTES] = '\0'; /* whatever a worker has written there */
		atomic_store(&place->state, 0);
		each(text, more, arg);
	}
}

void
complaints_forget(struct complaints *c, int pid)
{
	for (size_t i = 0; i < COMPLAINTS; i++) {
		uint32_t its = (uint32_t)pid;

		atomic_compare_exchange_strong(&c->places[i].state, &its, 0);
	}
}
