/*
 * When all workers that a pool may have are busy and connections wait: one warning when
 * it begins, one a minute while it lasts, one line when it has ended.
 */
#ifndef PREFORKD_SATURATION_H
#define PREFORKD_SATURATION_H

#include "log.h"

/* All zero at first; times in util_now_ms(). */
struct saturation {
	int64_t since; /* 0: it is not */
	int64_t seen;  /* last */
	int longest;   /* queue since then */
	int64_t told_at;
	bool told;
	struct log_limit limit;
};

struct saturation_look {
	const char *pool;
	const char *remedy; /* what to raise */
	const char *request; /* the one that has lasted longest, in words; "": unknown */
	bool saturated;
	int busy, queue;
};

/* Returns when to look again at the latest, or 0. */
int64_t saturation_look(struct saturation *s, const struct saturation_look *look, int64_t now);

/* It is over, whatever the queue is: nobody is to serve any more. */
void saturation_end(struct saturation *s, const char *pool);

#endif
