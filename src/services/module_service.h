/*
 * The worker's side of modules, for those that are built in, too: as struct service has it.
 */
#ifndef PREFORKD_SERVICES_MODULE_SERVICE_H
#define PREFORKD_SERVICES_MODULE_SERVICE_H

#include "module_prepare.h"

int module_start(const struct service_setup *setup, char **err);
void module_serve(struct conn *conn);
void module_stop(void);

#endif
