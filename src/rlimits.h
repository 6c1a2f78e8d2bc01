/*
 * The limits of a process, as the configuration names them: rlimit_nofile and so on.
 */
#ifndef PREFORKD_RLIMITS_H
#define PREFORKD_RLIMITS_H

#include "conf.h"

/*
 * setrlimit(2) for each that is set, soft and hard; only system calls.  The one that could
 * not be set, with errno.  -1: none.
 */
int rlimits_apply(const int64_t values[CONF_RLIMITS]);

/*
 * The first that a process without rights could not set if outer were in force: it is
 * beyond that, or where outer sets none, beyond our own.  -1: none.
 */
int rlimits_beyond(const int64_t values[CONF_RLIMITS], const int64_t outer[CONF_RLIMITS]);

#endif
