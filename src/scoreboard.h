/*
 * The scoreboard: what the workers of one pool do, in memory that they share with the
 * master.  The master keeps its own record of which worker is alive; here is only what
 * the workers say of themselves.  The contract:
 *
 * - One mapping a pool.  A worker unmaps those of other pools, so it can mislead the
 *   master about its own pool at most.  There are numbers and bounded bytes in it, no
 *   pointers, and the master checks all it reads.
 * - A slot and its claim are written by its worker alone, from scoreboard_enter() to its
 *   end.  The master clears them before the fork, and as soon as the worker is reaped
 *   (scoreboard_clear): a claim of the dead would keep others out.
 * - `census` has in its low half the number of idle workers and in its high half a
 *   count of all changes, in one atomic word.  A worker marks its slot as changing,
 *   changes the word, then sets the slot's new activity.  Killed in between, it leaves
 *   the word wrong; so the master, whenever it looks, counts the slots and corrects the
 *   word by compare-and-swap: it fails exactly when somebody changed it meanwhile, and
 *   the master does not count while a live slot is changing (scoreboard_correct).
 * - `bell` is rung by the worker that finds idle workers below `ring_below` or above
 *   `ring_above` (the master sets both, and so switches each off), or that has become
 *   ready, or has a complaint.  Only the one that turns it from 0 to 1 writes a byte to the control
 * pipe.  The master sets it to 0 before it looks.  At most one byte a pool is under way, and all
 *   that it says is that some bell has rung.
 * - `alarm` is not 0 while the master wants to know when somebody goes busy (enum alarm):
 *   the worker that does turns it to 0 and rings.  As long as the master has a timer
 *   instead, no request costs a system call.
 * - What a worker says of its request (peer, text) stands between two steps of
 *   `sequence`, odd while it is being changed: the master reads again until it is even
 *   and the same before and after.
 * - `low` is the smallest number of idle workers since the master last reset it: what
 *   stayed idle all the time was surplus.
 */
#ifndef PREFORKD_SCOREBOARD_H
#define PREFORKD_SCOREBOARD_H

#include "complaints.h"
#include "rate.h"
#include "source.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum activity {
	ACTIVITY_NONE,      /* not yet in its loop, or ended in order */
	ACTIVITY_CHANGING,  /* between two of the others */
	ACTIVITY_IDLE,      /* waits in accept(2) */
	ACTIVITY_HELD,      /* ready, but waits for the reload that made it to be committed */
	ACTIVITY_KEEPALIVE, /* has a connection, and waits for its next request */
	ACTIVITY_WAITING,   /* has one that is not served yet: for its PROXY header or its turn */
	/* From here on it serves a request: see activity_is_busy(). */
	ACTIVITY_BUSY,
	ACTIVITY_READING,
	ACTIVITY_WRITING,
	ACTIVITY_CLOSING,
	ACTIVITIES
};

static inline bool
activity_is_busy(enum activity activity)
{
	return activity >= ACTIVITY_BUSY;
}

/* Why a worker wants to be replaced; it works on until it is told to leave. */
enum worker_due { DUE_NOT, DUE_REQUESTS, DUE_AGE, DUE_MEMORY, DUE_CPU };

/* Why a connection was closed without being served. */
enum refusal {
	REFUSED_QUEUE,  /* max_queue_wait */
	REFUSED_ACCESS, /* allow, deny */
	REFUSED_TIMES,  /* access_times */
	REFUSED_LOAD,   /* max_load */
	REFUSED_SOURCE, /* max_connections_per_source */
	REFUSED_PROXY,  /* proxy_from, or the header */
	REFUSALS
};

/* Bits of alarm: why. */
enum alarm {
	ALARM_LIMITS = 1,  /* the pool has time limits, and nobody is busy */
	ALARM_HISTORY = 2, /* nothing has happened since the last sample of its history */
};

#define SCOREBOARD_PEER_BYTES 28 /* a sockaddr_in6; of a Unix name its beginning */
#define SCOREBOARD_TEXT_BYTES 51

struct scoreboard_slot {
	_Atomic uint32_t activity; /* enum activity */
	_Atomic uint32_t pid;      /* whose record this is */
	_Atomic uint64_t requests; /* begun; one a connection, or several */
	_Atomic uint64_t connections;
	_Atomic int64_t since_ms; /* CLOCK_MONOTONIC, of the present activity */
	_Atomic uint32_t program; /* process group of the program it runs, or 0 */
	_Atomic uint32_t due;     /* enum worker_due */
	_Atomic uint32_t expired; /* low bits of the request that must end; by the master */
	_Atomic uint32_t sequence;
	uint8_t peer_len;
	uint8_t peer[SCOREBOARD_PEER_BYTES]; /* struct sockaddr of the client */
	char text[SCOREBOARD_TEXT_BYTES];    /* what is being served, cut; may lack its end */
} __attribute__((aligned(64)));

/* What the master has read of a slot: checked, and of one moment. */
struct scoreboard_view {
	enum activity activity;
	uint64_t requests, connections;
	int64_t since_ms;
	int program;
	struct sockaddr_storage peer;
	socklen_t peer_len; /* 0: there is none */
	char text[SCOREBOARD_TEXT_BYTES + 1];
};

struct scoreboard {
	_Alignas(64) _Atomic uint64_t census;
	_Atomic int32_t ring_below, ring_above;
	_Atomic uint32_t bell;
	_Atomic int32_t low;
	_Atomic uint32_t alarm;
	/* The master's orders: requests until a worker is due, and max_queue_wait; 0: none. */
	_Atomic uint32_t max_requests;
	_Atomic uint32_t max_delayed_per_source;
	_Atomic int64_t max_queue_wait_ms;
	_Atomic int64_t graceful_timeout_ms; /* for workers that have lost their master */
	/* Connections that wait while nobody is idle: so many kept ones must end. */
	_Atomic uint32_t crowded;
	_Atomic uint32_t log_torn; /* see access_file_start() */
	_Atomic uint64_t refused[REFUSALS], delayed; /* connections, ever */
	_Atomic uint32_t banner_lost;                /* the log says so until it is back */
	/* Kinds of lines that all workers of the pool together write at most so often. */
	struct log_limit start_limit, accept_limit, lost_limit, program_limit, delay_limit,
	    lookup_limit, file_limit, auth_limit, spool_limit, script_limit, end_limit,
	    circle_limit;
	struct log_limit refusal_limit[REFUSALS];
	struct log_limit module_limit; /* of all that its module says */
	struct complaints complaints;
	/* Of the pool's rate_limit, see rate_turn(); and what there is of each source. */
	_Atomic int64_t rate_full_at;
	struct rate_table source_rates;
	struct source_claims sources;
	struct scoreboard_slot slots[];
};

/* Memory for as many slots, touched only as they are used.  NULL with errno. */
struct scoreboard *scoreboard_new(size_t slots);
void scoreboard_free(struct scoreboard *sb, size_t slots);

/* The master's side. */
void scoreboard_clear(struct scoreboard *sb, size_t slot);
enum activity scoreboard_activity(const struct scoreboard *sb, size_t slot, int pid);
void scoreboard_read(const struct scoreboard *sb, size_t slot, int pid,
		     struct scoreboard_view *view);
/* The text of a worker that has ended. */
void scoreboard_last_words(const struct scoreboard *sb, size_t slot,
			   char text[SCOREBOARD_TEXT_BYTES + 1]);
bool scoreboard_has_rung(const struct scoreboard *sb);
void scoreboard_hush(struct scoreboard *sb); /* the bell may ring again */
void scoreboard_set_bell(struct scoreboard *sb, int below, int above);
int scoreboard_idle(const struct scoreboard *sb); /* by the count, not by the slots */
int scoreboard_low(const struct scoreboard *sb);
void scoreboard_reset_low(struct scoreboard *sb);
void scoreboard_note_low(struct scoreboard *sb, int idle); /* of workers that do not tell */

/*
 * Corrects the number of idle workers to the slots for which alive() is true.  false
 * when workers were changing all the time: then it stays as it was, a hint.
 */
bool scoreboard_correct(struct scoreboard *sb, size_t slots,
			bool (*alive)(const void *arg, size_t slot), const void *arg);

/*
 * The worker's side.  Each returns true when the caller must write to the control pipe.
 * scoreboard_begin() counts a connection, and a request if it is one, and goes busy;
 * scoreboard_say() tells what is asked for.  scoreboard_arrive() may come before, and
 * again: there is a connection, and it has to wait.
 */
bool scoreboard_arrive(struct scoreboard *sb, size_t slot, const struct sockaddr *peer,
		       socklen_t len);
bool scoreboard_begin(struct scoreboard *sb, size_t slot, const struct sockaddr *peer,
		      socklen_t len, bool is_request);
bool scoreboard_want_leave(struct scoreboard *sb, size_t slot, enum worker_due why);
void scoreboard_say(struct scoreboard_slot *slot, const char *text, size_t len);

/* Within a connection: it waits for the next request; that has come; how far it is. */
void scoreboard_keep(struct scoreboard_slot *slot);
bool scoreboard_request(struct scoreboard *sb, size_t slot);
void scoreboard_set(struct scoreboard_slot *slot, enum activity activity);

/* Do connections wait for a worker that is not kept by another one? */
bool scoreboard_is_crowded(const struct scoreboard *sb);
bool scoreboard_enter(struct scoreboard *sb, size_t slot, enum activity activity);
bool scoreboard_change(struct scoreboard *sb, size_t slot, enum activity activity);

/* There is something else for the master to see. */
bool scoreboard_ring(struct scoreboard *sb);

#endif
