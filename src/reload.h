/*
 * From a configuration file to a plan: what each pool of it means for the pools that
 * run.  All that can fail happens here, before anything is changed; a start is a
 * reload with no pools.
 */
#ifndef PREFORKD_RELOAD_H
#define PREFORKD_RELOAD_H

#include "pool.h"

enum reload_action {
	RELOAD_KEEP,    /* nothing to do but to take over times and sizes */
	RELOAD_RESIZE,  /* the same, and it is worth a word */
	RELOAD_REPLACE, /* a new generation */
	RELOAD_NEW,     /* a new pool */
};

struct reload_entry {
	enum reload_action action;
	struct pool *pool;      /* NULL: NEW, until the master made it */
	struct generation *gen; /* as the file has it; for KEEP and RESIZE only its conf counts */
	bool opened;            /* its listener is a new one */
};

struct reload_plan {
	struct conf *conf; /* its pools have moved to the entries */
	struct reload_entry *entries;
	size_t n;
	struct log_target log;
};

/* NULL with *err as "FILE:LINE: text". */
struct reload_plan *reload_plan(const char *file, struct pool *const *pools, size_t npools,
				char **err);
void reload_free(struct reload_plan *plan);

/*
 * For -t: the verdict that a reload, or a start, would come to; in the foreground the
 * log is stderr, whatever the file says.  -1 with *err.
 */
int reload_check(const char *file, bool foreground, char **err);

/* Puts the place of the log option before why, which is freed; returns -1. */
int reload_fail_log(const struct conf *conf, char *why, char **err);

#endif
