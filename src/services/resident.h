/*
 * The master's side of program: its command, as every worker will run it.
 */
#ifndef PREFORKD_SERVICES_RESIDENT_H
#define PREFORKD_SERVICES_RESIDENT_H

#include "exec_prepare.h"

struct resident_prepared {
	struct exec_prepared *program;
	char *text; /* the command in one line, to be shown */
};

/* As struct service wants them. */
int resident_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared,
		     char **err);
void resident_release(void *prepared);

#endif
