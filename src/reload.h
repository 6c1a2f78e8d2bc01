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
	RELOAD_PARKED,  /* drained, and it stays so: only its configuration counts */
	RELOAD_ACTIONS
};

struct reload_entry {
	enum reload_action action;
	struct pool *pool;      /* NULL: NEW, until the master made it; or it was parked */
	struct generation *gen; /* as the file has it; for KEEP and RESIZE only its conf counts */
	bool opened;            /* its listener is a new one */
};

/* Why: for the words that are used. */
enum reload_kind { RELOAD_FILE, RELOAD_RECYCLE, RELOAD_RESUME };

struct reload_plan {
	enum reload_kind kind;
	struct conf *conf; /* its pools have moved to the entries; NULL unless FILE */
	struct reload_entry *entries;
	size_t n;
	struct log_target log;
	struct listener_options control; /* of the control socket */
};

/* NULL with *err as "FILE:LINE: text". */
struct reload_plan *reload_plan(const char *file, struct pool *const *pools, size_t npools,
				char **err);
/*
 * New generations of the same configuration: of one pool or (NULL) of all that serve; or
 * of one that is parked, which then serves again.
 */
struct reload_plan *reload_plan_again(enum reload_kind kind, struct pool *const *pools,
				      size_t npools, struct pool *only, char **err);
void reload_free(struct reload_plan *plan);

/*
 * When its trials have succeeded: accept(2) waits for the workers that call it, also if a
 * program that had the socket has changed that.
 */
void reload_block_listeners(const struct reload_plan *plan);

/* What the command line says against the file; NULL where it says nothing. */
struct reload_line {
	bool foreground; /* the log is stderr, and some files only are if they are asked for */
	const char *pid_file, *control_socket;
};

/* For -t: the verdict that a reload, or a start, would come to.  -1 with *err. */
int reload_check(const char *file, const struct reload_line *line, char **err);

/* The file, and all of it that can be judged without opening a socket. */
struct reload_plan *reload_read(const char *file, char **err);

/* Put the place of an option, or a flag, before why, which is freed; they return -1. */
int reload_fail_global(const struct conf *conf, const char *option, char *why, char **err);
int reload_fail_listen(const struct conf_pool *conf, char *why, char **err);
int reload_fail_flag(const char *flag, char *why, char **err);

#endif
