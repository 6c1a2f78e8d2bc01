/*
 * A pool: its slots (one a worker process), its generations, and what becomes of them.
 * It decides and keeps the books; what touches processes, sockets and timers it asks
 * of pool_ops, so that it can be tested without any of them.
 *
 * The master calls pool_look() whenever something may have changed: a worker rang, one
 * died, the time that wake_at() was told has come, the watched socket is readable.
 * Looking once too often is harmless.
 */
#ifndef PREFORKD_POOL_H
#define PREFORKD_POOL_H

#include "generation.h"
#include "history.h"
#include "policy.h"
#include "saturation.h"
#include "totals.h"

#include <sys/types.h>

enum slot_state {
	SLOT_FREE,
	SLOT_STARTING, /* forked, not yet ready */
	SLOT_RUNNING,  /* ready: accepts, serves, or waits at the gate */
	SLOT_DRAINING, /* told to leave */
	SLOT_KILLED,   /* got SIGKILL */
	SLOT_STATES
};

#define SLOT_NO_REQUEST UINT64_MAX

struct slot {
	enum slot_state state; /* set by set_state() alone */
	pid_t pid;
	struct generation *gen;
	int64_t forked, since; /* since: of the state */
	enum policy_step step; /* DRAINING: the last rung of the ladder that it got */
	bool retired;          /* DRAINING: it does not accept any more */
	bool late;             /* KILLED: it was not ready in time */
	bool at_once;          /* DRAINING: without time to finish */
	enum worker_due due;   /* chosen to be replaced: counts in no census any more */
	/* By the number of the request that it was for. */
	uint64_t told_slow, expired;
	int64_t expired_at;
	int64_t cpu_mark; /* see pool_resident_mark() */
};

/* A program that accepts by itself, and what can be seen of it. */
struct pool_program {
	size_t slot;
	pid_t pid;      /* as its worker says; 0: none */
	int64_t cpu_ns; /* of it and what descends from it */
	enum { POOL_HOLDS_UNKNOWN, POOL_HOLDS_NONE, POOL_HOLDS } holds; /* a connection */
};

struct pool;

struct pool_ops {
	/* The new process, or -1 with errno. */
	pid_t (*spawn)(struct pool *pool, struct generation *gen, size_t slot);
	void (*signal)(pid_t pid, int sig);
	int (*queue)(const struct listener *listener);      /* its length, or -1 */
	int (*handshakes)(const struct listener *listener); /* connections about to enter it */
	int (*room)(void); /* workers that the limit over all pools still allows */
	void (*wake_at)(struct pool *pool, int64_t when);   /* util_now_ms(); 0: never */
	void (*sample_at)(struct pool *pool, int64_t when); /* once, for pool_sample() */
	void (*give_way)(struct pool *pool, int n);         /* so many kept connections, no more */
	void (*watch)(struct pool *pool, bool on); /* once: tell when its socket is readable */
	/* Connections that programs have accepted there and not closed; -1: unknown. */
	int (*accepted)(const struct listener *listener);
	/* Fills in cpu_ns and holds. */
	void (*examine)(const struct listener *listener, struct pool_program *programs, size_t n);
	/* A worker died while a program ran in that session: see session.h. */
	void (*left_behind)(pid_t session);
};

/* See pool_figures.h. */
struct pool_figures {
	struct figures_slot **chunks; /* of the workers */
	size_t nchunks;
	struct figures gone;      /* of workers that are gone, and what the master counts */
	struct figures published; /* what is in the totals of it all */
	struct totals *totals;
};

/* See pool_history.h. */
struct pool_history {
	struct history past;
	/* Since the last sample. */
	uint64_t requests, us;
	int longest_queue;
};

struct pool {
	char *name, *title; /* title: of its workers, ready to be copied */
	uint32_t id;        /* unique among all pools that ever were */
	const struct pool_ops *ops;
	void *owner; /* the master's own record of it */
	struct scoreboard *scoreboard;
	bool giving_way; /* there may be something in give_fds */
	int places_fd;   /* no bytes, only locks: see http_places.h */
	/* A message for each kept connection that must give way: the workers' end, and ours. */
	int give_fds[2];
	struct slot *slots; /* CONF_MAX_WORKERS; the master's alone */
	size_t nslots;      /* as many were ever used at once */
	unsigned counts[SLOT_STATES];

	struct generation *current, *trial, *old; /* old: a list */
	unsigned trial_workers;                   /* how many must get ready */
	bool trial_waits;                         /* for places that old workers have */
	char *trial_error;                        /* why it will not be */

	struct policy_state policy;
	int extra;     /* by TTIN and TTOU, until the next reload */
	bool stopping; /* no workers are made but to empty a queue */
	bool fast;     /* and none may finish its connection */
	bool starved;  /* wants workers when there is room again */
	bool recount;  /* a worker may have died between two steps: the count may be wrong */
	bool settled;  /* has the workers that it wants, as far as limits allow */
	bool drained;  /* parked, and its last worker has gone */
	struct conf_pool *parked; /* drained by an operator: what it will be when it resumes */

	/* Of programs that accept by themselves, see pool_resident.h. */
	int accepted_now;
	int64_t accepted_at; /* when the kernel was asked for that; 0: never */
	int64_t queue_since; /* connections were in the queue at every look since; 0: none is */

	int64_t limits_at; /* when the next time limit of a request ends; 0: nobody is busy */
	struct saturation saturation;
	struct pool_figures figures;
	struct pool_history history;

	uint64_t crashes, respawns; /* deaths that nobody asked for; workers made for those */
	unsigned owed;              /* of respawns */
	char *last_failure;         /* how the last of them died, or why fork(2) failed */
	struct log_limit early_limit, death_limit, fork_limit, room_limit;
};

struct pool *pool_new(const char *name, const struct pool_ops *ops);
void pool_free(struct pool *pool); /* when pool_is_gone() */

void pool_look(struct pool *pool, int64_t now);
void pool_sample(struct pool *pool, int64_t now);

/* A child was reaped; false if it is none of this pool. */
bool pool_reaped(struct pool *pool, pid_t pid, int status, int64_t now);

/* Starting, ready and busy workers: what counts against limits. */
unsigned pool_active(const struct pool *pool);

/*
 * A reload in three steps.  pool_try() makes enough workers of the new generation that
 * they could take over at once, and they stop at gen->gate; pool_try_state() tells how
 * it goes; then pool_commit() makes it the current one, or pool_take_back() ends it.
 * The pool owns gen from pool_try() on.
 */
enum pool_try { POOL_TRY_PENDING, POOL_TRY_READY, POOL_TRY_FAILED };
void pool_try(struct pool *pool, struct generation *gen, int64_t now);
enum pool_try pool_try_state(const struct pool *pool);
void pool_commit(struct pool *pool, int64_t now);
void pool_take_back(struct pool *pool, int64_t now);

/* The same generation with other sizes and times: conf replaces the present one. */
void pool_resize(struct pool *pool, struct conf_pool *conf);

/*
 * So many workers more than the configuration says (a fixed pool), or spare ones; until
 * the next reload.  false: a limit forbids it.
 */
bool pool_scale(struct pool *pool, int extra, int64_t now);

/* What extra counts from: workers, or min_spare_workers. */
int pool_base(const struct pool *pool);

/*
 * Takes a pool out of service, in order: no new connections, and its workers leave.  It
 * keeps its name and configuration, and comes back by pool_try() and pool_commit().
 */
void pool_park(struct pool *pool, int64_t now);

/* Ends one worker, in order or at once.  false: it is none of this pool. */
bool pool_end_worker(struct pool *pool, pid_t pid, bool fast, int64_t now);
bool pool_is_draining(const struct pool *pool); /* a worker of the current generation leaves */
bool pool_has_worker(const struct pool *pool, pid_t pid);

unsigned pool_busy(const struct pool *pool); /* its workers that have a connection to serve */

/* All processes of the pool, those on their way out included. */
unsigned pool_processes(const struct pool *pool);

/* Opens the logs of its service again.  -1 with *err: some stay as they are. */
int pool_reopen(const struct pool *pool, char **err);

/* No more: gracefully, or at once.  The second may follow the first. */
void pool_stop(struct pool *pool, bool fast, int64_t now);
bool pool_is_gone(const struct pool *pool);

#endif
