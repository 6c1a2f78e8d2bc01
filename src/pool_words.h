/*
 * What there is to say of workers, in words for the log and the events.  For the files of
 * the pool.
 */
#ifndef PREFORKD_POOL_WORDS_H
#define PREFORKD_POOL_WORDS_H

#include "pool.h"

#define POOL_WORDS_BYTES 384

/* "client 192.0.2.1:4711: request 7 GET /x"; "": nothing, or nobody knows. */
void pool_words_request(const struct pool *pool, size_t slot, char text[POOL_WORDS_BYTES]);

/* The same of the request that has lasted longest, with its worker and its time, or "". */
void pool_words_longest(const struct pool *pool, int64_t now, char text[POOL_WORDS_BYTES]);

/*
 * "killed by signal 9 (Killed)", "exited with status 70 (step: why)"; and "after 1.2s, 3
 * requests": what a program has served by itself is not known.
 */
void pool_words_end(const struct pool *pool, const struct slot *slot, int status, bool oom,
		    char text[POOL_WORDS_BYTES]);
void pool_words_life(const struct slot *slot, uint64_t requests, int64_t now,
		     char text[POOL_WORDS_BYTES]);

/*
 * Which limit has stopped fork(2) the kernel does not say: those that could have, with what
 * they are now, behind ": "; or "".
 */
void pool_words_fork_remedy(int error, char text[POOL_WORDS_BYTES]);

#endif
