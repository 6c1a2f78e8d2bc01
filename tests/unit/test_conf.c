/*
 * A pool's configuration as data: a copy of it is equal, and nobody else's.
 */
#include "unit.h"

#include "conf.h"

#include <stdlib.h>
#include <string.h>

/* Some value that an option of the type takes, of several. */
static const char *
some_text(const struct conf_option *o, int which)
{
	static char number[24];

	switch (o->type) {
	case CONF_STRING:
		return which ? "one" : "two";
	case CONF_PATH:
		return which ? "/one" : "/two";
	case CONF_LIST:
		return which ? "item" : "other";
	case CONF_ENVIRONMENT:
		return which ? "A=1" : "B=2";
	case CONF_NAMES:
		return which ? "A" : "B";
	case CONF_BOOL:
		return which ? "true" : "false";
	case CONF_MODE:
		return which ? "0600" : "0640";
	case CONF_CHOICE:
		return o->choices[which];
	case CONF_READY:
		return which ? "notify" : "2s";
	case CONF_RLIMIT:
		return which ? "unlimited" : "4096";
	default:
		snprintf(number, sizeof(number), "%d", (int)o->min + 1 + which);
		return number;
	}
}

static void
set(void *base, const struct conf_option *o, int which)
{
	char *err = NULL;

	if (conf_set(base, o, some_text(o, which), &err) < 0)
		fail_msg("%s: %s", o->name, err);
	if (conf_option_is_list(o) && conf_set(base, o, some_text(o, !which), &err) < 0)
		fail_msg("%s: %s", o->name, err);
}

/* Those whose values stand in struct conf_pool itself. */
enum { FLAT_SERVICES = CONF_SERVICE_ROT13 + 1 };

static void
set_all(struct conf_pool *pool, const struct conf_section *section, int which)
{
	for (size_t i = 0; i < section->n; i++)
		set(pool, &section->options[i], which);
}

/* A configuration with one pool in which everything has a value. */
static struct conf *
full_conf(void)
{
	struct conf *conf = conf_new();
	struct conf_pool *pool = conf_add_pool(conf, "full");

	set_all(pool, &conf_pool_section, 1);
	for (size_t i = 0; i < FLAT_SERVICES; i++)
		set_all(pool, &conf_service_sections[i], 1);
	return conf;
}

static void
a_copy_is_equal_for_every_service(void **state)
{
	struct conf *conf = full_conf();
	struct conf_pool *copy = conf_pool_copy(conf->pools[0]);

	(void)state;
	assert_string_equal(copy->name, "full");
	for (int service = 0; service < FLAT_SERVICES; service++) {
		copy->service = conf->pools[0]->service = service;
		assert_int_equal(conf_pool_diff(conf->pools[0], copy), 0);
		assert_int_equal(conf_pool_diff(copy, conf->pools[0]), 0);
	}
	conf_pool_free(copy);
	conf_free(conf);
}

static void
a_copy_of_defaults_and_of_empty_lists_is_equal(void **state)
{
	struct conf *conf = conf_new();
	struct conf_pool *pool = conf_add_pool(conf, "plain"), *copy;

	(void)state;
	pool->service = CONF_SERVICE_ECHO;
	copy = conf_pool_copy(pool);
	assert_int_equal(conf_pool_diff(pool, copy), 0);
	conf_pool_free(copy);
	for (size_t i = 0; i < conf_pool_section.n; i++)
		conf_set_empty(pool, &conf_pool_section.options[i]);
	copy = conf_pool_copy(pool);
	assert_non_null(copy->environment);
	assert_int_equal(conf_pool_diff(pool, copy), 0);
	conf_pool_free(copy);
	conf_free(conf);
}

/* Each option by itself, so that none is forgotten in the copy or in the comparison. */
static void
a_change_of_the_copy_is_a_difference_and_does_not_touch_the_source(void **state)
{
	struct conf *conf = full_conf(), *same = full_conf();

	(void)state;
	for (size_t i = 0; i < conf_pool_section.n; i++) {
		const struct conf_option *o = &conf_pool_section.options[i];
		struct conf_pool *copy = conf_pool_copy(conf->pools[0]);

		set(copy, o, 0);
		if (!(conf_pool_diff(conf->pools[0], copy) & o->effect))
			fail_msg("%s: no difference", o->name);
		if (conf_pool_diff(conf->pools[0], same->pools[0]) != 0)
			fail_msg("%s: the source has changed", o->name);
		conf_pool_free(copy);
	}
	conf_free(same);
	conf_free(conf);
}

static char *
dump(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_dump(conf, out);
	fclose(out);
	return text;
}

/* What it points to is its own: the address sanitizer would tell. */
static void
a_copy_outlives_its_source(void **state)
{
	struct conf *conf = full_conf(), *other = conf_new();
	struct conf_pool *copy = conf_pool_copy(conf->pools[0]);
	char *before = dump(conf), *after;

	(void)state;
	conf_free(conf);
	conf_pool_free(conf_add_pool(other, "place"));
	other->pools[0] = copy;
	after = dump(other);
	assert_string_equal(before, after);
	free(before);
	free(after);
	conf_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_equal_for_every_service),
		cmocka_unit_test(a_copy_of_defaults_and_of_empty_lists_is_equal),
		cmocka_unit_test(
		    a_change_of_the_copy_is_a_difference_and_does_not_touch_the_source),
		cmocka_unit_test(a_copy_outlives_its_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
