/*
 * Where a connection comes from, and how many from there are being served: each worker
 * has a claim, in which it writes the source of its connection.  They are counted by
 * looking at them, so there is no counter that a death could leave wrong: the master
 * releases the claim of a worker that has died.
 *
 * Several workers may claim for one source at the same time, and neither may all get in
 * nor all be refused.  So there is an order: a worker writes its source, draws a ticket,
 * and then counts the claims with an earlier one.  A claim without its ticket yet counts as
 * earlier, so of those who get in each has been seen by all that came later, and there are
 * never more than the limit.  It is waited for, for a moment, before it makes anybody be
 * refused.
 */
#ifndef PREFORKD_SOURCE_H
#define PREFORKD_SOURCE_H

#include "conf.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/types.h>

struct source_claim {
	_Atomic uint64_t source; /* 0: none */
	_Atomic uint64_t ticket; /* 0: not drawn yet */
};

struct source_claims {
	_Atomic uint64_t last_ticket;
	_Atomic uint32_t used; /* no claim behind these was ever made */
	struct source_claim at[CONF_MAX_WORKERS];
};

/*
 * An IPv4 address, the /64 of an IPv6 address, which one customer has, or a user of this
 * machine.  Never 0; an address of another family is 0.
 */
uint64_t source_of_address(const struct sockaddr *peer);
uint64_t source_of_user(uid_t uid);

/* Of a connection, whose user the kernel knows if it is one of a Unix socket. */
uint64_t source_of(const struct sockaddr *peer, int fd);

/* By the worker of the slot.  false: so many others of its source are there already. */
bool source_claim(struct source_claims *claims, size_t slot, uint64_t source, unsigned limit);

/* The claims for the source of that slot's, which is one of them. */
unsigned source_count(const struct source_claims *claims, size_t slot);

/* By that worker, or, when it is dead, by the master. */
void source_release(struct source_claims *claims, size_t slot);

#endif
