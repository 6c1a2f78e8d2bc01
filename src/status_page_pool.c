#include "status_page_pool.h"

#include "status_figures.h"
#include "status_html.h"
#include "status_page_parts.h"
#include "status_text.h"
#include "status_units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	MANY = 100,       /* workers, for which the cells are small */
	YOUNG_MS = 10000, /* a worker that is shown as new */
	CHART = 100,      /* the height of a chart; its width is its steps */
	LEAST = 4,        /* of it, for what is not 0 */
};

struct view {
	const struct status_pool *pool;
	size_t number;
	struct status_history history;
};

const char *
status_page_word(const struct status_pool *pool)
{
	bool saturated = pool->saturated_ms > 0 && strcmp(pool->state, "running") == 0;

	return saturated ? "saturated" : pool->state;
}

bool
status_page_in_trouble(const struct status_pool *pool)
{
	const char *word = status_page_word(pool);

	return strcmp(word, "saturated") == 0 || strcmp(word, "backed off") == 0;
}

static char *
text_or_dash(const char *text)
{
	return util_strdup(text[0] ? text : "-");
}

void
status_page_cell(FILE *out, const char *class, char *text)
{
	fprintf(out, class[0] ? "<td class=\"%s\">" : "<td>", class);
	status_html_put(out, text);
	fputs("</td>", out);
}

static void
put_class(FILE *out, const struct view *view)
{
	fputs(view->pool->n > MANY ? "pool many" : "pool", out);
}

static void
put_number(FILE *out, const struct view *view)
{
	fprintf(out, "%zu", view->number);
}

static void
put_word(FILE *out, const struct view *view)
{
	status_html_text(out, status_page_word(view->pool));
}

static void
put_where(FILE *out, const struct view *view)
{
	fputs(view->pool->listen[0] ? "on " : "not listening", out);
	status_html_text(out, view->pool->listen);
}

static void
put_notes(FILE *out, const struct view *view)
{
	char **notes = status_text_notes(view->pool);

	for (size_t i = 0; i < util_list_len(notes); i++) {
		fputs("<li>", out);
		status_html_text(out, notes[i]);
		fputs("</li>", out);
	}
	util_list_free(notes);
}

/* "5 idle, 2 writing". */
static void
put_census(FILE *out, const struct view *view)
{
	size_t counts[STATUS_STATES] = { 0 };
	const char *before = "";

	for (size_t i = 0; i < view->pool->n; i++)
		counts[status_state_find(view->pool->workers[i].state)]++;
	for (size_t i = 0; i < STATUS_STATES; i++)
		if (counts[i] > 0) {
			fprintf(out, "%s%zu %s", before, counts[i], status_states[i].name);
			before = ", ";
		}
	if (view->pool->n == 0)
		fputs("none", out);
}

/* A worker in a sentence. */
static char *
describe(const struct status_worker *w)
{
	char *since = status_text_span(w->since_ms), *requests = status_units_count(w->requests);
	char *program = w->program > 0 ? util_format(", program %" PRId64, w->program) : NULL;
	char *text =
	    util_format("worker %" PRId64 ": %s for %s, %s request%s%s%s%s%s%s", w->pid,
			status_states[status_state_find(w->state)].meaning, since, requests,
			util_plural((uint64_t)w->requests), program ? program : "",
			w->client[0] ? ", " : "", w->client, w->request[0] ? ", " : "", w->request);

	free(since);
	free(requests);
	free(program);
	return text;
}

static void
put_grid(FILE *out, const struct view *view)
{
	for (size_t i = 0; i < view->pool->n; i++) {
		const struct status_worker *w = &view->pool->workers[i];
		const struct status_state *state = &status_states[status_state_find(w->state)];

		fprintf(out, "<li class=\"%s%s\" title=\"", state->name,
			w->age_ms < YOUNG_MS ? " young" : "");
		status_html_put(out, describe(w));
		fprintf(out, "\">%s</li>", state->letter);
	}
	if (strcmp(view->pool->state, "backed off") == 0)
		fputs("<li class=\"off\" title=\"backed off\">!</li>", out);
}

static void
put_workers(FILE *out, const struct view *view)
{
	for (size_t i = 0; i < view->pool->n; i++) {
		const struct status_worker *w = &view->pool->workers[i];

		fputs("<tr>", out);
		status_page_cell(out, "number", util_format("%" PRId64, w->pid));
		status_page_cell(out, "", text_or_dash(w->state));
		status_page_cell(out, "number", status_text_span(w->since_ms));
		status_page_cell(out, "number", status_text_span(w->age_ms));
		status_page_cell(out, "number", status_units_count(w->requests));
		status_page_cell(out, "number", status_units_bytes(w->bytes_in));
		status_page_cell(out, "number", status_units_bytes(w->bytes_out));
		status_page_cell(out, "", text_or_dash(w->client));
		status_page_cell(out, "wide", text_or_dash(w->request));
		fputs("</tr>\n", out);
	}
	if (view->pool->n == 0)
		fputs("<tr><td class=\"none\" colspan=\"9\">There is no worker.</td></tr>\n", out);
}

static int
part_of(int64_t n, int64_t of, int whole)
{
	int part = of > 0 && n > 0 ? (int)((double)n * whole / (double)of) : 0;

	return part > whole ? whole : part;
}

static void
put_kept_words(FILE *out, const struct view *view)
{
	if (view->pool->kept > 0)
		fprintf(out, ", %" PRId64 " kept alive", view->pool->kept);
}

static void
put_busy_part(FILE *out, const struct view *view)
{
	fprintf(out, "%d", part_of(view->pool->busy, view->pool->max_workers, 100));
}

static void
put_queue_part(FILE *out, const struct view *view)
{
	fprintf(out, "%d", part_of(view->pool->queue_length, view->pool->queue_limit, 100));
}

static int64_t
peak_of(const int64_t *values, size_t n)
{
	int64_t peak = 0;

	for (size_t i = 0; i < n; i++)
		peak = util_max(peak, values[i]);
	return peak;
}

/* An outline in steps, with the newest at the right. */
static void
put_path(FILE *out, const int64_t *values, size_t n)
{
	int64_t peak = peak_of(values, n);

	if (n == 0)
		return;
	fprintf(out, "M%zu %d", STATUS_STEPS - n, CHART);
	for (size_t i = 0; i < n; i++) {
		int height = part_of(values[i], peak, CHART);

		if (values[i] > 0 && height < LEAST)
			height = LEAST;
		fprintf(out, "V%dH%zu", CHART - height, STATUS_STEPS - n + i + 1);
	}
	fprintf(out, "V%dZ", CHART);
}

/* Takes the text over; without a history there is none. */
static void
put_peak(FILE *out, const struct view *view, const char *before, char *text, const char *behind)
{
	if (view->history.n == 0)
		fputs("no history yet", out);
	else
		fprintf(out, "%s%s%s", before, text, behind);
	free(text);
}

static void
put_busy_path(FILE *out, const struct view *view)
{
	put_path(out, view->history.busy, view->history.n);
}

static void
put_queue_path(FILE *out, const struct view *view)
{
	put_path(out, view->history.queue, view->history.n);
}

static void
put_rate_path(FILE *out, const struct view *view)
{
	put_path(out, view->history.requests, view->history.n);
}

/* A step is the average of ten seconds, but for the queue. */
static void
put_busy_peak(FILE *out, const struct view *view)
{
	char *text = status_units_count(peak_of(view->history.busy, view->history.n));

	put_peak(out, view, "busiest 10 s: ", text, " with a request");
}

static void
put_queue_peak(FILE *out, const struct view *view)
{
	char *text = status_units_count(peak_of(view->history.queue, view->history.n));

	put_peak(out, view, "at most ", text, " in 10 min");
}

static void
put_rate_peak(FILE *out, const struct view *view)
{
	char *text = status_units_tenths(peak_of(view->history.requests, view->history.n));

	put_peak(out, view, "busiest 10 s: ", text, "");
}

/* Of the last step, which has ten seconds. */
static void
put_rate(FILE *out, const struct view *view)
{
	size_t n = view->history.n;

	status_html_put(out, n > 0 ? status_units_tenths(view->history.requests[n - 1])
				   : util_strdup("-"));
}

/* "3 (rate 2, access 1)". */
static void
put_reasons(FILE *out, const struct view *view, const struct status_reasons *reasons)
{
	const char *before = " (";
	int64_t sum = 0;

	for (size_t i = 0; i < reasons->n; i++)
		sum += status_reason_count(view->pool, &reasons->at[i]);
	status_html_put(out, status_units_count(sum));
	for (size_t i = 0; i < reasons->n; i++) {
		int64_t n = status_reason_count(view->pool, &reasons->at[i]);

		if (n == 0)
			continue;
		fprintf(out, "%s%s ", before, reasons->at[i].name);
		status_html_put(out, status_units_count(n));
		before = ", ";
	}
	fputs(before[0] == ',' ? ")" : "", out);
}

static void
put_refused(FILE *out, const struct view *view)
{
	put_reasons(out, view, &status_refusals);
}

static void
put_died(FILE *out, const struct view *view)
{
	put_reasons(out, view, &status_deaths);
}

static void
put_bytes_in(FILE *out, const struct view *view)
{
	status_html_put(out, status_units_bytes(view->pool->bytes_in));
}

static void
put_bytes_out(FILE *out, const struct view *view)
{
	status_html_put(out, status_units_bytes(view->pool->bytes_out));
}

/* A place that is no more than a field of the pool. */
static void
put_field(FILE *out, const char *key, const struct status_pool *pool)
{
	const struct status_field *f = status_pool_fields.at;

	while (strcmp(f->key, key) != 0)
		if (++f == status_pool_fields.at + status_pool_fields.n)
			return;
	if (f->kind == STATUS_TEXT)
		status_html_text(out, status_field_text(pool, f));
	else if (f->kind != STATUS_US)
		status_html_put(out, status_units_count(status_field_number(pool, f)));
	else if (status_field_number(pool, f) > 0)
		status_html_put(out, status_units_duration(status_field_number(pool, f)));
	else
		putc('-', out);
}

static void
put_place(FILE *out, const char *name, const void *of)
{
	static const struct {
		const char *name;
		void (*put)(FILE *out, const struct view *view);
	} places[] = {
		{ "class", put_class },
		{ "number", put_number },
		{ "word", put_word },
		{ "where", put_where },
		{ "notes", put_notes },
		{ "census", put_census },
		{ "grid", put_grid },
		{ "workers", put_workers },
		{ "kept_words", put_kept_words },
		{ "busy_part", put_busy_part },
		{ "queue_part", put_queue_part },
		{ "busy_path", put_busy_path },
		{ "queue_path", put_queue_path },
		{ "rate_path", put_rate_path },
		{ "busy_peak", put_busy_peak },
		{ "rate_peak", put_rate_peak },
		{ "queue_peak", put_queue_peak },
		{ "rate", put_rate },
		{ "refused", put_refused },
		{ "died", put_died },
		{ "bytes_in", put_bytes_in },
		{ "bytes_out", put_bytes_out },
	};
	const struct view *view = of;

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(places[i].name, name) == 0) {
			places[i].put(out, view);
			return;
		}
	put_field(out, name, view->pool);
}

void
status_page_pool(FILE *out, const struct status_pool *pool, size_t number)
{
	struct view view = { .pool = pool, .number = number };

	status_history_parse(&view.history, pool->history);
	status_html_fill(out, status_page_parts_pool, put_place, &view);
}
