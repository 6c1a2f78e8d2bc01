/*
 * The status of the daemon over HTTP: asked of the master for each request, so that it is
 * true now, and shown in the same words as preforkctl(8).
 */
#include "http_request.h"

#include "status_json.h"
#include "status_page.h"
#include "status_prometheus.h"
#include "status_query.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_MS 5000
#define AGENT_MS  1000
#define PLAIN     "text/plain; charset=utf-8"

/* What it says, as it was made; false: the status of the answer is 503. */
typedef bool printer(const struct status_doc *doc, FILE *out);

static bool
print_json(const struct status_doc *doc, FILE *out)
{
	return status_json_print(doc, out) == 0;
}

static bool
print_health(const struct status_doc *doc, FILE *out)
{
	fprintf(out, "preforkd %s\n", doc->state);
	return true;
}

static bool
print_ready(const struct status_doc *doc, FILE *out)
{
	char *why;
	bool ready = status_is_ready(doc, &why);

	fprintf(out, "%s\n", ready ? "ready" : why);
	free(why);
	return ready;
}

static bool
print_metrics(const struct status_doc *doc, FILE *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	status_prometheus_print(doc, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, out);
	return true;
}

static bool
print_page(const struct status_doc *doc, FILE *out)
{
	status_page_print(doc, time(NULL), STATUS_PAGE_LIVE, out);
	return true;
}

static const struct view {
	const char *name, *type;
	printer *print;
} views[] = {
	{ "/", "text/html; charset=utf-8", print_page },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8", print_metrics },
	{ "/status.json", "application/json", print_json },
	{ "/healthz", PLAIN, print_health },
	{ "/readyz", PLAIN, print_ready },
};

static const struct view *
find_view(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(views); i++)
		if (strcmp(views[i].name, name) == 0)
			return &views[i];
	return NULL;
}

static void
answer(struct http_request *r, int status, const char *type, const char *body, size_t len)
{
	char fields[1024];
	struct http_reply reply = { .status = status, .type = type, .fields = fields };

	snprintf(fields, sizeof(fields),
		 "Cache-Control: no-store\r\nContent-Security-Policy: %s\r\n"
		 "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n",
		 status_page_policy());
	http_answer_body(r, &reply, body, len);
}

/* 0, or a status. */
static int
show(struct http_request *r, const struct view *view, const struct status_doc *doc)
{
	char *body = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&body, &len);
	bool well, whole;

	if (!out)
		return 500;
	well = view->print(doc, out);
	whole = fclose(out) == 0;
	if (whole)
		answer(r, well ? 200 : 503, view->type, body, len);
	free(body);
	return whole ? 0 : 500;
}

int
http_status_serve(struct http_request *r, const struct http_status *section)
{
	const char *rest = r->target.path + section->prefix.len;
	const struct view *view;
	struct status_doc *doc;
	char *err = NULL;
	int status;

	if (!cidr_allows(&section->access, r->peer))
		return 403;
	rest -= rest > r->target.path && rest[-1] == '/';
	if (*rest == '\0') { /* what the page asks for stands beside it */
		http_answer_slash(r);
		return 0;
	}
	view = find_view(rest);
	if (!view)
		return 404;
	if (r->head->method == HTTP_UNKNOWN)
		return 501;
	if (r->head->method == HTTP_OPTIONS) {
		http_answer_status(r, 200, HTTP_ALLOW);
		return 0;
	}
	if (r->head->method != HTTP_GET && r->head->method != HTTP_HEAD)
		return 405;
	doc = r->status_socket ? status_query(r->status_socket, section->pools, ANSWER_MS, &err)
			       : NULL;
	if (!doc) {
		char *text = util_format("the master does not answer: %s\n", err ? err : "");

		answer(r, 503, PLAIN, text, strlen(text));
		free(text);
		free(err);
		return 0;
	}
	status = show(r, view, doc);
	status_doc_free(doc);
	return status;
}

size_t
http_status_agent(const char *status_socket, char *const *pools, char *buf, size_t size)
{
	char *err = NULL;
	struct status_doc *doc =
	    status_socket ? status_query(status_socket, pools, AGENT_MS, &err) : NULL;

	if (!doc)
		snprintf(buf, size, "down #the master does not answer\n");
	else if (status_is_draining(doc))
		snprintf(buf, size, "drain\n");
	else
		snprintf(buf, size, "ready up %d%%\n", status_idle_percent(doc));
	if (doc)
		status_doc_free(doc);
	free(err);
	return strlen(buf);
}
