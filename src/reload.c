#include "reload.h"

#include "conf_parse.h"
#include "handover.h"
#include "notify.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONTROL_BACKLOG 64

int
reload_fail_listen(const struct conf_pool *conf, char *why, char **err)
{
	struct conf_where where = conf->set[conf_option_index(&conf_pool_section, "listen")];

	util_fail(err, "%s:%d: listen: %s", where.file, where.line, why);
	free(why);
	return -1;
}

static bool
is_wildcard_for(const struct generation *wild, const struct generation *other)
{
	if (!address_is_wildcard(&wild->address))
		return false;
	return wild->address.sa.ss_family == other->address.sa.ss_family ||
	       (wild->address.sa.ss_family == AF_INET6 && !wild->listen.ipv6only);
}

/* Two pools cannot accept on one address: who would get a connection? */
static int
check_addresses(const struct reload_plan *plan, size_t i, char **err)
{
	const struct generation *gen = plan->entries[i].gen;

	for (size_t k = 0; k < i; k++) {
		const struct generation *other = plan->entries[k].gen;

		if (address_equal(&gen->address, &other->address) ||
		    (address_same_port(&gen->address, &other->address) &&
		     (is_wildcard_for(gen, other) || is_wildcard_for(other, gen))))
			return reload_fail_listen(
			    gen->conf,
			    util_format("pool \"%s\" (%s:%d) has the same address",
					other->conf->name, other->conf->where.file,
					other->conf->where.line),
			    err);
	}
	return 0;
}

int
reload_fail_global(const struct conf *conf, const char *option, char *why, char **err)
{
	struct conf_where where = conf->set[conf_option_index(&conf_global_section, option)];

	if (where.file)
		util_fail(err, "%s:%d: %s: %s", where.file, where.line, option, why);
	else
		util_fail(err, "%s: %s: %s", conf->files[0], option, why);
	free(why);
	return -1;
}

int
reload_fail_flag(const char *flag, char *why, char **err)
{
	util_fail(err, "%s: %s", flag, why);
	free(why);
	return -1;
}

static int
check_log(struct reload_plan *plan, char **err)
{
	char *why = NULL;

	if (log_target_parse(plan->conf->log, &plan->log, &why) < 0)
		return reload_fail_global(plan->conf, "log", why, err);
	return 0;
}

/* Root only, or a group beside. */
static int
check_control(struct reload_plan *plan, char **err)
{
	const char *group = plan->conf->control_group;
	struct address address;
	char *why = NULL;

	if (address_parse(plan->conf->control_socket, &address, &why) < 0)
		return reload_fail_global(plan->conf, "control_socket", why, err);
	plan->control = (struct listener_options){
		.backlog = CONTROL_BACKLOG,
		.owner = (uid_t)-1,
		.group = (gid_t)-1,
		.mode = group ? 0660 : 0600,
	};
	if (group && privs_group(group, &plan->control.group, &why) < 0)
		return reload_fail_global(plan->conf, "control_group", why, err);
	return 0;
}

struct reload_plan *
reload_read(const char *file, char **err)
{
	struct reload_plan *plan;
	struct conf *conf = conf_parse(file, err);

	if (!conf)
		return NULL;
	plan = util_calloc(1, sizeof(*plan));
	plan->conf = conf;
	plan->entries = util_calloc(conf->npools, sizeof(*plan->entries));
	if (check_log(plan, err) < 0 || check_control(plan, err) < 0)
		goto fail;
	for (size_t i = 0; i < conf->npools; i++) {
		plan->entries[i].gen = generation_new(conf->pools[i], err);
		if (!plan->entries[i].gen)
			goto fail;
		conf->pools[i] = NULL;
		plan->n++;
		if (check_addresses(plan, i, err) < 0)
			goto fail;
	}
	return plan;
fail:
	reload_free(plan);
	return NULL;
}

void
reload_free(struct reload_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->n; i++)
		generation_free(plan->entries[i].gen);
	free(plan->entries);
	conf_free(plan->conf);
	free(plan);
}

static struct pool *
find_pool(struct pool *const *pools, size_t npools, const char *name)
{
	for (size_t i = 0; i < npools; i++)
		if ((pools[i]->current || pools[i]->parked) && strcmp(pools[i]->name, name) == 0)
			return pools[i];
	return NULL;
}

static bool
same_socket(const struct generation *a, const struct generation *b)
{
	return address_equal(&a->address, &b->address) && a->listen.ipv6only == b->listen.ipv6only;
}

/* A pool keeps its own socket while its listen line stays (port 0 too), or takes another's. */
static struct listener *
find_listener(const struct generation *gen, const struct pool *own, struct pool *const *pools,
	      size_t npools)
{
	if (own && own->current && strcmp(own->current->conf->listen, gen->conf->listen) == 0 &&
	    own->current->listen.ipv6only == gen->listen.ipv6only)
		return own->current->listener;
	for (size_t i = 0; i < npools; i++)
		if (pools[i]->current && same_socket(gen, pools[i]->current))
			return pools[i]->current->listener;
	return NULL;
}

/* Is the socket bound to the pool's address?  any_port: where any will do, one is. */
static bool
has_address(const struct generation *gen, int fd, bool any_port)
{
	struct address a = { .len = sizeof(a.sa) };

	if (getsockname(fd, (struct sockaddr *)&a.sa, &a.len) < 0)
		return false;
	a.any = gen->address.any;
	a.path = gen->address.path;
	if (a.sa.ss_family == AF_UNIX && a.path)
		a.len = gen->address.len; /* the kernel counts the path only as far as it goes */
	return address_equal(&gen->address, &a) ||
	       (any_port && address_is_one_of(&gen->address, &a));
}

/*
 * A socket that was handed over: the one with the pool's name, and its address if there are
 * several of that name, or else the one with its address.  What another master opened follows the
 * file, so both must fit if its name does; and so does what an instance before us has stored, for
 * the file may have changed since.
 */
static int
find_inherited(const struct generation *gen)
{
	int named = -1, there = -1, fd;
	const char *name;

	for (size_t i = 0; (fd = notify_socket(i, &name)) >= 0; i++) {
		enum handover_kind kind = handover_kind(fd);
		bool follows = kind == HANDOVER_OWN || notify_socket_is_stored(fd);
		bool its_name = strcmp(name, gen->conf->name) == 0;

		if (kind == HANDOVER_CONTROL)
			continue;
		if (has_address(gen, fd, its_name)) {
			if (its_name)
				return fd;
			there = there < 0 ? fd : there;
		} else if (its_name && !follows) {
			named = named < 0 ? fd : named;
		}
	}
	return named >= 0 ? named : there;
}

static struct listener *
adopt_inherited(const struct generation *gen, char **err)
{
	int fd = find_inherited(gen);
	struct listener *l;

	if (fd < 0)
		return NULL;
	l = listener_adopt(fd, &gen->address, &gen->listen, err);
	if (!l)
		return NULL;
	notify_socket_taken(fd);
	l->promised = handover_kind(fd) == HANDOVER_OWN;
	l->stored = notify_socket_is_stored(fd);
	if (l->stored)
		listener_own(l);
	return l;
}

static int
take_listener(struct reload_entry *entry, struct pool *const *pools, size_t npools, char **err)
{
	struct generation *gen = entry->gen;
	struct listener *l = find_listener(gen, entry->pool, pools, npools);
	char *why = NULL;

	if (l) {
		listener_use(l);
		gen->listener = l;
		return 0;
	}
	gen->listener = adopt_inherited(gen, &why);
	if (!gen->listener && !why)
		gen->listener = listener_open(&gen->address, &gen->listen, &why);
	entry->opened = gen->listener != NULL;
	return gen->listener ? 0 : reload_fail_listen(gen->conf, why, err);
}

static int
open_service(struct reload_entry *entry, char **err)
{
	const struct service *service = entry->gen->service;
	bool used = entry->action == RELOAD_REPLACE || entry->action == RELOAD_NEW;

	return used && service->open ? service->open(entry->gen->prepared, err) : 0;
}

static bool
same_service(const struct generation *a, const struct generation *b)
{
	return !a->service->same || a->service->same(a->prepared, b->prepared);
}

static enum reload_action
action_for(const struct generation *gen, const struct pool *pool)
{
	unsigned diff;

	if (pool ? pool->parked != NULL : handover_is_drained(gen->conf->name))
		return RELOAD_PARKED;
	if (!pool)
		return RELOAD_NEW;
	diff = conf_pool_diff(pool->current->conf, gen->conf);
	if ((diff & CONF_GENERATION) || !identity_equal(&pool->current->id, &gen->id) ||
	    !same_service(pool->current, gen))
		return RELOAD_REPLACE;
	return diff ? RELOAD_RESIZE : RELOAD_KEEP;
}

struct reload_plan *
reload_plan(const char *file, struct pool *const *pools, size_t npools, char **err)
{
	struct reload_plan *plan = reload_read(file, err);

	for (size_t i = 0; plan && i < plan->n; i++) {
		struct reload_entry *entry = &plan->entries[i];

		entry->pool = find_pool(pools, npools, entry->gen->conf->name);
		entry->action = action_for(entry->gen, entry->pool);
		if (entry->action != RELOAD_PARKED &&
		    (take_listener(entry, pools, npools, err) < 0 ||
		     open_service(entry, err) < 0)) {
			reload_free(plan);
			return NULL;
		}
	}
	return plan;
}

static int
add_again(struct reload_plan *plan, struct pool *pool, struct pool *const *pools, size_t npools,
	  char **err)
{
	struct reload_entry *entry = &plan->entries[plan->n];
	struct conf_pool *conf = conf_pool_copy(pool->parked ? pool->parked : pool->current->conf);

	entry->pool = pool;
	entry->action = pool->parked ? RELOAD_NEW : RELOAD_REPLACE;
	entry->gen = generation_new(conf, err);
	if (!entry->gen) {
		conf_pool_free(conf);
		return -1;
	}
	plan->n++;
	return take_listener(entry, pools, npools, err) < 0 ? -1 : open_service(entry, err);
}

struct reload_plan *
reload_plan_again(enum reload_kind kind, struct pool *const *pools, size_t npools,
		  struct pool *only, char **err)
{
	struct reload_plan *plan = util_calloc(1, sizeof(*plan));

	plan->kind = kind;
	plan->entries = util_calloc(npools, sizeof(*plan->entries));
	for (size_t i = 0; i < npools; i++) {
		if (only ? pools[i] != only : !pools[i]->current)
			continue;
		if (add_again(plan, pools[i], pools, npools, err) < 0) {
			reload_free(plan);
			return NULL;
		}
	}
	if (plan->n > 0)
		return plan;
	util_fail(err, "no pool serves: all of them are drained");
	reload_free(plan);
	return NULL;
}

void
reload_block_listeners(const struct reload_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		const struct pool *pool = plan->entries[i].pool;
		const struct generation *gen = pool ? pool->trial : NULL;

		if (gen && !gen->service->run)
			fcntl(gen->listener->fd, F_SETFL, O_RDWR);
	}
}
