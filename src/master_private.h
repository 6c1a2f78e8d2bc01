/*
 * What the files of the master share.
 */
#ifndef PREFORKD_MASTER_PRIVATE_H
#define PREFORKD_MASTER_PRIVATE_H

#include "master.h"
#include "reload.h"

#include <event2/event.h>

/* What the master keeps of each pool beside the pool itself. */
struct master_pool {
	struct pool *pool;
	struct event *timer, *watch; /* watch: of the listen socket in watched_fd */
	int watched_fd;
	bool watching;
};

enum master_state {
	MASTER_STARTING, /* the first plan is on trial */
	MASTER_RUNNING,
	MASTER_STOPPING,
};

struct master {
	struct master_options options;
	enum master_state state;
	int status; /* to exit with */
	struct event_base *base;
	struct event *control, *watchdog;
	int control_fds[2];
	int pid_fd;
	char *pid_file;

	struct conf *conf; /* of the last plan that was committed; its pools are in the pools */
	struct pool **pools;
	size_t npools;

	/* The reload that is under way. */
	struct reload_plan *plan;
	int gate;          /* its workers wait for this end to close */
	int log_fd;        /* its log, opened; -1: the log stays */
	bool reload_again; /* another HUP came meanwhile */

	pid_t *sessions; /* of programs whose worker died, until all of them are gone */
	size_t nsessions;
};

extern struct master master;

/* master_pools.c: the pools' side of things. */
extern const struct pool_ops master_pool_ops;
struct pool *master_pool_add(const char *name);
void master_pool_free(struct pool *pool);
void master_look_all(bool starved_only);

/* master_reload.c: from SIGHUP to done or refused. */
void master_reload_begin(void);
void master_reload_step(void);
void master_reload_cancel(const char *why);

/* master.c: after anything that may have ended a trial, a pool, or the daemon. */
void master_settle(void);
void master_ready(void);
void master_tell_ready(void);

#endif
