/*
 * The state of the daemon as records of the control socket: what the master knows of
 * pools and workers, with what the workers say of themselves.
 */
#ifndef PREFORKD_STATUS_H
#define PREFORKD_STATUS_H

#include "control_proto.h"
#include "pool.h"

/* One record for a pool, and one for each of its processes behind it. */
void status_pool(FILE *out, struct pool *pool, int64_t now);

/* What happened last to the daemon and to the pool of that name, or (NULL) to all of them. */
void status_events(FILE *out, const char *only, int64_t now);

#endif
