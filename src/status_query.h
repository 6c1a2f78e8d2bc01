/*
 * The status as the master tells it now, and what a load balancer wants to know of it.
 */
#ifndef PREFORKD_STATUS_QUERY_H
#define PREFORKD_STATUS_QUERY_H

#include "status_doc.h"

/*
 * socket: as ctl_client.h.  pools: only these, NULL for all.  NULL with *err when there was no
 * answer within timeout_ms.  Free with status_doc_free().
 */
struct status_doc *status_query(const char *socket, char *const *pools, int64_t timeout_ms,
				char **err);

/*
 * Does every pool have its least number of workers, and is none about to end?  If not, *why
 * is a sentence, owned by the caller.  A pool that a reload has dropped does not count.
 */
bool status_is_ready(const struct status_doc *doc, char **why);

/* A pool that the configuration has, or the daemon, takes no new connections, or soon. */
bool status_is_draining(const struct status_doc *doc);

/* How much of the pool with the least of it is free, from 1 to 100: never "nothing". */
int status_idle_percent(const struct status_doc *doc);

#endif
