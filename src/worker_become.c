#include "worker_become.h"

#include "rlimits.h"
#include "title.h"
#include "worker_check.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int
fail(struct worker_step *failed, const char *name, const char *object)
{
	*failed = (struct worker_step){ .name = name, .object = object };
	return -1;
}

/* In this order: each step may need what the ones behind it give away. */
int
worker_become(const struct worker *worker, struct worker_step *failed)
{
	const struct conf_pool *conf = worker->gen->conf;
	const struct identity *id = &worker->gen->id;
	int limit;

	title_set(worker->title);
	umask((mode_t)conf->umask);
	if (conf->nice != CONF_UNSET && setpriority(PRIO_PROCESS, 0, (int)conf->nice) < 0)
		return fail(failed, "nice", NULL);
	limit = rlimits_apply(conf->rlimit);
	if (limit >= 0)
		return fail(failed, "rlimits", conf_rlimit_names[limit]);
	worker_check_open(worker); /* while /proc and our rights are there */
	if (conf->chroot && (chroot(conf->chroot) < 0 || chdir("/") < 0))
		return fail(failed, "chroot", conf->chroot);
	if (identity_apply(id) < 0)
		return fail(failed, "user and groups", id->user);
	if (chdir(conf->directory) < 0)
		return fail(failed, "directory", conf->directory);
	if (conf->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(failed, "no_new_privs", NULL);
	return 0;
}
