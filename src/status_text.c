#include "status_text.h"

#include "status_trouble.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 /* between columns */ };

struct column {
	const char *title;
	bool right;
};

/* The cells are owned, row by row; the titles stand above them. */
struct table {
	const struct column *columns;
	size_t width; /* columns */
	char **cells;
	size_t n;
};

char *
status_text_span(int64_t ms)
{
	static const struct {
		const char *unit, *part;
		int64_t unit_ms, part_ms;
	} rows[] = {
		{ "d", "h", 86400000, 3600000 },
		{ "h", "m", 3600000, 60000 },
		{ "m", "s", 60000, 1000 },
	};

	ms = util_max(ms, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (ms >= rows[i].unit_ms)
			return util_format(
			    "%" PRId64 "%s%02d%s", ms / rows[i].unit_ms, rows[i].unit,
			    (int)(ms % rows[i].unit_ms / rows[i].part_ms), rows[i].part);
	if (ms >= 10000)
		return util_format("%" PRId64 "s", ms / 1000);
	return util_format("%" PRId64 ".%ds", ms / 1000, (int)(ms % 1000 / 100));
}

static char *
number_cell(int64_t n)
{
	return util_format("%" PRId64, n);
}

/* -1: not known. */
static char *
known_cell(int64_t n)
{
	return n < 0 ? util_strdup("-") : number_cell(n);
}

static char *
text_cell(const char *text)
{
	return utf8_printable(text[0] ? text : "-");
}

/* Numbers of which -1 is not known. */
static char *
ratio_cell(int64_t n, int64_t of)
{
	char *left = known_cell(n);
	char *cell = of < 0 ? util_format("%s/-", left) : util_format("%s/%" PRId64, left, of);

	free(left);
	return cell;
}

/* Takes the cells over; at each power of two the room is doubled. */
static void
table_add(struct table *table, char *const *cells)
{
	if ((table->n & (table->n - 1)) == 0)
		table->cells = util_realloc(table->cells, (table->n ? 2 * table->n : 1),
					    table->width * sizeof(char *));
	memcpy(table->cells + table->n++ * table->width, cells, table->width * sizeof(char *));
}

static void
print_cell(FILE *out, const char *cell, size_t width, bool right, bool last)
{
	size_t length = utf8_length(cell);
	int pad = (int)(width - length);

	if (right)
		fprintf(out, "%*s%s", pad, "", cell);
	else
		fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
	fprintf(out, "%*s", last ? 0 : GAP, "");
}

static void
print_row(FILE *out, const struct table *table, const size_t *widths, char *const *cells)
{
	for (size_t c = 0; c < table->width; c++)
		print_cell(out, cells ? cells[c] : table->columns[c].title, widths[c],
			   table->columns[c].right, c + 1 == table->width);
	putc('\n', out);
}

/* Prints it and frees its cells. */
static void
table_print(struct table *table, FILE *out)
{
	size_t *widths = util_calloc(table->width, sizeof(*widths));

	for (size_t c = 0; c < table->width; c++) {
		widths[c] = utf8_length(table->columns[c].title);
		for (size_t r = 0; r < table->n; r++) {
			size_t length = utf8_length(table->cells[r * table->width + c]);

			if (length > widths[c])
				widths[c] = length;
		}
	}
	print_row(out, table, widths, NULL);
	for (size_t r = 0; r < table->n; r++)
		print_row(out, table, widths, table->cells + r * table->width);
	for (size_t i = 0; i < table->n * table->width; i++)
		free(table->cells[i]);
	free(table->cells);
	free(widths);
}

static void
put_text(FILE *out, const char *text)
{
	char *clean = utf8_printable(text);

	fputs(clean, out);
	free(clean);
}

static void
put_span(FILE *out, const char *before, int64_t ms, const char *behind)
{
	char *span = status_text_span(ms);

	fprintf(out, "%s%s%s", before, span, behind);
	free(span);
}

bool
status_text_is_under_way(const struct status_doc *doc)
{
	return strcmp(doc->reload_state, "under way") == 0;
}

static void
print_reload(const struct status_doc *doc, FILE *out)
{
	if (strcmp(doc->reload_state, "none") == 0 || !doc->reload_state[0]) {
		fputs(", no reload yet\n", out);
		return;
	}
	fputs(status_text_is_under_way(doc) ? ", " : ", last ", out);
	put_text(out, doc->reload_what[0] ? doc->reload_what : "reload");
	if (status_text_is_under_way(doc)) {
		put_span(out, " under way for ", doc->reload_ago_ms, "");
	} else {
		put_span(out, " ", doc->reload_ago_ms, " ago: ");
		put_text(out, doc->reload_state);
	}
	putc('\n', out);
	if (doc->reload_text[0]) {
		fputs("  ", out);
		put_text(out, doc->reload_text);
		putc('\n', out);
	}
}

static void
print_head(const struct status_doc *doc, FILE *out)
{
	fputs("preforkd ", out);
	put_text(out, doc->version);
	fprintf(out, ", pid %" PRId64, doc->pid);
	put_span(out, ", up ", doc->uptime_ms, "");
	if (strcmp(doc->state, "running") != 0 && doc->state[0]) {
		fputs(", ", out);
		put_text(out, doc->state);
	}
	fprintf(out, ", generation %" PRId64 ", %" PRId64 " of %" PRId64 " workers",
		doc->generation, doc->workers, doc->max_workers);
	print_reload(doc, out);
}

static void
print_pools(const struct status_doc *doc, FILE *out)
{
	static const struct column columns[] = {
		{ "POOL", false },    { "SERVICE", false }, { "LISTEN", false },
		{ "STATE", false },   { "IDLE", true },     { "BUSY", true },
		{ "STARTING", true }, { "DRAINING", true }, { "TOTAL/MAX", true },
		{ "QUEUE", true },    { "ACCEPTED", true }, { "CRASHES", true },
	};
	struct table table = { .columns = columns, .width = ARRAY_LEN(columns) };

	for (size_t i = 0; i < doc->n; i++) {
		const struct status_pool *p = &doc->pools[i];
		char *const cells[ARRAY_LEN(columns)] = {
			text_cell(p->name),
			text_cell(p->service),
			text_cell(p->listen),
			text_cell(p->state),
			number_cell(p->idle),
			number_cell(p->busy),
			number_cell(p->starting),
			number_cell(p->draining),
			ratio_cell(p->total, p->max_workers),
			ratio_cell(p->queue_length, p->queue_limit),
			known_cell(p->accepted),
			number_cell(p->crashes),
		};

		table_add(&table, cells);
	}
	table_print(&table, out);
}

/* Takes the note over. */
static void
add_note(char ***notes, char *note)
{
	util_list_add(notes, note);
	free(note);
}

static void
note_failure(const struct status_pool *pool, char ***notes)
{
	const char *failure = pool->last_failure;

	if (strcmp(pool->state, "backed off") != 0) {
		if (failure[0])
			add_note(notes, util_format("last failure: %s", failure));
		return;
	}
	if (pool->next_try_ms > 0)
		add_note(notes, util_format("backed off: next attempt in %" PRId64 " s%s%s",
					    (pool->next_try_ms + 999) / 1000,
					    failure[0] ? "; last failure: " : "", failure));
	else
		add_note(notes, util_format("backed off: next attempt now%s%s",
					    failure[0] ? "; last failure: " : "", failure));
}

static void
note_saturation(const struct status_pool *pool, char ***notes)
{
	char *span = status_text_span(pool->saturated_ms);
	int64_t queue = pool->queue_length;

	if (queue > 0)
		add_note(notes, util_format("saturated for %s: all workers are busy and %" PRId64
					    " connection%s wait%s",
					    span, queue, util_plural((uint64_t)queue),
					    queue == 1 ? "s" : ""));
	else
		add_note(notes, util_format("saturated for %s: all workers are busy", span));
	free(span);
}

static void
note_refused(const struct status_pool *pool, char ***notes)
{
	const struct {
		int64_t n;
		const char *why;
	} parts[] = {
		{ pool->refused_access, "by allow and deny" },
		{ pool->refused_times, "by access_times" },
		{ pool->refused_load, "by max_load" },
		{ pool->refused_source, "by the limits of a source" },
		{ pool->refused_proxy, "by proxy_protocol" },
	};
	char *list = NULL;
	int64_t all = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char *longer;

		if (parts[i].n == 0)
			continue;
		all += parts[i].n;
		longer = util_format("%s%s%" PRId64 " %s", list ? list : "", list ? ", " : "",
				     parts[i].n, parts[i].why);
		free(list);
		list = longer;
	}
	if (all > 0)
		add_note(notes, util_format("%" PRId64 " connection%s refused: %s", all,
					    util_plural((uint64_t)all), list));
	free(list);
}

/* The pool is full, and may have nothing to do: these make room for who comes. */
static void
note_kept(const struct status_pool *pool, char ***notes)
{
	if (pool->kept > 0 && pool->idle == 0 && pool->busy >= pool->max_workers)
		add_note(notes, util_format("%" PRId64 " of %" PRId64 " busy workers keep a "
					    "connection without a request, and give way to others",
					    pool->kept, pool->busy));
}

char **
status_text_notes(const struct status_pool *pool)
{
	char **notes = NULL;

	note_failure(pool, &notes);
	if (pool->saturated_ms > 0)
		note_saturation(pool, &notes);
	note_kept(pool, &notes);
	if (pool->shed > 0)
		add_note(&notes, util_format("%" PRId64 " connection%s closed unserved after more "
					     "than max_queue_wait",
					     pool->shed, util_plural((uint64_t)pool->shed)));
	note_refused(pool, &notes);
	if (pool->delayed > 0)
		add_note(&notes, util_format("%" PRId64 " connection%s delayed by rate limits",
					     pool->delayed, util_plural((uint64_t)pool->delayed)));
	if (pool->extra != 0)
		add_note(&notes,
			 util_format("scaled by %+" PRId64 " until the next reload", pool->extra));
	return notes;
}

static void
print_notes(const struct status_pool *pool, bool *first, FILE *out)
{
	char **notes = status_text_notes(pool);

	for (size_t i = 0; i < util_list_len(notes); i++) {
		fputs(*first ? "\npool " : "pool ", out);
		put_text(out, pool->name);
		fputs(": ", out);
		put_text(out, notes[i]);
		putc('\n', out);
		*first = false;
	}
	util_list_free(notes);
}

void
status_text_print(const struct status_doc *doc, FILE *out)
{
	bool first = true;

	print_head(doc, out);
	if (doc->n == 0)
		return;
	putc('\n', out);
	print_pools(doc, out);
	for (size_t i = 0; i < doc->n; i++)
		print_notes(&doc->pools[i], &first, out);
	status_trouble_print(doc, &first, out);
	status_trouble_print_events(doc, out);
}

void
status_text_print_workers(const struct status_doc *doc, FILE *out)
{
	static const struct column columns[] = {
		{ "POOL", false },   { "PID", true },     { "STATE", false },
		{ "SINCE", true },   { "AGE", true },     { "REQUESTS", true },
		{ "PROGRAM", true }, { "CLIENT", false }, { "REQUEST", false },
	};
	struct table table = { .columns = columns, .width = ARRAY_LEN(columns) };

	for (size_t i = 0; i < doc->n; i++)
		for (size_t k = 0; k < doc->pools[i].n; k++) {
			const struct status_worker *w = &doc->pools[i].workers[k];
			char *const cells[ARRAY_LEN(columns)] = {
				text_cell(doc->pools[i].name),
				number_cell(w->pid),
				text_cell(w->state),
				status_text_span(w->since_ms),
				status_text_span(w->age_ms),
				known_cell(w->requests),
				known_cell(w->program > 0 ? w->program : -1),
				text_cell(w->client),
				text_cell(w->request),
			};

			table_add(&table, cells);
		}
	table_print(&table, out);
}
