/*
 * What a worker looks at before and after a connection: has it waited too long, and is
 * the worker itself due for replacement?  For worker.c only.
 */
#ifndef PREFORKD_WORKER_CHECK_H
#define PREFORKD_WORKER_CHECK_H

#include "worker.h"

/* Once, before a change of root and identity. */
void worker_check_open(const struct worker *worker);

/* true: the connection is to be closed unserved (max_queue_wait).  It is logged. */
bool worker_check_shed(const struct worker *worker, int fd);

/* between: no request is being served. */
enum worker_due worker_check_due(const struct worker *worker, bool between);

#endif
