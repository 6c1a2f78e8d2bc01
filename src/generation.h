/*
 * A generation: the workers of a pool that were made from one configuration, and what
 * they share: identity, prepared service, listen socket.  A pool has one that is
 * current, at most one on trial (a reload), and older ones whose workers finish.
 */
#ifndef PREFORKD_GENERATION_H
#define PREFORKD_GENERATION_H

#include "access.h"
#include "listener.h"
#include "service.h"

enum generation_phase {
	GENERATION_TRIAL,     /* its workers get ready, but do not accept yet */
	GENERATION_CURRENT,   /* the one that is sized to the load */
	GENERATION_RETIRING,  /* its workers leave after their connection; others accept */
	GENERATION_FINISHING, /* its workers empty the accept queue of their listener, then leave */
};

struct generation {
	struct conf_pool *conf; /* owned, see generation_change() */
	struct identity id;
	const struct service *service;
	void *prepared;
	struct conf_pool *prepared_from; /* owned: what was prepared may point into it */
	struct access *access;           /* NULL: no rules */
	struct address address;
	struct listener_options listen;
	struct listener *listener; /* used, once it has one; NULL: closed (FINISHING) */
	enum generation_phase phase;
	unsigned number;   /* of the commit that made it current, or that would */
	bool emptied;      /* FINISHING: a worker has found the queue empty: make no more */
	unsigned in_vain;  /* FINISHING: workers that were made for the queue, and served nobody */
	int64_t finish_by; /* FINISHING: handshakes are waited for until then */
	int gate;          /* TRIAL: workers wait for the end of file on it; else -1 */
	struct generation *next;
};

/*
 * Looks up and checks all that the configuration names (user, directories, program,
 * address) and prepares the service.  Takes conf over only if it succeeds.
 * NULL with *err as "FILE:LINE: text".
 */
struct generation *generation_new(struct conf_pool *conf, char **err);

/* Takes over a configuration that differs in nothing that needs new workers. */
void generation_change(struct generation *gen, struct conf_pool *conf);

/* Of one that will not be used: hands its configuration to the caller. */
struct conf_pool *generation_yield(struct generation *gen);
void generation_free(struct generation *gen);

#endif
