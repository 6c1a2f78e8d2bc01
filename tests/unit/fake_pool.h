/*
 * A pool without processes: pool_ops that only write down what they were asked, and
 * workers that the test plays itself.
 */
#ifndef PREFORKD_TESTS_FAKE_POOL_H
#define PREFORKD_TESTS_FAKE_POOL_H

#include "pool.h"

#define FAKE_FIRST_PID 1001
#define FAKE_PIDS      400
#define FAKE_SLOTS     100

/* What the pool asked for, and what it is told of the world. */
struct fake_world {
	pid_t last_pid;
	int fork_error; /* errno of the next forks, or 0 */
	int queue, handshakes, room;
	int64_t wake_at, sample_at;
	bool watching;
	int give_way;
	int signals[FAKE_PIDS]; /* by pid - 1000: the last signal */
	int sent[FAKE_PIDS];    /* and how many it got */
	pid_t left_behind;
	int accepted; /* of programs that accept by themselves; by slot: */
	int64_t cpu_ns[FAKE_SLOTS];
	int holds[FAKE_SLOTS];
};

extern struct fake_world world;
extern const struct pool_ops fake_ops;

/* Of waitpid(2). */
extern const int killed, left, ended, cannot_start;

struct listener *new_listener(void);

/*
 * A generation of an echo pool with these sizes, on a listener of the test's: fixed, or
 * workers is 0 and at most 20.
 */
struct generation *new_generation(struct listener *l, int64_t workers, int64_t start, int64_t min,
				  int64_t max_spare);

/* The worker in a slot says what it does; the census word is left to be corrected. */
void say(struct pool *pool, size_t slot, enum activity activity);
void all_say(struct pool *pool, enum activity activity);

/* A new world with a pool whose first generation is committed and idle. */
struct pool *new_pool(struct generation *gen, int64_t now);

/* Tries and commits a generation; its workers are idle then. */
void replace_generation(struct pool *pool, struct generation *gen, int64_t now);

/* The worker in a slot is reaped, and the pool looks. */
void reap(struct pool *pool, size_t slot, int status, int64_t now);
void end_pool(struct pool *pool);

#endif
