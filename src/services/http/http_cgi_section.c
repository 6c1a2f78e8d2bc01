#include "http_cgi_section.h"

#include "exec_env.h"
#include "http_cgi_env.h"
#include "log.h"
#include "rlimits.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- in the master ---- */

static int
resolve_own(struct http_cgi *cgi, const struct conf_pool *pool, const struct identity *id,
	    char **err)
{
	static const char *const at_fault[] = { "user", "group", "group" };
	const char *user = cgi->conf->user ? cgi->conf->user : pool->user;
	const char *option = cgi->conf->user ? "user" : "group";
	char *why = NULL;
	bool ignored;
	int result;

	if (!cgi->conf->user && !cgi->conf->group)
		return 0;
	if (id->change && id->uid != 0)
		return conf_block_fail(
		    cgi->block, option,
		    util_format("the pool's workers run as %s, and only root can "
				"start a script as somebody else",
				id->user),
		    err);
	result = identity_resolve(&cgi->own, user, cgi->conf->group, NULL, &ignored, &why);
	if (result < 0)
		return conf_block_fail(cgi->block, at_fault[-result - 1], why, err);
	if (ignored)
		log_warn("not started by root, so %s of cgi \"%s\" is ignored", option,
			 cgi->prefix.text);
	return 0;
}

/* What it would set is a request's alone.  -1 with *why. */
static int
check_names(char *const *list, char **why)
{
	for (; list && *list; list++)
		if (http_cgi_env_is_reserved(*list))
			return util_fail(why, "%.*s is set anew for each request",
					 (int)strcspn(*list, "="), *list);
	return 0;
}

static int
check_environment(const struct http_cgi *cgi, const struct conf_pool *pool, char **err)
{
	char *why = NULL;

	if (check_names(cgi->conf->environment, &why) < 0)
		return conf_block_fail(cgi->block, "environment", why, err);
	if (check_names(cgi->conf->pass_environment, &why) < 0)
		return conf_block_fail(cgi->block, "pass_environment", why, err);
	if (check_names(pool->environment, &why) < 0)
		return conf_pool_fail(pool, "environment", why, err);
	if (check_names(pool->pass_environment, &why) < 0)
		return conf_pool_fail(pool, "pass_environment", why, err);
	if (util_list_len(cgi->environment) > HTTP_CGI_ENV_FIXED_MAX)
		return conf_block_fail(
		    cgi->block, "environment",
		    util_format("more than %d variables", HTTP_CGI_ENV_FIXED_MAX), err);
	return 0;
}

/* What the file system says, seen from outside of a chroot. */
static int
check_files(const struct http_cgi *cgi, const struct conf_pool *pool, const struct identity *id,
	    char **err)
{
	const char *path = cgi->conf->path ? cgi->conf->path : cgi->conf->script;
	char *outside = util_format("%s%s", pool->chroot ? pool->chroot : "", path), *why = NULL;
	struct stat st;
	bool there = stat(outside, &st) == 0;

	if (there && cgi->conf->path && !S_ISDIR(st.st_mode))
		util_fail(&why, "%s is not a directory", outside);
	else if (there && cgi->conf->script && !S_ISREG(st.st_mode))
		util_fail(&why, "%s is not a program: not a regular file", outside);
	else
		identity_may(cgi->own.user ? &cgi->own : id, pool->chroot, path, X_OK, &why);
	free(outside);
	return why ? conf_block_fail(cgi->block, cgi->conf->path ? "path" : "script", why, err) : 0;
}

/* FNV-1a */
static uint32_t
hash(uint32_t before, const char *text)
{
	for (; *text; text++)
		before = (before ^ (unsigned char)*text) * 16777619U;
	return before;
}

/* A script may have less than its worker, and more only if that one is root. */
static int
check_limits(const struct http_cgi *cgi, const struct conf_pool *pool, const struct identity *id,
	     char **err)
{
	int64_t nice = pool->nice == CONF_UNSET ? getpriority(PRIO_PROCESS, 0) : pool->nice;
	char option[32];
	int i;

	if (id->uid == 0)
		return 0;
	if (cgi->conf->nice != CONF_UNSET && cgi->conf->nice < nice)
		return conf_block_fail(
		    cgi->block, "nice",
		    util_format("only root can go below the workers' own (%lld)", (long long)nice),
		    err);
	i = rlimits_beyond(cgi->conf->rlimit, pool->rlimit);
	if (i < 0)
		return 0;
	snprintf(option, sizeof(option), "rlimit_%s", conf_rlimit_names[i]);
	return conf_block_fail(cgi->block, option,
			       util_strdup("only root can go beyond the workers' own"), err);
}

int
http_cgi_prepare(struct http_cgi *cgi, const struct conf_pool *pool, const struct identity *id,
		 const char *site, const struct conf_block *block, char **err)
{
	cgi->block = block;
	cgi->conf = block->values;
	cgi->number = hash(hash(2166136261U, site ? site : ""), block->title);
	if (resolve_own(cgi, pool, id, err) < 0 || check_files(cgi, pool, id, err) < 0 ||
	    check_limits(cgi, pool, id, err) < 0)
		return -1;
	cgi->environment = exec_env_fixed(pool, cgi->own.user ? &cgi->own : id);
	exec_env_extend(&cgi->environment, cgi->conf->pass_environment, cgi->conf->environment);
	return check_environment(cgi, pool, err);
}

void
http_cgi_release(struct http_cgi *cgi)
{
	util_list_free(cgi->environment);
	identity_free(&cgi->own);
}

/* ---- in the worker ---- */

static char file[PATH_MAX], directory[PATH_MAX];

static void
note_file(struct http_script *script)
{
	char *slash = strrchr(file, '/');

	script->file = file;
	script->directory = directory;
	script->nph = strncmp(slash + 1, "nph-", 4) == 0;
	memcpy(directory, file, (size_t)(slash - file));
	directory[slash == file ? 1 : slash - file] = '\0';
	directory[0] = '/';
}

/* Appends the components of path one by one until a file is there; its status. */
static int
walk(size_t len, const char *path, bool dotfiles, const char **end)
{
	struct stat st;

	for (;;) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (path[0] == '.' && !dotfiles) || len + n + 2 > sizeof(file))
			return 404;
		file[len++] = '/';
		memcpy(file + len, path, n);
		len += n;
		path += n;
		file[len] = '\0';
		if (stat(file, &st) < 0)
			return errno == EACCES ? 403 : 404;
		if (S_ISREG(st.st_mode))
			break;
		if (!S_ISDIR(st.st_mode) || *path != '/')
			return 404;
		path++;
	}
	*end = path;
	return st.st_mode & 0111 ? 0 : 403;
}

int
http_cgi_find(const struct http_cgi *cgi, const struct http_target *t, bool dotfiles,
	      struct http_script *script)
{
	const char *root = cgi->conf->path ? cgi->conf->path : cgi->conf->script;
	const char *rest = t->path + cgi->prefix.len;
	size_t len = strlen(root);
	int status = 0;

	if (len >= sizeof(file))
		return 404;
	memcpy(file, root, len + 1);
	if (cgi->conf->script) {
		rest -= rest > t->path && rest[-1] == '/'; /* PATH_INFO begins with it */
	} else {
		while (len > 0 && file[len - 1] == '/')
			len--;
		rest += *rest == '/';
		status = walk(len, rest, dotfiles, &rest);
	}
	if (status != 0)
		return status;
	script->name_len = (size_t)(rest - t->path);
	note_file(script);
	return 0;
}
