#include "conf_table.h"
#include "conf_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#define DAY     INT64_C(86400000)
#define WEEK    (7 * DAY)
#define NOTHING 0, 0, NULL

const char *const conf_service_names[] = { "exec", "echo", "rot13", NULL };
const char *const conf_rlimit_names[CONF_RLIMITS] = { "as",      "core",   "cpu",   "data", "fsize",
						      "memlock", "nofile", "nproc", "stack" };

static const char *const log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };
static const int log_level_codes[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* clang-format off: one option an entry, readable as a table */
#define GLOBAL(field) offsetof(struct conf, field)
static const struct conf_option global_options[] = {
	{ "user", CONF_STRING, CONF_LIVE, GLOBAL(user), NOTHING, PREFORKD_USER },
	{ "group", CONF_STRING, CONF_LIVE, GLOBAL(group), NOTHING, NULL },
	{ "pid_file", CONF_PATH, CONF_LIVE, GLOBAL(pid_file), NOTHING,
	  PREFORKD_RUNDIR "/preforkd.pid" },
	{ "control_socket", CONF_PATH, CONF_LIVE, GLOBAL(control_socket), NOTHING,
	  PREFORKD_RUNDIR "/control.sock" },
	{ "control_group", CONF_STRING, CONF_LIVE, GLOBAL(control_group), NOTHING, NULL },
	{ "log", CONF_STRING, CONF_LIVE, GLOBAL(log), NOTHING, "syslog:daemon" },
	{ "log_level", CONF_CHOICE, CONF_LIVE, GLOBAL(log_level), 0, 0, log_levels, "notice" },
	{ "max_workers", CONF_COUNT, CONF_LIVE, GLOBAL(max_workers), 1, CONF_MAX_WORKERS, NULL,
	  "1000" },
	{ "graceful_timeout", CONF_TIME, CONF_LIVE, GLOBAL(graceful_timeout), 0, DAY, NULL, "30s" },
	{ "include_dir", CONF_PATH, CONF_LIVE, GLOBAL(include_dir), NOTHING, NULL },
};

#define POOL(field)    offsetof(struct conf_pool, field)
#define POOL_RLIMIT(n) (offsetof(struct conf_pool, rlimit) + (n) * sizeof(int64_t))
static const struct conf_option pool_options[] = {
	{ "service", CONF_CHOICE, CONF_GENERATION, POOL(service), 0, 0, conf_service_names, NULL },
	{ "listen", CONF_STRING, CONF_GENERATION, POOL(listen), NOTHING, NULL },
	{ "listen_backlog", CONF_COUNT, CONF_LISTENER, POOL(listen_backlog), 1, 65535, NULL,
	  "511" },
	{ "listen_owner", CONF_STRING, CONF_LISTENER, POOL(listen_owner), NOTHING, NULL },
	{ "listen_group", CONF_STRING, CONF_LISTENER, POOL(listen_group), NOTHING, NULL },
	{ "listen_mode", CONF_MODE, CONF_LISTENER, POOL(listen_mode), 0, 0777, NULL, "0660" },
	{ "ipv6only", CONF_BOOL, CONF_GENERATION, POOL(ipv6only), NOTHING, "false" },
	{ "defer_accept", CONF_BOOL, CONF_LISTENER, POOL(defer_accept), NOTHING, "false" },
	{ "workers", CONF_COUNT, CONF_LIVE, POOL(workers), 1, CONF_MAX_WORKERS, NULL, NULL },
	{ "start_workers", CONF_COUNT, CONF_LIVE, POOL(start_workers), 0, CONF_MAX_WORKERS, NULL,
	  "5" },
	{ "min_spare_workers", CONF_COUNT, CONF_LIVE, POOL(min_spare_workers), 0, CONF_MAX_WORKERS,
	  NULL, "5" },
	{ "max_spare_workers", CONF_COUNT, CONF_LIVE, POOL(max_spare_workers), 0, CONF_MAX_WORKERS,
	  NULL, "10" },
	{ "max_workers", CONF_COUNT, CONF_LIVE, POOL(max_workers), 1, CONF_MAX_WORKERS, NULL,
	  "150" },
	{ "spare_timeout", CONF_TIME, CONF_LIVE, POOL(spare_timeout), 0, DAY, NULL, "10s" },
	{ "old_generation_max", CONF_COUNT, CONF_LIVE, POOL(old_generation_max), 1,
	  CONF_MAX_WORKERS, NULL, NULL },
	{ "max_requests_per_worker", CONF_COUNT, CONF_LIVE, POOL(max_requests_per_worker), 0,
	  INT32_MAX, NULL, "0" },
	{ "max_worker_age", CONF_TIME, CONF_LIVE, POOL(max_worker_age), 0, 52 * WEEK, NULL, "0s" },
	{ "max_worker_memory", CONF_SIZE, CONF_GENERATION, POOL(max_worker_memory), 0,
	  INT64_MAX / 2, NULL, "0" },
	{ "request_timeout", CONF_TIME, CONF_LIVE, POOL(request_timeout), 0, WEEK, NULL, "0s" },
	{ "slow_request", CONF_TIME, CONF_LIVE, POOL(slow_request), 0, WEEK, NULL, "0s" },
	{ "max_queue_wait", CONF_TIME, CONF_LIVE, POOL(max_queue_wait), 0, DAY, NULL, "0s" },
	{ "boot_timeout", CONF_TIME, CONF_LIVE, POOL(boot_timeout), 1000, 3600000, NULL, "30s" },
	{ "graceful_timeout", CONF_TIME, CONF_LIVE, POOL(graceful_timeout), 0, DAY, NULL, NULL },
	{ "user", CONF_STRING, CONF_GENERATION, POOL(user), NOTHING, NULL },
	{ "group", CONF_STRING, CONF_GENERATION, POOL(group), NOTHING, NULL },
	{ "supplementary_groups", CONF_LIST, CONF_GENERATION, POOL(supplementary_groups), NOTHING,
	  NULL },
	{ "chroot", CONF_PATH, CONF_GENERATION, POOL(chroot), NOTHING, NULL },
	{ "directory", CONF_PATH, CONF_GENERATION, POOL(directory), NOTHING, "/" },
	{ "umask", CONF_MODE, CONF_GENERATION, POOL(umask), 0, 0777, NULL, "022" },
	{ "nice", CONF_INTEGER, CONF_GENERATION, POOL(nice), -20, 19, NULL, NULL },
#define RLIMIT(name, n)                                                                         \
	{                                                                                       \
		"rlimit_" name, CONF_RLIMIT, CONF_GENERATION, POOL_RLIMIT(n), 0, INT64_MAX / 2, \
		    NULL, NULL                                                                  \
	}
	RLIMIT("as", CONF_RLIMIT_AS),
	RLIMIT("core", CONF_RLIMIT_CORE),
	RLIMIT("cpu", CONF_RLIMIT_CPU),
	RLIMIT("data", CONF_RLIMIT_DATA),
	RLIMIT("fsize", CONF_RLIMIT_FSIZE),
	RLIMIT("memlock", CONF_RLIMIT_MEMLOCK),
	RLIMIT("nofile", CONF_RLIMIT_NOFILE),
	RLIMIT("nproc", CONF_RLIMIT_NPROC),
	RLIMIT("stack", CONF_RLIMIT_STACK),
#undef RLIMIT
	{ "environment", CONF_ENVIRONMENT, CONF_GENERATION, POOL(environment), NOTHING, NULL },
	{ "pass_environment", CONF_NAMES, CONF_GENERATION, POOL(pass_environment), NOTHING, NULL },
	{ "no_new_privs", CONF_BOOL, CONF_GENERATION, POOL(no_new_privs), NOTHING, "false" },
};

static const struct conf_option exec_options[] = {
	{ "command", CONF_LIST, CONF_GENERATION, POOL(exec.command), NOTHING, NULL },
};

static const struct conf_option echo_options[] = {
	{ "idle_timeout", CONF_TIME, CONF_GENERATION, POOL(echo.idle_timeout), 0, DAY, NULL,
	  "60s" },
};

static const struct conf_option rot13_options[] = {
	{ "idle_timeout", CONF_TIME, CONF_GENERATION, POOL(rot13.idle_timeout), 0, DAY, NULL,
	  "60s" },
};
/* clang-format on */

const struct conf_section conf_global_section = { NULL, global_options, ARRAY_LEN(global_options) };
const struct conf_section conf_pool_section = { "pool", pool_options, ARRAY_LEN(pool_options) };
const struct conf_section conf_service_sections[CONF_SERVICES] = {
	[CONF_SERVICE_EXEC] = { "exec", exec_options, ARRAY_LEN(exec_options) },
	[CONF_SERVICE_ECHO] = { "echo", echo_options, ARRAY_LEN(echo_options) },
	[CONF_SERVICE_ROT13] = { "rot13", rot13_options, ARRAY_LEN(rot13_options) },
};

_Static_assert(ARRAY_LEN(pool_options) <= CONF_SECTION_OPTIONS, "conf_pool.set is too small");

bool
conf_option_is_list(const struct conf_option *option)
{
	return option->type == CONF_LIST || option->type == CONF_ENVIRONMENT ||
	       option->type == CONF_NAMES;
}

int
conf_option_index(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->n; i++)
		if (strcmp(section->options[i].name, name) == 0)
			return (int)i;
	return -1;
}

int
conf_log_level(const struct conf *conf)
{
	return log_level_codes[conf->log_level];
}

int
conf_log_level_from_name(const char *name)
{
	for (size_t i = 0; log_levels[i]; i++)
		if (strcmp(log_levels[i], name) == 0)
			return log_level_codes[i];
	return -1;
}

/* A name, and what must follow it: = or the end. */
static int
check_variable(const char *text, char end, char **err)
{
	const char *p = text;

	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	if (p == text || *p != end || isdigit((unsigned char)text[0]))
		return util_fail(err, "\"%s\" is not a variable: write %s", text,
				 end ? "\"NAME=value\"" : "its name alone");
	return 0;
}

static int
set_text(char **field, const struct conf_option *option, const char *text, char **err)
{
	if (option->type == CONF_PATH && text[0] != '/')
		return util_fail(err, "\"%s\" is not an absolute path: it must begin with /", text);
	if (text[0] == '\0')
		return util_fail(err, "an empty text: leave the option out for its default");
	free(*field);
	*field = util_strdup(text);
	return 0;
}

int
conf_set(void *base, const struct conf_option *o, const char *text, char **err)
{
	int64_t *number = conf_number_at(base, o);

	switch (o->type) {
	case CONF_STRING:
	case CONF_PATH:
		return set_text(conf_text_at(base, o), o, text, err);
	case CONF_ENVIRONMENT:
	case CONF_NAMES:
		if (check_variable(text, o->type == CONF_NAMES ? '\0' : '=', err) < 0)
			return -1;
		/* FALLTHROUGH */
	case CONF_LIST:
		util_list_add(conf_list_at(base, o), text);
		return 0;
	case CONF_COUNT:
	case CONF_INTEGER:
		return conf_value_count(text, o->min, o->max, number, err);
	case CONF_TIME:
		return conf_value_time(text, o->min, o->max, number, err);
	case CONF_BOOL:
		return conf_value_bool(text, number, err);
	case CONF_MODE:
		return conf_value_mode(text, o->max, number, err);
	case CONF_CHOICE:
		return conf_value_choice(text, o->choices, number, err);
	case CONF_RLIMIT:
		if (strcmp(text, "unlimited") == 0) {
			*number = CONF_UNLIMITED;
			return 0;
		}
		/* FALLTHROUGH */
	case CONF_SIZE:
		return conf_value_size(text, o->min, o->max, number, err);
	}
	return -1;
}

void
conf_set_empty(void *base, const struct conf_option *o)
{
	if (conf_option_is_list(o) && !*conf_list_at(base, o))
		*conf_list_at(base, o) = util_calloc(1, sizeof(char *));
}

static void
set_defaults(void *base, const struct conf_section *section)
{
	for (size_t i = 0; i < section->n; i++) {
		const struct conf_option *o = &section->options[i];
		char *err = NULL;

		if (o->fallback && conf_set(base, o, o->fallback, &err) < 0)
			abort(); /* the table contradicts itself */
		if (!o->fallback && !conf_option_is_list(o) && !conf_option_is_text(o))
			*conf_number_at(base, o) = CONF_UNSET;
	}
}

static void
free_values(void *base, const struct conf_section *section)
{
	for (size_t i = 0; i < section->n; i++) {
		const struct conf_option *o = &section->options[i];

		if (conf_option_is_list(o))
			util_list_free(*conf_list_at(base, o));
		else if (conf_option_is_text(o))
			free(*conf_text_at(base, o));
	}
}

struct conf *
conf_new(void)
{
	struct conf *conf = util_calloc(1, sizeof(*conf));

	set_defaults(conf, &conf_global_section);
	return conf;
}

void
conf_pool_free(struct conf_pool *pool)
{
	if (!pool)
		return;
	free_values(pool, &conf_pool_section);
	for (size_t i = 0; i < CONF_SERVICES; i++)
		free_values(pool, &conf_service_sections[i]);
	free(pool->name);
	free(pool);
}

void
conf_free(struct conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->npools; i++)
		conf_pool_free(conf->pools[i]);
	free(conf->pools);
	free_values(conf, &conf_global_section);
	util_list_free(conf->files);
	free(conf);
}

struct conf_pool *
conf_add_pool(struct conf *conf, const char *name)
{
	struct conf_pool *pool = util_calloc(1, sizeof(*pool));

	pool->name = util_strdup(name);
	set_defaults(pool, &conf_pool_section);
	for (size_t i = 0; i < CONF_SERVICES; i++)
		set_defaults(pool, &conf_service_sections[i]);
	conf->pools = util_realloc(conf->pools, conf->npools + 1, sizeof(*conf->pools));
	conf->pools[conf->npools++] = pool;
	return pool;
}

static void
copy_values(void *to, const void *from, const struct conf_section *section)
{
	for (size_t i = 0; i < section->n; i++) {
		const struct conf_option *o = &section->options[i];

		if (conf_option_is_list(o)) {
			*conf_list_at(to, o) = util_list_copy(*conf_list_at(from, o));
			if (*conf_list_at(from, o))
				conf_set_empty(to, o);
		} else if (conf_option_is_text(o)) {
			*conf_text_at(to, o) = util_strdup(*conf_text_at(from, o));
		}
	}
}

struct conf_pool *
conf_pool_copy(const struct conf_pool *pool)
{
	struct conf_pool *copy = util_calloc(1, sizeof(*copy));

	*copy = *pool;
	copy->name = util_strdup(pool->name);
	copy_values(copy, pool, &conf_pool_section);
	for (size_t i = 0; i < CONF_SERVICES; i++)
		copy_values(copy, pool, &conf_service_sections[i]);
	return copy;
}

struct conf_pool *
conf_find_pool(const struct conf *conf, const char *name)
{
	for (size_t i = 0; conf && i < conf->npools; i++)
		if (strcmp(conf->pools[i]->name, name) == 0)
			return conf->pools[i];
	return NULL;
}

static bool
values_equal(const void *a, const void *b, const struct conf_option *o)
{
	if (conf_option_is_list(o)) {
		char **x = *conf_list_at(a, o), **y = *conf_list_at(b, o);
		size_t n = util_list_len(x);

		if (!x != !y || n != util_list_len(y))
			return false;
		for (size_t i = 0; i < n; i++)
			if (strcmp(x[i], y[i]) != 0)
				return false;
		return true;
	}
	if (conf_option_is_text(o)) {
		const char *x = *conf_text_at(a, o), *y = *conf_text_at(b, o);

		return x == y || (x && y && strcmp(x, y) == 0);
	}
	return *conf_number_at(a, o) == *conf_number_at(b, o);
}

static unsigned
section_diff(const void *a, const void *b, const struct conf_section *section)
{
	unsigned effects = 0;

	for (size_t i = 0; i < section->n; i++)
		if (!values_equal(a, b, &section->options[i]))
			effects |= section->options[i].effect;
	return effects;
}

unsigned
conf_pool_diff(const struct conf_pool *a, const struct conf_pool *b)
{
	return section_diff(a, b, &conf_pool_section) |
	       section_diff(a, b, &conf_service_sections[b->service]);
}
