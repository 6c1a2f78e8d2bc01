/*
 * How many workers a pool should start or retire.  Pure arithmetic: a census, limits
 * and the time go in, a plan comes out.  No clock, no system call, no process.
 * Times are in milliseconds of any clock that does not run backwards.
 */
#ifndef PREFORKD_POLICY_H
#define PREFORKD_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct policy_limits {
	bool fixed; /* max workers, always */
	int min_spare, max_spare, max;
	int64_t spare_timeout;
	bool keeps; /* workers keep connections that can give way: look soon */
	/* They do not tell when they go busy: the listen socket tells, and looks now and then. */
	bool unseen;
};

/* The workers of the present generation, and what they have before them. */
struct policy_census {
	int starting, idle, busy;
	int kept;    /* of the busy ones: with a connection that can give way to another, ... */
	int closing; /* ... or that does so already */
	int queue;   /* connections that wait to be accepted; 0 if unknown */
	int low;     /* the smallest number of idle ones since the last plan with reset_low */
	int room;    /* how many more the limits over all pools and generations allow */
};

/* What the policy remembers between two looks.  All zero at first. */
struct policy_state {
	int failures; /* workers in a row that died before they were of use */
	int64_t last_failure;
	bool unready;        /* the last one of them never became ready */
	int64_t last_ready;  /* when a worker last became ready with no death since; 0: none */
	int64_t proof_at;    /* a worker that lives until then ends the failures; 0: none */
	int64_t next_try;    /* no fork before; 0: at once */
	int fork_failures;   /* fork(2) itself, in a row */
	int64_t surplus_end; /* when what was surplus all the time goes; 0: no surplus */
	int64_t armed_at;    /* at the limit, or unseen: when bell or watch was last armed */
	int64_t pause;       /* unseen: from then until it may be armed again */
	int busy_seen;       /* unseen: at the last look */
};

struct policy_plan {
	int start, retire;
	int64_t look_at; /* look again then at the latest; 0: only when something happens */
	int ring_below, ring_above; /* see scoreboard_set_bell() */
	int give_way;               /* so many kept connections must give way to those that wait */
	bool watch;     /* nobody would accept, or nobody tells: the master must watch the socket */
	bool starved;   /* wants workers that there is no room for */
	bool saturated; /* all that are allowed are busy, and connections wait */
	bool reset_low;
};

void policy_look(const struct policy_limits *limits, const struct policy_census *census,
		 struct policy_state *state, int64_t now, struct policy_plan *plan);

/*
 * The watched socket has told of a connection, and goes on until somebody accepts that: so
 * it is not armed again in the same millisecond, then soon, since one is seldom alone, and
 * less and less often while they come.
 */
void policy_told(struct policy_state *state, int64_t now);

/* How a worker that nobody told to go has ended. */
enum policy_death {
	POLICY_NEVER_READY,
	POLICY_OF_NO_USE,    /* ready, but it neither lived for POLICY_OF_USE_MS nor served */
	POLICY_FROM_OUTSIDE, /* the same, but somebody killed it: that says nothing */
	POLICY_OF_USE,
};

/* Does it lack workers, whatever hinders it to start them? */
bool policy_wants_more(const struct policy_limits *limits, const struct policy_census *census);

/*
 * Workers that are due for replacement are not in the census.  How many of a pool of so
 * many may be due at once; and how many of those can leave now, because the others, as
 * far as they are ready, are enough without them.
 */
int policy_due_max(int total);
int policy_due_leave(const struct policy_limits *limits, const struct policy_census *census,
		     int due);

/* What happened since.  forked: when the one that died was made. */
void policy_ready(struct policy_state *state, int64_t now);
void policy_died(struct policy_state *state, enum policy_death how, int64_t forked, int64_t now);
void policy_fork_failed(struct policy_state *state, int64_t now);
void policy_forked(struct policy_state *state);

/* An operator's reload: whatever failed before may be repaired. */
void policy_forgive(struct policy_state *state);

/* A worker that dies younger than this without having served was of no use. */
#define POLICY_OF_USE_MS 1000

/*
 * What a worker that must go gets, by the time since it was told to.  grace: how long
 * it may finish its connection.  *next is the time of the next step since then, or 0.
 */
enum policy_step { POLICY_STEP_DRAIN, POLICY_STEP_TERM, POLICY_STEP_KILL };
enum policy_step policy_step(int64_t grace, int64_t elapsed, int64_t *next);

#endif
