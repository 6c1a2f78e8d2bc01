/*
 * The program section with its pool: what must hold, and what cannot be had because the
 * master and the worker see nothing of a connection.
 */
#include "conf_table.h"

#include <stdarg.h>
#include <stdlib.h>

static int fail(const struct conf_pool *pool, struct conf_where where, char **err, const char *fmt,
		...) PRINTF_LIKE(4, 5);

static int
fail(const struct conf_pool *pool, struct conf_where where, char **err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!where.file)
		where = pool->where;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return util_fail(err, "%s:%d: pool \"%s\": %s", where.file, where.line, pool->name, text);
}

static struct conf_where
where_of(const struct conf_pool *pool, const char *option)
{
	const struct conf_section *section = &conf_service_sections[CONF_SERVICE_PROGRAM];

	return pool->section_set[CONF_SERVICE_PROGRAM][conf_option_index(section, option)];
}

static int
fail_unseen(const struct conf_pool *pool, const char *option, const char *instead, char **err)
{
	return fail(pool, pool->set[conf_option_index(&conf_pool_section, option)], err,
		    "%s cannot be had with service \"program\", which accepts its connections by "
		    "itself%s",
		    option, instead);
}

static int
check_requests(const struct conf_pool *pool, char **err)
{
	const struct {
		const char *option, *instead;
		int64_t value;
	} unseen[] = {
		{ "max_requests_per_worker", ": the program's own limit, or max_worker_age, can",
		  pool->max_requests_per_worker },
		{ "max_worker_memory", ": rlimit_as, or max_worker_age, can",
		  pool->max_worker_memory },
		{ "request_timeout", "", pool->request_timeout },
		{ "slow_request", "", pool->slow_request },
		{ "max_queue_wait", "", pool->max_queue_wait },
	};

	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if (unseen[i].value > 0)
			return fail_unseen(pool, unseen[i].option, unseen[i].instead, err);
	return 0;
}

/* All that a worker looks at between accept(2) and service. */
static int
check_admission(const struct conf_pool *pool, char **err)
{
	const struct {
		const char *option;
		bool wanted;
	} unseen[] = {
		{ "allow", pool->allow },
		{ "deny", pool->deny },
		{ "access_times", pool->access_times },
		{ "max_load", pool->max_load > 0 },
		{ "max_connections_per_source", pool->max_connections_per_source > 0 },
		{ "rate_limit", pool->rate_limit > 0 },
		{ "rate_limit_per_source", pool->rate_limit_per_source > 0 },
		{ "banner", pool->banner },
		{ "banner_file", pool->banner_file },
		{ "deny_message", pool->deny_message },
		{ "proxy_protocol", pool->proxy_protocol != CONF_PROXY_OFF },
	};

	for (size_t i = 0; i < ARRAY_LEN(unseen); i++)
		if (unseen[i].wanted)
			return fail_unseen(pool, unseen[i].option, "", err);
	return 0;
}

int
conf_check_program(const struct conf_pool *pool, char **err)
{
	const struct conf_service_program *p = &pool->program;

	if (util_list_len(p->command) == 0)
		return fail(pool, pool->set[conf_option_index(&conf_pool_section, "service")], err,
			    "service \"program\" needs a program: "
			    "program { command = { \"/path/to/program\", \"argument\" } }");
	if (p->ready > pool->boot_timeout)
		return fail(pool, where_of(pool, "ready"), err,
			    "ready (%lld ms) is more than boot_timeout (%lld ms), when a worker "
			    "that is not ready is killed",
			    (long long)p->ready, (long long)pool->boot_timeout);
	if (p->stop_timeout != CONF_UNSET && p->stop_timeout > pool->graceful_timeout)
		return fail(pool, where_of(pool, "stop_timeout"), err,
			    "stop_timeout (%lld ms) is more than graceful_timeout (%lld ms), which "
			    "ends what still works then",
			    (long long)p->stop_timeout, (long long)pool->graceful_timeout);
	return check_requests(pool, err) < 0 ? -1 : check_admission(pool, err);
}
