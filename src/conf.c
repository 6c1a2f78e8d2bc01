#include "conf_table.h"
#include "conf_value.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

static const int signal_codes[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH };
static const int log_level_codes[] = { LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

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
conf_signal(int64_t choice)
{
	return signal_codes[choice];
}

int
conf_log_level_from_name(const char *name)
{
	for (size_t i = 0; conf_log_levels[i]; i++)
		if (strcmp(conf_log_levels[i], name) == 0)
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
	case CONF_DECIMAL:
		return conf_value_decimal(text, o->min, o->max, number, err);
	case CONF_TIME:
		return conf_value_time(text, o->min, o->max, number, err);
	case CONF_BOOL:
		return conf_value_bool(text, number, err);
	case CONF_MODE:
		return conf_value_mode(text, o->max, number, err);
	case CONF_CHOICE:
		return conf_value_choice(text, o->choices, number, err);
	case CONF_READY:
		if (strcmp(text, "notify") == 0) {
			*number = CONF_NOTIFY;
			return 0;
		}
		return conf_value_time(text, o->min, o->max, number, err);
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
conf_set_list(void *base, const struct conf_option *o, char **list)
{
	util_list_free(*conf_list_at(base, o));
	*conf_list_at(base, o) = list;
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

struct conf_block *
conf_block_new(const struct conf_section *section, const char *title, struct conf_block *parent)
{
	struct conf_block *block = util_calloc(1, sizeof(*block));

	block->section = section;
	block->title = util_strdup(title);
	block->values = util_calloc(1, section->size);
	set_defaults(block->values, section);
	if (!parent)
		return block;
	parent->blocks = util_realloc(parent->blocks, parent->n + 1, sizeof(*parent->blocks));
	parent->blocks[parent->n++] = block;
	return block;
}

void
conf_block_free(struct conf_block *block)
{
	if (!block)
		return;
	for (size_t i = 0; i < block->n; i++)
		conf_block_free(block->blocks[i]);
	free(block->blocks);
	free_values(block->values, block->section);
	free(block->values);
	free(block->title);
	free(block);
}

void *
conf_service_values(const struct conf_pool *pool, size_t service)
{
	if (service == CONF_SERVICE_HTTP)
		return pool->http->values;
	return service == CONF_SERVICE_STATUS ? (void *)(uintptr_t)&pool->status
					      : (void *)(uintptr_t)pool;
}

struct conf_where *
conf_service_set(struct conf_pool *pool, size_t service)
{
	return service == CONF_SERVICE_HTTP ? pool->http->set : pool->section_set[service];
}

static int
fail_at(struct conf_where where, struct conf_where outer, const char *option, char *why, char **err)
{
	if (!where.file)
		where = outer;
	util_fail(err, "%s:%d: %s: %s", where.file, where.line, option, why);
	free(why);
	return -1;
}

bool
conf_pool_is_unix(const struct conf_pool *pool)
{
	return pool->listen[0] == '/' || pool->listen[0] == '@';
}

int
conf_pool_fail(const struct conf_pool *pool, const char *option, char *why, char **err)
{
	return fail_at(pool->set[conf_option_index(&conf_pool_section, option)], pool->where,
		       option, why, err);
}

int
conf_service_fail(const struct conf_pool *pool, const char *option, char *why, char **err)
{
	int index = conf_option_index(&conf_service_sections[pool->service], option);

	return fail_at(pool->section_set[pool->service][index], pool->section_where[pool->service],
		       option, why, err);
}

int
conf_block_fail(const struct conf_block *block, const char *option, char *why, char **err)
{
	return fail_at(block->set[conf_option_index(block->section, option)], block->where, option,
		       why, err);
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
		if (conf_service_sections[i].size == 0)
			free_values(conf_service_values(pool, i), &conf_service_sections[i]);
	conf_block_free(pool->http);
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
		if (conf_service_sections[i].size == 0)
			set_defaults(conf_service_values(pool, i), &conf_service_sections[i]);
	pool->http = conf_block_new(&conf_service_sections[CONF_SERVICE_HTTP], NULL, NULL);
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

static struct conf_block *
copy_block(const struct conf_block *block, struct conf_block *parent)
{
	struct conf_block *copy = conf_block_new(block->section, block->title, parent);

	free_values(copy->values, block->section);
	memcpy(copy->values, block->values, block->section->size);
	copy_values(copy->values, block->values, block->section);
	copy->where = block->where;
	memcpy(copy->set, block->set, sizeof(copy->set));
	for (size_t i = 0; i < block->n; i++)
		copy_block(block->blocks[i], copy);
	return copy;
}

struct conf_pool *
conf_pool_copy(const struct conf_pool *pool)
{
	struct conf_pool *copy = util_calloc(1, sizeof(*copy));

	*copy = *pool;
	copy->name = util_strdup(pool->name);
	copy_values(copy, pool, &conf_pool_section);
	for (size_t i = 0; i < CONF_SERVICES; i++)
		if (conf_service_sections[i].size == 0)
			copy_values(conf_service_values(copy, i), conf_service_values(pool, i),
				    &conf_service_sections[i]);
	copy->http = copy_block(pool->http, NULL);
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

/* Sections inside: another number, another order or another title needs new workers. */
static unsigned
block_diff(const struct conf_block *a, const struct conf_block *b)
{
	unsigned effects = section_diff(a->values, b->values, a->section);

	if (a->n != b->n)
		return CONF_GENERATION;
	for (size_t i = 0; i < a->n; i++) {
		if (a->blocks[i]->section != b->blocks[i]->section ||
		    strcmp(a->blocks[i]->title, b->blocks[i]->title) != 0)
			return CONF_GENERATION;
		effects |= block_diff(a->blocks[i], b->blocks[i]);
	}
	return effects;
}

unsigned
conf_pool_diff(const struct conf_pool *a, const struct conf_pool *b)
{
	unsigned effects = section_diff(a, b, &conf_pool_section);

	if (b->service == CONF_SERVICE_HTTP)
		return effects | block_diff(a->http, b->http);
	return effects | section_diff(conf_service_values(a, (size_t)b->service),
				      conf_service_values(b, (size_t)b->service),
				      &conf_service_sections[b->service]);
}
