/*
 * Time limits of requests: slow_request, which is only told, and request_timeout, with
 * what the worker waits for just then.  For pool.c only.
 */
#ifndef PREFORKD_POOL_LIMITS_H
#define PREFORKD_POOL_LIMITS_H

#include "pool.h"

/*
 * Looks at the workers that are busy, if the next limit has come or a worker has rung
 * the alarm; *look_at becomes earlier while anybody is busy.
 */
void pool_limits_look(struct pool *pool, int64_t now, int64_t *look_at);

/* Limits may have become others: look at all at the next occasion. */
void pool_limits_changed(struct pool *pool);

#endif
