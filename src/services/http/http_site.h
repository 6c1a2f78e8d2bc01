/*
 * What the configuration says of sites, made ready for requests: in the master checked and
 * sorted, in the worker with its directories open.
 */
#ifndef PREFORKD_SERVICES_HTTP_SITE_H
#define PREFORKD_SERVICES_HTTP_SITE_H

#include "cidr.h"
#include "conf.h"
#include "http_auth.h"
#include "http_cgi_section.h"

/* Of what has a prefix, the one with the longest that fits counts. */

struct http_alias {
	struct http_prefix prefix;
	const char *path;
	int root; /* O_PATH; -1 in the master */
};

struct http_redirect {
	struct http_prefix prefix;
	const struct conf_redirect *conf;
};

struct http_location {
	struct http_prefix prefix;
	const struct conf_location *conf;
	struct cidr_list access;
	struct http_auth *auth; /* or NULL */
};

struct http_status {
	struct http_prefix prefix;
	struct cidr_list access;
	char *const *pools; /* of the configuration; NULL: all */
};

struct http_error_document {
	int status;
	const char *file;
};

struct http_site {
	const struct conf_site *conf;
	const struct http_site *outer; /* the default one, whose sections it inherits; or NULL */
	int root;                      /* of document_root */
	char *fields;                  /* of "header": lines with CRLF; or NULL */
	struct http_alias *aliases;
	struct http_cgi *cgis;
	struct http_redirect *redirects;
	struct http_location *locations;
	struct http_status *statuses;
	struct http_error_document *errors;
	size_t naliases, ncgis, nredirects, nlocations, nstatuses, nerrors;
};

struct http_sites {
	struct http_site *at; /* the first one is the default */
	size_t n;
	bool has_cgi, has_status;
};

/* In the master: 0, or -1 with *err as "FILE:LINE: text".  conf must outlive it. */
int http_sites_prepare(struct http_sites *sites, const struct conf_pool *conf,
		       const struct identity *id, char **err);
/* One site that has nothing but the status, at "/". */
int http_sites_prepare_status(struct http_sites *sites, const struct conf_pool *conf, char **err);
void http_sites_free(struct http_sites *sites);

/* In the worker, with its identity: opens the directories.  -1 with *err. */
int http_sites_open(struct http_sites *sites, char **err);

/* By the name of the host, of which case does not count. */
const struct http_site *http_sites_find(const struct http_sites *sites, struct http_text host);

/* The longest prefix that fits the path, of the site or else of the outer one; NULL: none. */
const struct http_alias *http_site_alias(const struct http_site *site, const struct http_target *t);
/* NULL also where the prefix of an alias is longer. */
const struct http_cgi *http_site_script(const struct http_site *site, const struct http_target *t);
const struct http_redirect *http_site_redirect(const struct http_site *site,
					       const struct http_target *t);
const struct http_location *http_site_location(const struct http_site *site,
					       const struct http_target *t);
const struct http_status *http_site_status(const struct http_site *site,
					   const struct http_target *t);
const char *http_site_error_document(const struct http_site *site, int status);

#endif
