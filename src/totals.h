/*
 * The figures of each pool since the first master: kept by name over reloads that drop a
 * pool and bring it back, and over upgrades, in a file in memory that a master hands
 * over to the next one (see handover.h).  A page of it is a pool's.
 *
 * Two masters may add at one time: the new one, and the old one for its last workers.
 * Each tells only sums to which it has added its own part, so nothing that was told ever
 * becomes less, whoever is asked.
 */
#ifndef PREFORKD_TOTALS_H
#define PREFORKD_TOTALS_H

#include "figures.h"

#define TOTALS_FORMAT 1 /* of the file */

struct totals;

/* The file of the master before us, which is owned then; before any other call. */
void totals_inherit(int fd);
int totals_fd(void); /* for the next one; -1: there is none yet */

/* The pool's page; children have no access to it.  NULL with errno. */
struct totals *totals_open(const char *pool);
void totals_close(struct totals *totals);

/*
 * Adds what own has become more since the last time, which was published; what has become
 * less was not true, and adds nothing.
 */
void totals_add(struct totals *totals, const struct figures *own, struct figures *published);
void totals_read(const struct totals *totals, struct figures *sum);

#endif
