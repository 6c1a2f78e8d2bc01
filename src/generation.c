#include "generation.h"

#include "banner.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
resolve_listen(struct generation *gen, char **err)
{
	const struct conf_pool *conf = gen->conf;
	struct listener_options *o = &gen->listen;
	char *why = NULL;

	if (address_parse(conf->listen, &gen->address, &why) < 0)
		return conf_pool_fail(conf, "listen", why, err);
	o->backlog = (int)conf->listen_backlog;
	o->ipv6only = conf->ipv6only;
	o->defer_accept = conf->defer_accept;
	o->mode = (mode_t)conf->listen_mode;
	o->owner = (uid_t)-1;
	o->group = (gid_t)-1;
	if (!gen->address.path && (conf->listen_owner || conf->listen_group))
		return conf_pool_fail(conf, conf->listen_owner ? "listen_owner" : "listen_group",
				      util_strdup("only a Unix socket with a path has an owner"),
				      err);
	if (conf->ipv6only && gen->address.sa.ss_family != AF_INET6)
		return conf_pool_fail(conf, "ipv6only",
				      util_strdup("only for an IPv6 address, such as \"[::]:80\""),
				      err);
	if (conf->max_queue_wait > 0 && gen->address.sa.ss_family == AF_UNIX)
		return conf_pool_fail(
		    conf, "max_queue_wait",
		    util_strdup("only for TCP: a Unix socket does not tell how long "
				"a connection has waited"),
		    err);
	if (conf->listen_owner && privs_user(conf->listen_owner, &o->owner, &why) < 0)
		return conf_pool_fail(conf, "listen_owner", why, err);
	if (conf->listen_group && privs_group(conf->listen_group, &o->group, &why) < 0)
		return conf_pool_fail(conf, "listen_group", why, err);
	return 0;
}

static int
resolve_identity(struct generation *gen, char **err)
{
	static const char *const at_fault[] = { "user", "group", "supplementary_groups" };
	static char *warned; /* the user that was last warned about: once a start is enough */
	const struct conf_pool *conf = gen->conf;
	char *why = NULL;
	bool ignored;
	int result = identity_resolve(&gen->id, conf->user, conf->group, conf->supplementary_groups,
				      &ignored, &why);

	if (result < 0)
		return conf_pool_fail(conf, at_fault[-result - 1], why, err);
	if (gen->id.change && gen->id.uid == 0)
		log_warn("pool %s: its workers run as root: a fault in them is a fault of root's",
			 conf->name);
	if (ignored && strcmp(conf->user, PREFORKD_USER) != 0 &&
	    (!warned || strcmp(warned, conf->user) != 0)) {
		log_warn("not started by root, so user \"%s\" is ignored: workers run as %s",
			 conf->user, gen->id.user);
		free(warned);
		warned = util_strdup(conf->user);
	}
	return 0;
}

/* chroot(2) follows links, so stat(2) it is. */
static int
check_directory(const struct generation *gen, const char *option, const char *chroot,
		const char *path, char **err)
{
	char *why = NULL, *full = util_format("%s%s", chroot ? chroot : "", path);
	struct stat st;

	if (stat(full, &st) == 0 && !S_ISDIR(st.st_mode))
		util_fail(&why, "%s is not a directory", full);
	else
		identity_may(&gen->id, chroot, path, X_OK, &why);
	free(full);
	return why ? conf_pool_fail(gen->conf, option, why, err) : 0;
}

static int
check_directories(const struct generation *gen, char **err)
{
	const struct conf_pool *conf = gen->conf;

	if (conf->chroot && geteuid() != 0)
		return conf_pool_fail(conf, "chroot", util_strdup("only root can change the root"),
				      err);
	if (conf->chroot && check_directory(gen, "chroot", NULL, conf->chroot, err) < 0)
		return -1;
	return check_directory(gen, "directory", conf->chroot, conf->directory, err);
}

struct generation *
generation_new(struct conf_pool *conf, char **err)
{
	struct generation *gen = util_calloc(1, sizeof(*gen));

	gen->conf = conf;
	gen->gate = -1;
	gen->service = service_find(conf->service);
	if (resolve_listen(gen, err) < 0 || resolve_identity(gen, err) < 0 ||
	    check_directories(gen, err) < 0 || banner_check(conf, &gen->id, err) < 0 ||
	    access_new(conf, &gen->access, err) < 0 ||
	    (gen->service->prepare &&
	     gen->service->prepare(conf, &gen->id, &gen->prepared, err) < 0)) {
		gen->conf = NULL;
		generation_free(gen);
		return NULL;
	}
	gen->prepared_from = conf;
	return gen;
}

void
generation_change(struct generation *gen, struct conf_pool *conf)
{
	if (gen->conf != gen->prepared_from)
		conf_pool_free(gen->conf);
	gen->conf = conf;
}

struct conf_pool *
generation_yield(struct generation *gen)
{
	struct conf_pool *conf = gen->conf;

	gen->conf = gen->prepared_from = NULL;
	return conf;
}

void
generation_free(struct generation *gen)
{
	if (!gen)
		return;
	if (gen->service->release)
		gen->service->release(gen->prepared);
	access_free(gen->access);
	if (gen->gate >= 0)
		close(gen->gate);
	listener_release(gen->listener);
	identity_free(&gen->id);
	if (gen->prepared_from != gen->conf)
		conf_pool_free(gen->prepared_from);
	conf_pool_free(gen->conf);
	free(gen);
}
