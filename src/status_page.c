#include "status_page.h"

#include "status_figures.h"
#include "status_html.h"
#include "status_page_parts.h"
#include "status_page_pool.h"
#include "status_text.h"
#include "status_units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 10 /* requests that are shown */ };

struct page {
	const struct status_doc *doc;
	time_t now;
	enum status_page_kind kind;
};

/* A header can say more than a document: that no other page may show it in a frame. */
#define POLICY_OF_DOCUMENT                                                          \
	"default-src 'none'; style-src '%s'; script-src '%s'; connect-src 'self'; " \
	"img-src data:; base-uri 'none'; form-action 'none'"

const char *
status_page_policy(void)
{
	static char policy[512];

	if (!policy[0])
		snprintf(policy, sizeof(policy), POLICY_OF_DOCUMENT "; frame-ancestors 'none'",
			 status_page_parts_css_hash, status_page_parts_js_hash);
	return policy;
}

static void
put_policy(FILE *out, const struct page *page)
{
	(void)page;
	fprintf(out, POLICY_OF_DOCUMENT, status_page_parts_css_hash, status_page_parts_js_hash);
}

static void
put_css(FILE *out, const struct page *page)
{
	(void)page;
	fputs(status_page_parts_css, out);
}

static void
put_version(FILE *out, const struct page *page)
{
	status_html_text(out, page->doc->version);
}

static size_t
count_trouble(const struct status_doc *doc)
{
	size_t n = 0;

	for (size_t i = 0; i < doc->n; i++)
		n += status_page_in_trouble(&doc->pools[i]);
	return n;
}

static void
put_title(FILE *out, const struct page *page)
{
	size_t n = count_trouble(page->doc);

	if (n > 0)
		fprintf(out, "%zu in trouble: ", n);
	fputs("preforkd ", out);
	put_version(out, page);
}

static void
put_when(FILE *out, const struct page *page)
{
	char machine[32] = "", person[32] = "";
	struct tm utc;

	if (gmtime_r(&page->now, &utc)) {
		strftime(machine, sizeof(machine), "%Y-%m-%dT%H:%M:%SZ", &utc);
		strftime(person, sizeof(person), "%Y-%m-%d %H:%M:%S UTC", &utc);
	}
	fprintf(out, "as of <time datetime=\"%s\">%s</time>", machine, person);
}

static void
put_noscript(FILE *out, const struct page *page)
{
	if (page->kind == STATUS_PAGE_LIVE)
		fputs("<noscript>Without JavaScript this page shows one moment: reload it for the "
		      "next.</noscript>\n",
		      out);
}

static void
put_verdict(FILE *out, const struct page *page)
{
	size_t n = count_trouble(page->doc), pools = page->doc->n;
	const char *before = ": ";

	if (n == 0) {
		fprintf(out, "<span class=\"good\">%zu pool%s, all in order</span>", pools,
			util_plural(pools));
		return;
	}
	fprintf(out, "<span class=\"bad\">%zu of %zu pool%s in trouble</span>", n, pools,
		util_plural(pools));
	for (size_t i = 0; i < pools; i++) {
		if (!status_page_in_trouble(&page->doc->pools[i]))
			continue;
		fprintf(out, "%s<a href=\"#pool-%zu\">", before, i + 1);
		status_html_text(out, page->doc->pools[i].name);
		fprintf(out, "</a> %s", status_page_word(&page->doc->pools[i]));
		before = ", ";
	}
}

static void
put_pid(FILE *out, const struct page *page)
{
	fprintf(out, "%" PRId64, page->doc->pid);
}

static void
put_state(FILE *out, const struct page *page)
{
	status_html_text(out, page->doc->state);
}

static void
put_up(FILE *out, const struct page *page)
{
	status_html_put(out, status_text_span(page->doc->uptime_ms));
}

static void
put_generation(FILE *out, const struct page *page)
{
	status_html_put(out, status_units_count(page->doc->generation));
}

static void
put_workers(FILE *out, const struct page *page)
{
	status_html_put(out, status_units_count(page->doc->workers));
}

static void
put_max_workers(FILE *out, const struct page *page)
{
	status_html_put(out, status_units_count(page->doc->max_workers));
}

static bool
reload_is(const struct page *page, const char *state)
{
	return strcmp(page->doc->reload_state, state) == 0;
}

static void
put_reload(FILE *out, const struct page *page)
{
	const struct status_doc *doc = page->doc;

	if (!doc->reload_state[0] || reload_is(page, "none")) {
		fputs("none", out);
		return;
	}
	status_html_text(out, doc->reload_state);
	fputs(status_text_is_under_way(doc) ? " for " : " ", out);
	status_html_put(out, status_text_span(doc->reload_ago_ms));
	fputs(status_text_is_under_way(doc) ? "" : " ago", out);
	if (!reload_is(page, "refused") && doc->reload_text[0]) {
		fputs(": ", out);
		status_html_text(out, doc->reload_text);
	}
}

static void
put_refusal(FILE *out, const struct page *page)
{
	if (!reload_is(page, "refused"))
		return;
	fputs("The last ", out);
	status_html_text(out, page->doc->reload_what[0] ? page->doc->reload_what : "reload");
	fputs(" was refused: ", out);
	status_html_text(out, page->doc->reload_text);
}

static void
put_pools(FILE *out, const struct page *page)
{
	for (size_t i = 0; i < page->doc->n; i++)
		status_page_pool(out, &page->doc->pools[i], i + 1);
}

static void
put_legend(FILE *out, const struct page *page)
{
	(void)page;
	for (size_t i = 0; i < STATUS_STATES; i++)
		fprintf(out, "<li><b class=\"%s\">%s</b> %s</li>\n", status_states[i].name,
			status_states[i].letter, status_states[i].meaning);
	fputs("<li><b class=\"off\">!</b> backed off: none is started now</li>\n"
	      "<li><b class=\"idle young\"></b> less than 10 s old</li>\n",
	      out);
}

struct request {
	const struct status_pool *pool;
	const struct status_worker *worker;
};

static bool
has_request(const struct status_worker *w)
{
	return strcmp(w->state, "busy") == 0 || strcmp(w->state, "reading") == 0 ||
	       strcmp(w->state, "writing") == 0;
}

/* Sorts it in, as far as it is one of the longest; returns how many there are. */
static size_t
insert(struct request *longest, size_t n, const struct request *request)
{
	size_t i = n < LONGEST ? n : LONGEST - 1;

	if (n == LONGEST && longest[i].worker->since_ms >= request->worker->since_ms)
		return n;
	for (; i > 0 && longest[i - 1].worker->since_ms < request->worker->since_ms; i--)
		longest[i] = longest[i - 1];
	longest[i] = *request;
	return n < LONGEST ? n + 1 : n;
}

static void
put_requests(FILE *out, const struct page *page)
{
	struct request longest[LONGEST];
	size_t n = 0;

	for (size_t i = 0; i < page->doc->n; i++)
		for (size_t k = 0; k < page->doc->pools[i].n; k++) {
			struct request r = { &page->doc->pools[i],
					     &page->doc->pools[i].workers[k] };

			if (has_request(r.worker))
				n = insert(longest, n, &r);
		}
	for (size_t i = 0; i < n; i++) {
		const struct status_worker *w = longest[i].worker;

		fputs("<tr>", out);
		status_page_cell(out, "number", status_text_span(w->since_ms));
		status_page_cell(out, "", util_strdup(longest[i].pool->name));
		status_page_cell(out, "number", util_format("%" PRId64, w->pid));
		status_page_cell(out, "", util_strdup(w->state));
		status_page_cell(out, "", util_strdup(w->client[0] ? w->client : "-"));
		status_page_cell(out, "wide", util_strdup(w->request[0] ? w->request : "-"));
		fputs("</tr>\n", out);
	}
	if (n == 0)
		fputs("<tr><td class=\"none\" colspan=\"6\">No worker is busy.</td></tr>\n", out);
}

static int
younger(const void *a, const void *b)
{
	const struct status_event *x = *(const struct status_event *const *)a;
	const struct status_event *y = *(const struct status_event *const *)b;

	return (x->ago_ms > y->ago_ms) - (x->ago_ms < y->ago_ms);
}

static void
put_events(FILE *out, const struct page *page)
{
	const struct status_event *events[STATUS_EVENTS];
	size_t n = page->doc->n_events;

	if (n == 0) {
		fputs("<tr><td class=\"none\" colspan=\"4\">"
		      "No worker has died, no reload was refused.</td></tr>\n",
		      out);
		return;
	}
	for (size_t i = 0; i < n; i++)
		events[i] = &page->doc->events[i];
	qsort(events, n, sizeof(*events), younger);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr>", out);
		status_page_cell(out, "number", status_text_span(events[i]->ago_ms));
		status_page_cell(out, "", util_strdup(events[i]->pool[0] ? events[i]->pool : "-"));
		status_page_cell(out, "", util_strdup(events[i]->kind));
		status_page_cell(out, "wide", util_strdup(events[i]->text));
		fputs("</tr>\n", out);
	}
}

/* With a pool that has nothing in it, for those that come later. */
static void
put_script(FILE *out, const struct page *page)
{
	static const struct control_record nothing = { .kind = "pool" };
	struct status_doc *empty;

	if (page->kind != STATUS_PAGE_LIVE)
		return;
	empty = status_doc_new();
	status_doc_add(empty, &nothing, NULL);
	fputs("<template id=\"pool\">", out);
	status_page_pool(out, &empty->pools[0], 0);
	fprintf(out, "</template>\n<script>%s</script>\n", status_page_parts_js);
	status_doc_free(empty);
}

static void
put_place(FILE *out, const char *name, const void *of)
{
	static const struct {
		const char *name;
		void (*put)(FILE *out, const struct page *page);
	} places[] = {
		{ "policy", put_policy },
		{ "css", put_css },
		{ "title", put_title },
		{ "version", put_version },
		{ "when", put_when },
		{ "noscript", put_noscript },
		{ "verdict", put_verdict },
		{ "pid", put_pid },
		{ "state", put_state },
		{ "up", put_up },
		{ "generation", put_generation },
		{ "workers", put_workers },
		{ "max_workers", put_max_workers },
		{ "reload", put_reload },
		{ "refusal", put_refusal },
		{ "pools", put_pools },
		{ "legend", put_legend },
		{ "requests", put_requests },
		{ "events", put_events },
		{ "script", put_script },
	};

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (strcmp(places[i].name, name) == 0)
			places[i].put(out, of);
}

void
status_page_print(const struct status_doc *doc, time_t now, enum status_page_kind kind, FILE *out)
{
	const struct page page = { .doc = doc, .now = now, .kind = kind };

	status_html_fill(out, status_page_parts_html, put_place, &page);
}
