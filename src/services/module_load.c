#include "module_load.h"

#include "trust.h"
#include "util.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of the first version: a module that describes itself in less has not all of it. */
#define MODULE_MIN_BYTES (offsetof(struct preforkd_module, stop) + sizeof(void *))

static struct module_object *objects;

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
is_unchanged(const struct stat *a, const struct stat *b)
{
	return is_same_file(a, b) && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int
look_at_file(const char *path, struct stat *st, char **err)
{
	if (stat(path, st) < 0)
		return util_fail(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode))
		return util_fail(err, "%s: not a regular file", path);
	return trust_check_path(path, err);
}

/* The object of that file, if it is loaded.  *err: it was, but the file has become another. */
static struct module_object *
find_loaded(const char *path, const struct stat *st, char **err)
{
	struct module_object *o = objects;

	while (o && !is_same_file(&o->st, st))
		o = o->next;
	if (o && !is_unchanged(&o->st, st))
		util_fail(err,
			  "%s: was written over while it is in use, which can crash workers: put "
			  "a new file in its place, as mv(1) and install(1) do",
			  path);
	return o;
}

/*
 * dlopen(3) takes a name that it knows for the object that it has, whatever file is there
 * now.  So each load has a name of its own: "/lib/a.so", "/lib/./a.so", "/lib//./a.so" ...
 */
static char *
name_of_its_own(const char *path)
{
	static unsigned loads;
	const char *base = strrchr(path, '/');
	char detour[2 * 8 * sizeof(loads)];
	size_t len = 0;

	for (unsigned bits = loads++; bits > 0; bits >>= 1) {
		detour[len++] = '/';
		if (bits & 1)
			detour[len++] = '.';
	}
	return util_format("%.*s%.*s%s", (int)(base - path), path, (int)len, detour, base);
}

static int
take_description(struct module_object *o, char **err)
{
	const struct preforkd_module *m = dlsym(o->handle, "preforkd_module");

	if (!m)
		return util_fail(err, "%s: not a module of preforkd: it has no preforkd_module",
				 o->path);
	if (m->api != PREFORKD_MODULE_API)
		return util_fail(err,
				 "%s: built for version %u of the module interface, and this "
				 "preforkd has version %u: build it again",
				 o->path, m->api, PREFORKD_MODULE_API);
	if (m->size < MODULE_MIN_BYTES)
		return util_fail(err, "%s: its preforkd_module has %u bytes instead of %zu",
				 o->path, m->size, sizeof(*m));
	memcpy(&o->module, m, util_min(m->size, sizeof(*m)));
	if (!o->module.serve)
		return util_fail(err, "%s: its preforkd_module has no function serve", o->path);
	return 0;
}

static int
open_object(struct module_object *o, char **err)
{
	char *name = name_of_its_own(o->path);
	size_t len = strlen(name);
	const char *why;

	o->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!o->handle) {
		why = dlerror();
		if (strncmp(why, name, len) == 0)
			util_fail(err, "%s%s", o->path, why + len);
		else
			util_fail(err, "%s: %s", o->path, why);
	}
	free(name);
	return o->handle ? 0 : -1;
}

static int
load_file(struct module_object *o, char **err)
{
	struct stat now;

	if (open_object(o, err) < 0)
		return -1;
	if (stat(o->path, &now) < 0 || !is_unchanged(&o->st, &now))
		return util_fail(err, "%s: has changed while it was loaded", o->path);
	return take_description(o, err);
}

static void
free_object(struct module_object *o)
{
	if (o->handle)
		dlclose(o->handle);
	free(o->path);
	free(o);
}

static struct module_object *
load_new(const char *path, const struct stat *st, char **err)
{
	struct module_object *o = util_calloc(1, sizeof(*o));

	o->path = util_strdup(path);
	o->st = *st;
	if (load_file(o, err) < 0) {
		free_object(o);
		return NULL;
	}
	o->next = objects;
	objects = o;
	return o;
}

struct module_object *
module_load(const char *path, char **err)
{
	char *real = realpath(path, NULL);
	struct module_object *o = NULL;
	struct stat st;

	if (!real)
		util_fail(err, "%s: %s", path, strerror(errno));
	else if (look_at_file(real, &st, err) == 0)
		o = find_loaded(real, &st, err);
	if (!*err && !o)
		o = load_new(real, &st, err);
	free(real);
	if (*err)
		return NULL;
	o->users++;
	return o;
}

void
module_unload(struct module_object *object)
{
	struct module_object **place = &objects;

	if (!object || --object->users > 0)
		return;
	while (*place != object)
		place = &(*place)->next;
	*place = object->next;
	free_object(object);
}
