#include "http_request.h"

#include "address.h"
#include "http_scratch.h"
#include "layout.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

#define REDIRECTS_MAX 5 /* by scripts, for one request */

#define CIRCLE_LOG_MS    1000 /* and so many at once */
#define CIRCLE_LOG_BURST 10

/*
 * What the path has behind the prefix goes behind the target, with one slash between them
 * whatever the two have: else a path could add to the name of a host, or be one.  A target
 * with a query or a fragment is whole.
 */
static void
serve_redirect(struct http_request *r, const struct http_redirect *redirect)
{
	static char location[4 * HTTP_PATH_BYTES + HTTP_REDIRECT_QUERY_BYTES];
	_Static_assert(CONF_REDIRECT_BYTES + 2 <= HTTP_PATH_BYTES, "a target must fit");
	_Static_assert(sizeof(location) + CONF_HEADER_BYTES + 4096 <= HTTP_REPLY_HEAD_BYTES,
		       "the longest head must fit");
	const char *rest = r->target.path + redirect->prefix.len;
	const char *to = redirect->conf->to, *end = r->target.path + r->target.len;
	size_t len = strlen(to);

	if (strpbrk(to, "?#")) {
		http_answer_redirect(r, (int)redirect->conf->code, to);
		return;
	}
	memcpy(location, to, len);
	if (rest < end) {
		rest += *rest == '/';
		len -= location[len - 1] == '/';
		location[len++] = '/';
	}
	http_target_encode(location + len, 3 * HTTP_PATH_BYTES, rest, (size_t)(end - rest));
	http_answer_redirect_query(r, (int)redirect->conf->code, location, sizeof(location));
}

/* Who may see what lies below a location.  0, or a status, with the challenge for 401. */
HOT static int
check_location(struct http_request *r)
{
	const struct http_location *location = http_site_location(r->site, &r->target);
	struct http_text given = { NULL, 0 };
	unsigned held_back;
	const char *why = NULL;
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES];
	int status;

	if (!location)
		return 0;
	if (!cidr_allows(&location->access, r->peer))
		return 403;
	if (!location->auth)
		return 0;
	if (http_head_count(r->head, "authorization") == 1)
		given = http_head_get(r->head, "authorization");
	status = http_auth_check(location->auth, given, &r->user, &why);
	if (status == 401)
		r->challenge = http_scratch_format(
		    "WWW-Authenticate: Basic realm=\"%s\", charset=\"UTF-8\"\r\n",
		    location->conf->auth_realm);
	if (status == 500 && why &&
	    log_limit_pass(&r->scoreboard->auth_limit, HTTP_FAULT_LOG_MS, &held_back))
		log_error("pool %s: %s: auth_user_file %s: %s%s", r->pool,
			  address_format(r->peer, r->from->peer_len, client),
			  location->conf->auth_user_file, why, log_limit_more(held_back, more));
	return status;
}

HOT static int
serve_path(struct http_request *r)
{
	const struct http_cgi *cgi = http_site_script(r->site, &r->target);
	const struct http_alias *alias = http_site_alias(r->site, &r->target);
	const struct http_status *status = http_site_status(r->site, &r->target);
	const char *path = r->target.path + 1;
	int root = r->site->root;

	if (status)
		return http_status_serve(r, status);
	if (cgi)
		return http_cgi_serve(r, cgi);
	if (r->head->method == HTTP_UNKNOWN)
		return 501;
	if (!r->site->conf->dotfiles && http_target_is_hidden(&r->target))
		return 404;
	if (alias) {
		root = alias->root;
		path = r->target.path + alias->prefix.len;
		path += *path == '/';
	}
	switch (r->head->method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return http_file_serve(r, root, path);
	case HTTP_OPTIONS:
		http_answer_status(r, 200, HTTP_ALLOW);
		return 0;
	default:
		return 405;
	}
}

/* 0: it is answered; or a status, or HTTP_CGI_REDIRECTS. */
static int
serve_target(struct http_request *r)
{
	const struct http_redirect *redirect;
	int status = http_target_parse(r->head->origin, &r->target);

	if (status == 0)
		status = check_location(r);
	if (status != 0)
		return status;
	redirect = http_site_redirect(r->site, &r->target);
	if (!redirect)
		return serve_path(r);
	serve_redirect(r, redirect);
	return 0;
}

/* False: there is no room for it. */
static bool
append(struct http_target *target, const char *name)
{
	size_t len = strlen(name);

	if (len >= sizeof(target->path) - target->len)
		return false;
	memcpy(target->path + target->len, name, len + 1);
	target->len += len;
	return true;
}

bool
http_request_is_apart(struct http_request *r, const char *index)
{
	const struct http_location *around = http_site_location(r->site, &r->target);
	size_t len = r->target.len;
	bool apart =
	    append(&r->target, index) && (http_site_script(r->site, &r->target) ||
					  http_site_location(r->site, &r->target) != around);

	r->target.len = len;
	r->target.path[len] = '\0';
	return apart;
}

int
http_request_serve_index(struct http_request *r, const char *index)
{
	int status;

	append(&r->target, index);
	r->target.slash = false;
	status = check_location(r);
	return status == 0 ? serve_path(r) : status;
}

/* The same request for another target, without its body (RFC 3875 6.2.2). */
static void
redirect(struct http_request *r, struct http_head *again)
{
	*again = *r->head;
	again->framing = HTTP_NO_BODY;
	again->content_length = 0;
	again->origin = r->redirect;
	if (again->method != HTTP_HEAD) {
		again->method = HTTP_GET;
		again->method_text = (struct http_text){ "GET", 3 };
	}
	r->head = again;
}

HOT void
http_request_serve(struct http_request *r)
{
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES];
	struct http_head again;
	unsigned held_back;
	int status, redirects = 0;

	if (r->head->method == HTTP_TRACE || r->head->method == HTTP_CONNECT) {
		http_answer_status(r, 405, HTTP_ALLOW);
		return;
	}
	if (r->head->method == HTTP_OPTIONS && http_text_is(r->head->origin, "*")) {
		http_answer_status(r, 200, HTTP_ALLOW);
		return;
	}
	r->uri = r->head->origin;
	while ((status = serve_target(r)) == HTTP_CGI_REDIRECTS && redirects++ < REDIRECTS_MAX)
		redirect(r, &again);
	if (status == HTTP_CGI_REDIRECTS) {
		if (log_limit_burst(&r->scoreboard->circle_limit, CIRCLE_LOG_MS, CIRCLE_LOG_BURST,
				    &held_back))
			log_warn("pool %s: %s: scripts redirect in a circle: %.*s%s", r->pool,
				 address_format(r->peer, r->from->peer_len, client),
				 (int)r->uri.len, r->uri.at, log_limit_more(held_back, more));
		status = 500;
	}
	if (status == 400)
		r->keep_alive = false;
	if (status != 0)
		http_answer_status(r, status, status == 405 ? HTTP_ALLOW : r->challenge);
}
