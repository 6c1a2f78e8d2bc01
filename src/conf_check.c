/*
 * conf_finish(): what follows from the options together, without looking at the
 * machine.
 */
#include "conf_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int
fail_at(char **err, struct conf_where where, const char *text)
{
	return util_fail(err, "%s:%d: %s", where.file, where.line, text);
}

/* Where the pool sets an option, or where the pool begins. */
static struct conf_where
where_of(const struct conf_pool *pool, const char *option)
{
	struct conf_where where = pool->set[conf_option_index(&conf_pool_section, option)];

	return where.file ? where : pool->where;
}

static bool
is_set(const struct conf_pool *pool, const char *option)
{
	return pool->set[conf_option_index(&conf_pool_section, option)].file != NULL;
}

static int fail_option(char **err, const struct conf_pool *pool, const char *option,
		       const char *fmt, ...) PRINTF_LIKE(4, 5);

static int
fail_option(char **err, const struct conf_pool *pool, const char *option, const char *fmt, ...)
{
	struct conf_where where = where_of(pool, option);
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return util_fail(err, "%s:%d: pool \"%s\": %s", where.file, where.line, pool->name, text);
}

static int
finish_fixed(struct conf_pool *pool, char **err)
{
	static const char *const dynamic[] = { "start_workers", "min_spare_workers",
					       "max_spare_workers", "max_workers" };

	for (size_t i = 0; i < ARRAY_LEN(dynamic); i++)
		if (is_set(pool, dynamic[i]))
			return fail_option(
			    err, pool, dynamic[i],
			    "%s contradicts workers: \"workers = N\" makes a pool of "
			    "fixed size; keep one of the two",
			    dynamic[i]);
	pool->start_workers = pool->workers;
	pool->min_spare_workers = 0;
	pool->max_spare_workers = pool->workers;
	pool->max_workers = pool->workers;
	return 0;
}

/* A default gives way to what the file says; two options that the file says must agree. */
static int
finish_dynamic(struct conf_pool *p, const struct conf *conf, char **err)
{
	bool on_demand = is_set(p, "start_workers") && p->start_workers == 0 &&
			 is_set(p, "min_spare_workers") && p->min_spare_workers == 0;

	p->workers = CONF_UNSET;
	if (!is_set(p, "max_workers"))
		p->max_workers = util_min(p->max_workers, conf->max_workers);
	if (!is_set(p, "min_spare_workers"))
		p->min_spare_workers = util_min(p->min_spare_workers, p->max_workers);
	if (!is_set(p, "max_spare_workers"))
		p->max_spare_workers =
		    on_demand ? 0
			      : util_max(util_min(p->max_spare_workers, p->max_workers),
					 p->min_spare_workers);
	if (!is_set(p, "start_workers"))
		p->start_workers =
		    util_min(util_max(p->start_workers, p->min_spare_workers), p->max_workers);
	if (!is_set(p, "min_spare_workers") && is_set(p, "max_spare_workers"))
		p->min_spare_workers = util_min(p->min_spare_workers, p->max_spare_workers);

	if (p->min_spare_workers > p->max_workers)
		return fail_option(err, p, "min_spare_workers",
				   "min_spare_workers (%lld) is more than max_workers (%lld)",
				   (long long)p->min_spare_workers, (long long)p->max_workers);
	if (p->start_workers > p->max_workers)
		return fail_option(err, p, "start_workers",
				   "start_workers (%lld) is more than max_workers (%lld)",
				   (long long)p->start_workers, (long long)p->max_workers);
	if (p->min_spare_workers > p->max_spare_workers)
		return fail_option(err, p, "max_spare_workers",
				   "max_spare_workers (%lld) is less than min_spare_workers (%lld)",
				   (long long)p->max_spare_workers,
				   (long long)p->min_spare_workers);
	return 0;
}

static int
check_module(const struct conf_pool *pool, char **err)
{
	char **options = pool->module.option;

	if (!pool->module.file)
		return fail_option(err, pool, "service",
				   "service \"module\" needs a shared object: "
				   "module { file = \"/path/to/it.so\" }");
	for (size_t i = 0; options && options[i]; i++)
		if (!strchr(options[i], '=') || options[i][0] == '=')
			return conf_service_fail(
			    pool, "option",
			    util_format("\"%s\" is not an option: write \"name=value\"",
					options[i]),
			    err);
	return 0;
}

static int
check_sections(struct conf_pool *pool, char **err)
{
	for (size_t i = 0; i < CONF_SERVICES; i++) {
		char *text;

		if ((int64_t)i == pool->service || !pool->section_where[i].file)
			continue;
		text = util_format("pool \"%s\": section %s does not belong to service \"%s\"",
				   pool->name, conf_service_names[i],
				   conf_service_names[pool->service]);
		fail_at(err, pool->section_where[i], text);
		free(text);
		return -1;
	}
	if (pool->service == CONF_SERVICE_EXEC && util_list_len(pool->exec.command) == 0)
		return fail_option(err, pool, "service",
				   "service \"exec\" needs a program: "
				   "exec { command = { \"/path/to/program\", \"argument\" } }");
	if (pool->service == CONF_SERVICE_EXEC && conf_check_exec(pool, err) < 0)
		return -1;
	if (pool->service == CONF_SERVICE_MODULE && check_module(pool, err) < 0)
		return -1;
	if (pool->service == CONF_SERVICE_HTTP)
		return conf_check_http(pool, err);
	if (pool->service == CONF_SERVICE_PROGRAM && conf_check_program(pool, err) < 0)
		return -1;
	if (pool->access_log)
		return fail_option(err, pool, "access_log", "access_log is for service \"http\"");
	if (strcmp(pool->access_format, "combined") != 0) /* its default, which a dump shows */
		return fail_option(err, pool, "access_format",
				   "access_format is for service \"http\"");
	return 0;
}

/* What has no meaning without another option, or with this service, was meant otherwise. */
static int
check_access(struct conf_pool *pool, char **err)
{
	bool is_http = pool->service == CONF_SERVICE_HTTP || pool->service == CONF_SERVICE_STATUS;

	if (is_http && pool->banner)
		return fail_option(err, pool, "banner",
				   "banner is not for HTTP: its clients speak first");
	if (is_http && pool->banner_file)
		return fail_option(err, pool, "banner_file",
				   "banner_file is not for HTTP: its clients speak first");
	if (pool->banner && pool->banner_file)
		return fail_option(err, pool, "banner_file",
				   "banner_file contradicts banner: keep one of the two");
	if (pool->defer_accept && (pool->banner || pool->banner_file))
		return fail_option(err, pool, "defer_accept",
				   "defer_accept waits for a client that waits for the banner: "
				   "keep one of the two");
	if (is_http && pool->deny_message)
		return fail_option(err, pool, "deny_message",
				   "deny_message is not for HTTP: it answers 403, "
				   "429 or 503");
	if (pool->rate_burst > 1 && pool->rate_limit == 0)
		return fail_option(err, pool, "rate_burst", "rate_burst goes with rate_limit");
	if (pool->rate_burst_per_source > 1 && pool->rate_limit_per_source == 0)
		return fail_option(err, pool, "rate_burst_per_source",
				   "rate_burst_per_source goes with rate_limit_per_source");
	if (pool->proxy_protocol != CONF_PROXY_OFF && !pool->proxy_from)
		return fail_option(err, pool, "proxy_protocol",
				   "proxy_protocol needs proxy_from: anybody else could claim to "
				   "be anybody");
	if (pool->proxy_protocol == CONF_PROXY_OFF && pool->proxy_from)
		return fail_option(err, pool, "proxy_from",
				   "proxy_from goes with proxy_protocol = on or optional");
	return 0;
}

/* So that a fault in an inherited value is told where it was written. */
static void
inherit_place(struct conf_pool *pool, const struct conf *conf, const char *option)
{
	pool->set[conf_option_index(&conf_pool_section, option)] =
	    conf->set[conf_option_index(&conf_global_section, option)];
}

/* Whoever names a user gets that user's group, not the group of another level. */
static void
inherit(struct conf_pool *pool, const struct conf *conf)
{
	if (!pool->user) {
		pool->user = util_strdup(conf->user);
		inherit_place(pool, conf, "user");
		if (!pool->group) {
			pool->group = util_strdup(conf->group);
			inherit_place(pool, conf, "group");
		}
	}
	if (pool->old_generation_max == CONF_UNSET)
		pool->old_generation_max = pool->max_workers;
	if (pool->graceful_timeout == CONF_UNSET)
		pool->graceful_timeout = conf->graceful_timeout;
}

static int
finish_pool(struct conf_pool *pool, const struct conf *conf, char **err)
{
	if (pool->service == CONF_UNSET)
		return fail_option(
		    err, pool, "service",
		    "no service: write service = \"http\" (or exec, program, module, echo, rot13)");
	if (!pool->listen)
		return fail_option(err, pool, "listen",
				   "no listen address: write listen = \"127.0.0.1:8080\", "
				   "\"[::1]:8080\", \"8080\", \"/a/path\" or \"@name\"");
	if ((pool->workers == CONF_UNSET ? finish_dynamic(pool, conf, err)
					 : finish_fixed(pool, err)) < 0)
		return -1;
	if (pool->max_workers > conf->max_workers && is_set(pool, "max_workers"))
		return fail_option(err, pool, "max_workers",
				   "max_workers (%lld) is more than the max_workers of all pools "
				   "together (%lld)",
				   (long long)pool->max_workers, (long long)conf->max_workers);
	inherit(pool, conf);
	if (check_access(pool, err) < 0)
		return -1;
	return check_sections(pool, err);
}

/* A name that is none of a pool's would be in order whatever happens.  NULL: all are. */
static char *
unknown_pool(const struct conf *conf, char *const *names)
{
	if (names && !*names)
		return util_strdup("an empty list: leave the option out, or say which");
	for (; names && *names; names++)
		if (!conf_find_pool(conf, *names))
			return util_format("there is no pool \"%s\"", *names);
	return NULL;
}

static int
check_shown_by(const struct conf *conf, const struct conf_block *block, char **err)
{
	if (block->section == &conf_status_section) {
		const struct conf_status *status = block->values;
		char *why = unknown_pool(conf, status->pools);

		return why ? conf_block_fail(block, "pools", why, err) : 0;
	}
	for (size_t i = 0; i < block->n; i++)
		if (check_shown_by(conf, block->blocks[i], err) < 0)
			return -1;
	return 0;
}

static int
check_shown(const struct conf *conf, const struct conf_pool *pool, char **err)
{
	char *why;

	if (pool->service != CONF_SERVICE_STATUS)
		return check_shown_by(conf, pool->http, err);
	why = unknown_pool(conf, pool->status.pools);
	return why ? conf_service_fail(pool, "pools", why, err) : 0;
}

int
conf_finish(struct conf *conf, char **err)
{
	int64_t start = 0;

	if (conf->npools == 0)
		return util_fail(err,
				 "%s: no pool, so there is nothing to serve: write at least "
				 "one pool \"name\" { ... }",
				 conf->files[0]);
	for (size_t i = 0; i < conf->npools; i++) {
		if (finish_pool(conf->pools[i], conf, err) < 0)
			return -1;
		start += conf->pools[i]->start_workers;
		if (start > conf->max_workers)
			return fail_option(err, conf->pools[i], "start_workers",
					   "all pools together start %lld workers or more, "
					   "and the global max_workers is %lld",
					   (long long)start, (long long)conf->max_workers);
	}
	for (size_t i = 0; i < conf->npools; i++)
		if (check_shown(conf, conf->pools[i], err) < 0)
			return -1;
	return 0;
}
