/*
 * What a module may call: the table behind the pointer `api`, and the connection that it
 * serves.
 */
#ifndef PREFORKD_SERVICES_MODULE_API_H
#define PREFORKD_SERVICES_MODULE_API_H

#include "service.h"

#include <preforkd/module.h>

extern const struct preforkd_api module_api;

/* In a trial nothing is logged: if it goes well, the same comes again. */
void module_api_mute(void);

/* In the worker, for a module that is not built in: its children are not to serve. */
void module_api_watch_forks(void);

/* In the worker.  From begin to end is one connection. */
void module_api_start(const struct service_setup *setup);
struct preforkd_conn *module_api_begin(struct conn *conn, const struct preforkd_pool *pool,
				       void *state);
void module_api_end(void);

#endif
