#include "http_exposure.h"

#include <stdlib.h>
#include <string.h>

/* Without links; NULL if it is not there. */
static char *
resolve(const struct conf_pool *pool, const char *path)
{
	char *outside = util_format("%s%s", pool->chroot ? pool->chroot : "", path);
	char *real = realpath(outside, NULL);

	free(outside);
	return real;
}

/* What follows root in path, "" or beginning with a slash; NULL: it is not below it. */
static const char *
below(const char *root, const char *path)
{
	size_t len = strcmp(root, "/") == 0 ? 0 : strlen(root);

	if (strncmp(root, path, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return NULL;
	return path + len;
}

/* files: a directory that the site shows below prefix. */
static int
check_one(const struct http_site *site, const char *prefix, const char *files,
	  const struct http_cgi *cgi, const char *scripts, char **err)
{
	const char *rest = below(files, scripts);
	size_t len = strlen(prefix);
	struct http_target t;
	int n;

	if (!rest)
		return 0;
	len -= len > 0 && prefix[len - 1] == '/';
	n = snprintf(t.path, sizeof(t.path), "%.*s%s%s", (int)len, prefix, rest,
		     cgi->conf->path ? "/" : "");
	t.len = util_min((size_t)n, sizeof(t.path) - 1);
	if (http_site_script(site, &t))
		return 0;
	return conf_block_fail(cgi->block, cgi->conf->path ? "path" : "script",
			       util_format("%s would be shown as %s at %s",
					   cgi->conf->path ? "its scripts" : "the script",
					   cgi->conf->path ? "files" : "a file", t.path),
			       err);
}

static int
check_site(const struct http_site *site, const struct conf_pool *pool, const struct http_cgi *cgi,
	   const char *scripts, char **err)
{
	char *root = resolve(pool, site->conf->document_root);
	int result = root ? check_one(site, "/", root, cgi, scripts, err) : 0;

	free(root);
	for (const struct http_site *from = site; from; from = from->outer)
		for (size_t i = 0; result == 0 && i < from->naliases; i++) {
			const struct http_alias *alias = &from->aliases[i];

			root = resolve(pool, alias->path);
			result =
			    root ? check_one(site, alias->prefix.text, root, cgi, scripts, err) : 0;
			free(root);
		}
	return result;
}

int
http_exposure_check(const struct http_sites *sites, const struct conf_pool *pool, char **err)
{
	int result = 0;

	for (size_t i = 0; i < sites->n; i++)
		for (size_t k = 0; k < sites->at[i].ncgis; k++) {
			const struct http_cgi *cgi = &sites->at[i].cgis[k];
			char *scripts =
			    resolve(pool, cgi->conf->path ? cgi->conf->path : cgi->conf->script);

			for (size_t j = 0; scripts && result == 0 && j < sites->n; j++)
				result = check_site(&sites->at[j], pool, cgi, scripts, err);
			free(scripts);
		}
	return result;
}
