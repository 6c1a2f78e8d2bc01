/*
 * The shared objects of modules, in the master.  One file is loaded once, however many
 * pools and generations use it.  A new file in the place of an old one is another object,
 * and both may be loaded at the same time.
 */
#ifndef PREFORKD_SERVICES_MODULE_LOAD_H
#define PREFORKD_SERVICES_MODULE_LOAD_H

#include <preforkd/module.h>
#include <sys/stat.h>

struct module_object {
	struct preforkd_module module; /* members that it was built without are zero */
	char *path;                    /* without symbolic links */
	struct stat st;                /* of the file, when it was loaded */
	void *handle;
	unsigned users;
	struct module_object *next;
};

/*
 * NULL with *err, which names the file: it cannot be loaded or trusted, is no module or one
 * of another version.  The caller is a user, until module_unload().
 */
struct module_object *module_load(const char *path, char **err);
void module_unload(struct module_object *object);

#endif
