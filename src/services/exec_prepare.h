/*
 * The master's side of exec: which program it is, and whether it can be run.
 */
#ifndef PREFORKD_SERVICES_EXEC_PREPARE_H
#define PREFORKD_SERVICES_EXEC_PREPARE_H

#include "conf.h"
#include "privs.h"

struct exec_prepared {
	char *path;
	char **argv;
	char **environment;
};

/* As struct service wants them. */
int exec_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared,
		 char **err);
void exec_release(void *prepared);

#endif
