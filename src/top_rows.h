/*
 * What `preforkctl top` shows, before it is drawn: which workers, in which order, and what
 * has changed since the last look.  Pure.
 */
#ifndef PREFORKD_TOP_ROWS_H
#define PREFORKD_TOP_ROWS_H

#include "status_doc.h"

enum top_order { TOP_BY_TIME, TOP_BY_REQUESTS, TOP_BY_AGE, TOP_BY_PID, TOP_BY_POOL, TOP_ORDERS };

/* "time in its state" */
const char *top_order_name(enum top_order order);

struct top_row {
	const struct status_pool *pool;
	const struct status_worker *worker;
};

struct top_choice {
	enum top_order order;
	bool reverse;
	bool idle;          /* those that wait for a connection, too */
	const char *filter; /* in pool, state, client or request, whatever its case; "": all */
};

/*
 * The rows of the document that are wanted, in order, as an array that the caller frees; the
 * document must outlive it.
 */
struct top_row *top_rows(const struct status_doc *doc, const struct top_choice *choice, size_t *n);

/*
 * Connections a second of each pool of now, by what before said of the pool of that name
 * ms earlier; -1: it was not there, or its count began anew.
 */
double top_rate(const struct status_pool *now, const struct status_doc *before, int64_t ms);

#endif
