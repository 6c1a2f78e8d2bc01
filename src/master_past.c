/*
 * The history of the pools and the last events, from one master to the next one: a record
 * of the control socket for each (see control_proto.h), times by CLOCK_MONOTONIC.  The
 * file has nothing in it if the old one could not say more.
 *
 *	history	pool=NAME	steps=...	see history_write()
 *	event	at_ms=T	pool=NAME	kind=WORD	more=N	text=TEXT
 */
#include "master_private.h"

#include "events.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
write_events(FILE *out)
{
	const struct events_entry *event;

	for (size_t i = 0; (event = events_get(i)); i++) {
		control_record_begin(out, "event");
		control_record_number(out, "at_ms", event->at);
		control_record_text(out, "pool", event->pool);
		control_record_text(out, "kind", events_word(event->kind));
		control_record_number(out, "more", event->more);
		control_record_text(out, "text", event->text);
		control_record_end(out);
	}
}

void
master_past_write(int fd)
{
	FILE *out = fdopen(fd, "w");

	if (!out) {
		close(fd);
		return;
	}
	for (size_t i = 0; i < master.npools; i++) {
		control_record_begin(out, "history");
		control_record_text(out, "pool", master.pools[i]->name);
		fputs("\tsteps=", out);
		history_write(&master.pools[i]->history.past, out);
		control_record_end(out);
	}
	write_events(out);
	fclose(out);
}

static void
take_history(const struct control_record *record, int64_t now)
{
	const char *name = control_record_get(record, "pool");
	const char *steps = control_record_get(record, "steps");

	for (size_t i = 0; name && steps && i < master.npools; i++)
		if (strcmp(master.pools[i]->name, name) == 0)
			history_read(&master.pools[i]->history.past, now, steps);
}

static void
take_event(const struct control_record *record, int64_t now)
{
	const char *pool = control_record_get(record, "pool");
	const char *kind = control_record_get(record, "kind");
	const char *text = control_record_get(record, "text");
	struct events_entry entry = {
		.at = control_record_get_number(record, "at_ms", 0),
		.more = (unsigned)control_record_get_number(record, "more", 0),
	};

	if (!pool || !kind || !text || events_kind(kind) < 0 || entry.at > now)
		return;
	entry.kind = (enum event_kind)events_kind(kind);
	entry.pool = util_strdup(pool);
	entry.text = util_strdup(text);
	events_inherit(&entry);
	free(entry.pool);
	free(entry.text);
}

void
master_past_read(int fd)
{
	int64_t now = util_now_ms();
	struct control_record record;
	FILE *in = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	if (!in) {
		close(fd);
		return;
	}
	rewind(in); /* the place in it is the writer's, too */
	while (getline(&line, &size, in) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (control_record_parse(&record, line) < 0)
			continue;
		if (strcmp(record.kind, "history") == 0)
			take_history(&record, now);
		else if (strcmp(record.kind, "event") == 0)
			take_event(&record, now);
	}
	free(line);
	fclose(in);
}
