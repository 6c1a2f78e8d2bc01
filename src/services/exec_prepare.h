/*
 * The master's side of programs: which one it is, and whether it can be run.
 */
#ifndef PREFORKD_SERVICES_EXEC_PREPARE_H
#define PREFORKD_SERVICES_EXEC_PREPARE_H

#include "conf.h"
#include "privs.h"

#include <stdbool.h>

struct exec_prepared {
	char *path;
	char **argv;
	char **environment;
	/* Of exec only: */
	bool argv_has_words, wants_local_host;
	char **words; /* what has words in the environment, and so is not in the fixed one */
	struct exec_env *room; /* for the environments of a worker's programs */
};

/*
 * The command of a service's section, with the fixed part of its environment.  NULL with
 * *err.
 */
struct exec_prepared *exec_prepare_command(const struct conf_pool *conf, char *const *command,
					   const struct identity *id, char **err);

/* As struct service wants them. */
int exec_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared,
		 char **err);
void exec_release(void *prepared);

#endif
