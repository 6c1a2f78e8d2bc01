/*
 * What the files of the commands share: master_command.c and those with a group of
 * commands each.
 */
#ifndef PREFORKD_MASTER_COMMAND_H
#define PREFORKD_MASTER_COMMAND_H

#include "master_private.h"

struct command_word {
	const char *name, *usage;
	size_t min, max; /* arguments */
	bool quiet;      /* changes nothing, so it is not logged */
	bool calm;       /* waits until no reload and no upgrade is under way */
	/* Ends with command_finish(): it has begun (or is done), or has failed. */
	void (*begin)(struct master_command *c, FILE *out);
	/* Until it is done; NULL: what has begun is done. */
	void (*look)(struct master_command *c);
};

/* master_command_pool.c */
extern const struct command_word command_words_pool[];
extern const size_t command_words_pool_n;

void command_finish(struct master_command *c, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The pool that the first argument names; NULL: the command has failed. */
struct pool *command_pool(struct master_command *c);

/* The ticket's outcome is that of the command. */
void command_look_for_outcome(struct master_command *c);

#endif
