/*
 * Tries in a child what may crash or hang: the code of others, which the master is about to
 * run itself.  The caller waits for it, so the time has a limit.
 */
#ifndef PREFORKD_TRIAL_H
#define PREFORKD_TRIAL_H

#include <stdint.h>

enum trial_result {
	TRIAL_GOOD,  /* it has returned 0 */
	TRIAL_BAD,   /* it has returned something else; *err is its own text */
	TRIAL_ENDED, /* it was killed, has ended the process, or not returned in time: *err says */
};

/* Runs run(arg) in a copy of this process; what it does to memory is lost. */
enum trial_result trial_run(int (*run)(void *arg, char **err), void *arg, int64_t limit_ms,
			    char **err);

#endif
