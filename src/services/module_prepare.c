#include "module_prepare.h"

#include "module_api.h"
#include "module_guard.h"
#include "trial.h"

#include <stdlib.h>

/*
 * The master runs the code of others only after a child of it has, so a module that crashes
 * or hangs is refused, and what runs goes on.  The master waits meanwhile, as it does for
 * the module itself then: hence so short a limit.
 */
#define TRIAL_MS 5000
#define SLOW_MS  500

struct attempt {
	const struct conf_pool *conf;
	struct module_prepared *prepared;
};

static struct module_prepared *
prepared_new(const struct conf_pool *conf, char **options)
{
	struct module_prepared *p = util_calloc(1, sizeof(*p));

	if (!options)
		options = util_calloc(1, sizeof(char *));
	p->pool.api = &module_api;
	p->pool.name = util_strdup(conf->name);
	p->pool.options = (const char *const *)options;
	return p;
}

static bool
is_known(const char *option, const char *const *names)
{
	size_t len = strcspn(option, "=");

	for (; *names; names++)
		if (strlen(*names) == len && memcmp(*names, option, len) == 0)
			return true;
	return false;
}

/* " one two" of { "one", "two" }. */
static char *
listed(const char *const *names)
{
	char *text = util_strdup("");

	for (; *names; names++) {
		char *longer = util_format("%s %s", text, *names);

		free(text);
		text = longer;
	}
	return text;
}

static int
check_options(const struct module_prepared *p, const struct conf_pool *conf, char **err)
{
	const char *const *option = p->pool.options, *const *names = p->module->options;
	char *known, *why;

	while (names && *option && is_known(*option, names))
		option++;
	if (!names || !*option)
		return 0;
	known = listed(names);
	why = util_format("%s has no option \"%.*s\": it has%s", p->object->path,
			  (int)strcspn(*option, "="), *option, known[0] ? known : " none");
	free(known);
	return conf_service_fail(conf, "option", why, err);
}

static int
call_prepare(struct module_prepared *p, char **err)
{
	struct preforkd_error error = { "it does not say why" };
	char text[sizeof(error.text)];

	if (p->module->prepare && p->module->prepare(&p->pool, &p->shared, &error) < 0) {
		util_escape(text, sizeof(text), error.text,
			    strnlen(error.text, sizeof(error.text)));
		return util_fail(err, "%s: %s", p->object->path, text);
	}
	p->ready = true;
	return 0;
}

static int
load_and_prepare(const struct attempt *a, char **err)
{
	struct module_prepared *p = a->prepared;
	char *why = NULL;

	p->object = module_load(a->conf->module.file, &why);
	if (!p->object)
		return conf_service_fail(a->conf, "file", why, err);
	p->module = &p->object->module;
	if (check_options(p, a->conf, err) < 0)
		return -1;
	if (call_prepare(p, &why) < 0)
		return conf_service_fail(a->conf, "file", why, err);
	return 0;
}

static int
try_it(void *arg, char **err)
{
	const struct attempt *a = arg;
	int result;

	module_api_mute();
	result = load_and_prepare(a, err);
	module_release(a->prepared);
	return result;
}

void
module_release(void *prepared)
{
	struct module_prepared *p = prepared;
	struct module_guard guard;

	if (!p)
		return;
	module_guard_begin(&guard);
	if (p->ready && p->module->release)
		p->module->release(p->shared);
	module_unload(p->object);
	module_guard_end(&guard);
	free((char *)(uintptr_t)p->pool.name);
	util_list_free((char **)(uintptr_t)p->pool.options);
	free(p);
}

static int
prepare_here(const struct attempt *a, char **err)
{
	int64_t began = util_now_ms(), ms;
	struct module_guard guard;
	int result;

	module_guard_begin(&guard);
	result = load_and_prepare(a, err);
	module_guard_end(&guard);
	if (result < 0)
		return -1;
	ms = util_now_ms() - began;
	if (ms >= SLOW_MS)
		log_warn("pool %s: %s took %lld.%lld s to prepare: the master does nothing else "
			 "meanwhile",
			 a->conf->name, a->conf->module.file, (long long)ms / 1000,
			 (long long)ms % 1000 / 100);
	return 0;
}

int
module_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared, char **err)
{
	struct attempt a = { conf, prepared_new(conf, util_list_copy(conf->module.option)) };
	char *why = NULL;

	(void)id;
	switch (trial_run(try_it, &a, TRIAL_MS, &why)) {
	case TRIAL_GOOD:
		if (prepare_here(&a, err) == 0) {
			*prepared = a.prepared;
			return 0;
		}
		break;
	case TRIAL_BAD:
		*err = why;
		break;
	case TRIAL_ENDED:
		conf_service_fail(conf, "file", util_format("%s: %s", conf->module.file, why), err);
		free(why);
		break;
	}
	module_release(a.prepared);
	return -1;
}

struct module_prepared *
module_prepare_built_in(const struct conf_pool *conf, const struct preforkd_module *module,
			const char *option, int64_t value)
{
	struct module_prepared *p;
	char **options = NULL, *text = util_format("%s=%lld", option, (long long)value);

	util_list_add(&options, text);
	free(text);
	p = prepared_new(conf, options);
	p->module = module;
	return p;
}

bool
module_same(const void *prepared, const void *other)
{
	const struct module_prepared *a = prepared, *b = other;

	return a->object == b->object;
}

int
module_open(void *prepared, char **err)
{
	const struct module_prepared *p = prepared;

	(void)err;
	log_notice("pool %s: module %s: %s", p->pool.name, p->object->path,
		   p->module->description ? p->module->description : "no description");
	return 0;
}
