#include "http_site.h"

#include "http_authority.h"
#include "layout.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- in the master ---- */

/* Something of that kind, which the workers may enter or read. */
static int
check_place(const struct conf_pool *conf, const struct identity *id, const struct conf_block *block,
	    const char *option, const char *path, mode_t kind, char **err)
{
	char *outside = util_format("%s%s", conf->chroot ? conf->chroot : "", path), *why = NULL;
	bool directory = kind == S_IFDIR;
	struct stat st;

	if (stat(outside, &st) == 0 && (st.st_mode & S_IFMT) != kind)
		util_fail(&why, "%s is not a %s", outside,
			  directory ? "directory" : "regular file");
	else
		identity_may(id, conf->chroot, path, directory ? X_OK : R_OK, &why);
	free(outside);
	return why ? conf_block_fail(block, option, why, err) : 0;
}

static struct http_prefix
prefix_of(const struct conf_block *block)
{
	return (struct http_prefix){ block->title, strlen(block->title) };
}

/* Users who cannot be let in are told early, but do no harm to the others. */
static void
warn_of_users(const struct conf_pool *pool, const char *path)
{
	char *outside = util_format("%s%s", pool->chroot ? pool->chroot : "", path), *why = NULL;

	if (http_auth_verify(outside, &why) < 0)
		log_warn("pool %s: auth_user_file: %s", pool->name, why);
	free(outside);
	free(why);
}

/* Who writes an empty list can mean everybody or nobody. */
static int
add_list(struct cidr_list *access, char *const *list, bool deny, char **why)
{
	if (list && !*list)
		return util_fail(why, "an empty list: leave the option out, or say who");
	for (; list && *list; list++)
		if (cidr_add(access, *list, deny, why) < 0)
			return -1;
	return 0;
}

/* The option that is at fault, with *why; NULL: none. */
static const char *
add_access(struct cidr_list *access, char *const *allow, char *const *deny, char **why)
{
	if (add_list(access, allow, false, why) < 0)
		return "allow";
	return add_list(access, deny, true, why) < 0 ? "deny" : NULL;
}

static int
add_status(struct http_status *status, const struct conf_block *block, char **err)
{
	const struct conf_status *conf = block->values;
	char *why = NULL;
	const char *at_fault = add_access(&status->access, conf->allow, conf->deny, &why);

	status->prefix = prefix_of(block);
	status->pools = conf->pools;
	return at_fault ? conf_block_fail(block, at_fault, why, err) : 0;
}

static int
add_location(struct http_location *location, const struct conf_pool *pool,
	     const struct identity *id, const struct conf_block *block, char **err)
{
	const struct conf_location *conf = block->values;
	char *why = NULL;
	const char *at_fault = add_access(&location->access, conf->allow, conf->deny, &why);

	if (at_fault)
		return conf_block_fail(block, at_fault, why, err);
	if (!conf->auth_user_file)
		return 0;
	location->auth = http_auth_new(conf->auth_user_file);
	if (identity_may(id, pool->chroot, conf->auth_user_file, R_OK, &why) < 0)
		return conf_block_fail(block, "auth_user_file", why, err);
	warn_of_users(pool, conf->auth_user_file);
	return 0;
}

static int
add_block(struct http_site *site, const struct conf_pool *conf, const struct identity *id,
	  const struct conf_block *block, char **err)
{
	if (block->section == &conf_alias_section) {
		const struct conf_alias *alias = block->values;

		site->aliases[site->naliases++] =
		    (struct http_alias){ prefix_of(block), alias->path, -1 };
		return check_place(conf, id, block, "path", alias->path, S_IFDIR, err);
	}
	if (block->section == &conf_cgi_section) {
		struct http_cgi *cgi = &site->cgis[site->ncgis++];

		cgi->prefix = prefix_of(block);
		return http_cgi_prepare(cgi, conf, id, site->conf->server_name, block, err);
	}
	if (block->section == &conf_redirect_section)
		site->redirects[site->nredirects++] =
		    (struct http_redirect){ prefix_of(block), block->values };
	if (block->section == &conf_error_document_section) {
		const struct conf_error_document *page = block->values;

		site->errors[site->nerrors++] =
		    (struct http_error_document){ atoi(block->title), page->file };
		return check_place(conf, id, block, "file", page->file, S_IFREG, err);
	}
	if (block->section == &conf_status_section)
		return add_status(&site->statuses[site->nstatuses++], block, err);
	if (block->section != &conf_location_section)
		return 0;
	site->locations[site->nlocations] =
	    (struct http_location){ .prefix = prefix_of(block), .conf = block->values };
	return add_location(&site->locations[site->nlocations++], conf, id, block, err);
}

/*
 * Requests are for a host as http_authority_parse() has it, without a port and the last dot.  A
 * name that is none of these would leave its requests to the default site, without a word.
 */
static bool
can_be_asked_for(const char *name)
{
	struct http_text text = { name, strlen(name) }, host, port;

	return http_authority_parse(text, &host, &port) && !port.at && !strchr(name, '*') &&
	       name[text.len - 1] != '.';
}

static int
check_name(const struct conf_block *block, const char *option, const char *name, char **err)
{
	bool wildcard = strcmp(option, "server_alias") == 0 && strncmp(name, "*.", 2) == 0;

	if (can_be_asked_for(wildcard ? name + 2 : name))
		return 0;
	return conf_block_fail(block, option,
			       util_format("\"%s\" is the name of no host: write it as "
					   "\"www.example.org\", without a port",
					   name),
			       err);
}

static int
check_names(const struct conf_block *block, const struct conf_site *conf, char **err)
{
	if (conf->server_name && check_name(block, "server_name", conf->server_name, err) < 0)
		return -1;
	for (size_t i = 0; conf->server_alias && conf->server_alias[i]; i++)
		if (check_name(block, "server_alias", conf->server_alias[i], err) < 0)
			return -1;
	return 0;
}

static char *
join_fields(char *const *list)
{
	char *joined = NULL;

	for (size_t i = 0; list && list[i]; i++) {
		char *longer = util_format("%s%s\r\n", joined ? joined : "", list[i]);

		free(joined);
		joined = longer;
	}
	return joined;
}

static int
prepare_site(struct http_site *site, const struct conf_pool *conf, const struct identity *id,
	     const struct conf_block *block, char **err)
{
	site->conf = block->values; /* a struct conf_http begins with its site */
	site->root = -1;
	site->fields = join_fields(site->conf->header);
	site->aliases = util_calloc(block->n + 1, sizeof(*site->aliases));
	site->cgis = util_calloc(block->n + 1, sizeof(*site->cgis));
	site->redirects = util_calloc(block->n + 1, sizeof(*site->redirects));
	site->statuses = util_calloc(block->n + 1, sizeof(*site->statuses));
	site->locations = util_calloc(block->n + 1, sizeof(*site->locations));
	site->errors = util_calloc(block->n + 1, sizeof(*site->errors));
	if (check_names(block, site->conf, err) < 0 ||
	    check_place(conf, id, block, "document_root", site->conf->document_root, S_IFDIR, err) <
		0)
		return -1;
	for (size_t i = 0; i < block->n; i++)
		if (add_block(site, conf, id, block->blocks[i], err) < 0)
			return -1;
	return 0;
}

int
http_sites_prepare(struct http_sites *sites, const struct conf_pool *conf,
		   const struct identity *id, char **err)
{
	const struct conf_block *http = conf->http;

	sites->at = util_calloc(http->n + 1, sizeof(*sites->at));
	sites->n = 1;
	if (prepare_site(&sites->at[0], conf, id, http, err) < 0)
		return -1;
	for (size_t i = 0; i < http->n; i++)
		if (http->blocks[i]->section == &conf_site_section) {
			sites->at[sites->n].outer = &sites->at[0];
			if (prepare_site(&sites->at[sites->n++], conf, id, http->blocks[i], err) <
			    0)
				return -1;
		}
	for (size_t i = 0; i < sites->n; i++) {
		sites->has_cgi |= sites->at[i].ncgis > 0;
		sites->has_status |= sites->at[i].nstatuses > 0;
	}
	return 0;
}

int
http_sites_prepare_status(struct http_sites *sites, const struct conf_pool *conf, char **err)
{
	struct http_site *site = util_calloc(1, sizeof(*site));
	char *why = NULL;
	const char *at_fault;

	*sites = (struct http_sites){ .at = site, .n = 1, .has_status = true };
	site->conf = conf->http->values;
	site->root = -1;
	site->statuses = util_calloc(1, sizeof(*site->statuses));
	site->nstatuses = 1;
	site->statuses[0] =
	    (struct http_status){ .prefix = { "/", 1 }, .pools = conf->status.pools };
	at_fault =
	    add_access(&site->statuses[0].access, conf->status.allow, conf->status.deny, &why);
	return at_fault ? conf_service_fail(conf, at_fault, why, err) : 0;
}

void
http_sites_free(struct http_sites *sites)
{
	for (size_t i = 0; i < sites->n; i++) {
		struct http_site *site = &sites->at[i];

		for (size_t k = 0; k < site->nlocations; k++) {
			cidr_free(&site->locations[k].access);
			http_auth_free(site->locations[k].auth);
		}
		for (size_t k = 0; k < site->ncgis; k++)
			http_cgi_release(&site->cgis[k]);
		for (size_t k = 0; k < site->nstatuses; k++)
			cidr_free(&site->statuses[k].access);
		free(site->statuses);
		free(site->cgis);
		free(site->fields);
		free(site->aliases);
		free(site->redirects);
		free(site->locations);
		free(site->errors);
	}
	free(sites->at);
}

/* ---- in the worker ---- */

static int
open_root(const char *path, int *fd, char **err)
{
	*fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? util_fail(err, "%s: %s", path, strerror(errno)) : 0;
}

int
http_sites_open(struct http_sites *sites, char **err)
{
	for (size_t i = 0; i < sites->n; i++) {
		struct http_site *site = &sites->at[i];

		if (site->conf->document_root &&
		    open_root(site->conf->document_root, &site->root, err) < 0)
			return -1;
		for (size_t k = 0; k < site->naliases; k++)
			if (open_root(site->aliases[k].path, &site->aliases[k].root, err) < 0)
				return -1;
	}
	return 0;
}

static bool
has_name(const struct conf_site *conf, struct http_text host)
{
	if (conf->server_name && http_text_is_nocase(host, conf->server_name))
		return true;
	for (size_t i = 0; conf->server_alias && conf->server_alias[i]; i++)
		if (http_text_is_nocase(host, conf->server_alias[i]))
			return true;
	return false;
}

/* The length of the longest "*.name" that fits, or 0. */
static size_t
fits_wildcard(const struct conf_site *conf, struct http_text host)
{
	size_t best = 0;

	for (size_t i = 0; conf->server_alias && conf->server_alias[i]; i++) {
		const char *alias = conf->server_alias[i];
		size_t len = strlen(alias);

		if (alias[0] != '*' || alias[1] != '.' || host.len < len || len <= best)
			continue;
		if (strncasecmp(host.at + host.len - (len - 1), alias + 1, len - 1) == 0)
			best = len;
	}
	return best;
}

HOT const struct http_site *
http_sites_find(const struct http_sites *sites, struct http_text host)
{
	const struct http_site *found = &sites->at[0];
	size_t best = 0;

	if (sites->n == 1 || !host.at)
		return found;
	if (host.len > 1 && host.at[host.len - 1] == '.')
		host.len--; /* an absolute name is the same host */
	for (size_t i = 0; i < sites->n; i++)
		if (has_name(sites->at[i].conf, host))
			return &sites->at[i];
	for (size_t i = 0; i < sites->n; i++) {
		size_t len = fits_wildcard(sites->at[i].conf, host);

		if (len > best) {
			best = len;
			found = &sites->at[i];
		}
	}
	return found;
}

/* Of a list whose items begin with their prefix; NULL: none fits. */
static const void *
longest(const void *list, size_t n, size_t size, const struct http_target *t)
{
	const struct http_prefix *best = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct http_prefix *prefix = (const void *)((const char *)list + i * size);

		if (http_target_has_prefix(t, prefix) && (!best || prefix->len > best->len))
			best = prefix;
	}
	return best;
}

HOT const struct http_alias *
http_site_alias(const struct http_site *site, const struct http_target *t)
{
	const void *found = longest(site->aliases, site->naliases, sizeof(*site->aliases), t);

	return found || !site->outer ? found : http_site_alias(site->outer, t);
}

HOT static const struct http_cgi *
find_cgi(const struct http_site *site, const struct http_target *t)
{
	const void *found = longest(site->cgis, site->ncgis, sizeof(*site->cgis), t);

	return found || !site->outer ? found : find_cgi(site->outer, t);
}

HOT const struct http_cgi *
http_site_script(const struct http_site *site, const struct http_target *t)
{
	const struct http_cgi *cgi = find_cgi(site, t);
	const struct http_alias *alias = cgi ? http_site_alias(site, t) : NULL;

	return !alias || cgi->prefix.len >= alias->prefix.len ? cgi : NULL;
}

/* What has a longer prefix beside the redirect stays where it is. */
static bool
is_exempt(const struct http_site *site, const struct http_target *t, size_t len)
{
	const struct http_prefix *alias =
	    longest(site->aliases, site->naliases, sizeof(*site->aliases), t);
	const struct http_prefix *cgi = longest(site->cgis, site->ncgis, sizeof(*site->cgis), t);
	const struct http_prefix *status =
	    longest(site->statuses, site->nstatuses, sizeof(*site->statuses), t);

	return (alias && alias->len > len) || (cgi && cgi->len > len) ||
	       (status && status->len > len);
}

HOT const struct http_redirect *
http_site_redirect(const struct http_site *site, const struct http_target *t)
{
	const struct http_redirect *found =
	    longest(site->redirects, site->nredirects, sizeof(*site->redirects), t);

	if (!found && site->outer)
		return http_site_redirect(site->outer, t);
	return found && is_exempt(site, t, found->prefix.len) ? NULL : found;
}

HOT const struct http_status *
http_site_status(const struct http_site *site, const struct http_target *t)
{
	const void *found = longest(site->statuses, site->nstatuses, sizeof(*site->statuses), t);

	return found || !site->outer ? found : http_site_status(site->outer, t);
}

HOT const struct http_location *
http_site_location(const struct http_site *site, const struct http_target *t)
{
	const void *found = longest(site->locations, site->nlocations, sizeof(*site->locations), t);

	return found || !site->outer ? found : http_site_location(site->outer, t);
}

const char *
http_site_error_document(const struct http_site *site, int status)
{
	for (size_t i = 0; i < site->nerrors; i++)
		if (site->errors[i].status == status)
			return site->errors[i].file;
	return site->outer ? http_site_error_document(site->outer, status) : NULL;
}
