/*
 * From an option's entry in the table to its value in a struct, and what the files of
 * conf share.  For conf*.c only.
 */
#ifndef PREFORKD_CONF_TABLE_H
#define PREFORKD_CONF_TABLE_H

#include "conf.h"

static inline bool
conf_option_is_text(const struct conf_option *option)
{
	return option->type == CONF_STRING || option->type == CONF_PATH;
}

static inline int64_t *
conf_number_at(const void *base, const struct conf_option *option)
{
	return (int64_t *)((char *)(uintptr_t)base + option->offset);
}

static inline char **
conf_text_at(const void *base, const struct conf_option *option)
{
	return (char **)((char *)(uintptr_t)base + option->offset);
}

static inline char ***
conf_list_at(const void *base, const struct conf_option *option)
{
	return (char ***)((char *)(uintptr_t)base + option->offset);
}

/* conf_check_http.c: defaults of the http section, and what must hold in it. */
int conf_check_http(struct conf_pool *pool, char **err);

/* conf_check_exec.c: what its options cannot do on a Unix socket. */
int conf_check_exec(const struct conf_pool *pool, char **err);

/* conf_check_program.c: what a pool can have whose program accepts by itself. */
int conf_check_program(const struct conf_pool *pool, char **err);

#endif
