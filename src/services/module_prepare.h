/*
 * The master's side of modules: what is loaded and prepared for a pool.
 */
#ifndef PREFORKD_SERVICES_MODULE_PREPARE_H
#define PREFORKD_SERVICES_MODULE_PREPARE_H

#include "module_load.h"
#include "service.h"

struct module_prepared {
	struct preforkd_pool pool; /* its name and options are owned */
	const struct preforkd_module *module;
	struct module_object *object; /* NULL: built in */
	void *shared;
	bool ready; /* prepare() has had success, so release() is due */
};

/* As struct service wants them. */
int module_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared,
		   char **err);
void module_release(void *prepared);
bool module_same(const void *prepared, const void *other);
int module_open(void *prepared, char **err);

/* A module of ours, with one option: a number. */
struct module_prepared *module_prepare_built_in(const struct conf_pool *conf,
						const struct preforkd_module *module,
						const char *option, int64_t value);

#endif
