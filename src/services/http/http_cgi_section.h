/*
 * A cgi section: in the master checked, with the environment that its scripts have in
 * common; in the worker, which script a path means.
 */
#ifndef PREFORKD_SERVICES_HTTP_CGI_SECTION_H
#define PREFORKD_SERVICES_HTTP_CGI_SECTION_H

#include "conf.h"
#include "http_target.h"
#include "privs.h"

struct http_cgi {
	struct http_prefix prefix; /* comes first: see http_site.c */
	const struct conf_block *block;
	const struct conf_cgi *conf;
	char **environment;
	struct identity own; /* own.user NULL: the worker's */
	uint32_t number;     /* the same over reloads */
};

/* cgi->prefix is set; site is the name of the one it belongs to, or NULL.  0, or -1 with *err as
 * "FILE:LINE: text". */
int http_cgi_prepare(struct http_cgi *cgi, const struct conf_pool *pool, const struct identity *id,
		     const char *site, const struct conf_block *block, char **err);
void http_cgi_release(struct http_cgi *cgi);

struct http_script {
	const char *file;      /* static, until the next call */
	const char *directory; /* that it is in; the same */
	size_t name_len;       /* SCRIPT_NAME is so much of the path, PATH_INFO the rest */
	bool nph;              /* "non-parsed header", RFC 3875 5 */
};

/*
 * The first file along the path below the directory, or the one program.  0, 404, or 403
 * for a file that nobody may execute.
 */
int http_cgi_find(const struct http_cgi *cgi, const struct http_target *target, bool dotfiles,
		  struct http_script *script);

#endif
