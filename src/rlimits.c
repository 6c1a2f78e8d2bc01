#include "rlimits.h"

#include <sys/resource.h>

int
rlimits_apply(const int64_t values[CONF_RLIMITS])
{
	static const int resources[CONF_RLIMITS] = {
		[CONF_RLIMIT_AS] = RLIMIT_AS,         [CONF_RLIMIT_CORE] = RLIMIT_CORE,
		[CONF_RLIMIT_CPU] = RLIMIT_CPU,       [CONF_RLIMIT_DATA] = RLIMIT_DATA,
		[CONF_RLIMIT_FSIZE] = RLIMIT_FSIZE,   [CONF_RLIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
		[CONF_RLIMIT_NOFILE] = RLIMIT_NOFILE, [CONF_RLIMIT_NPROC] = RLIMIT_NPROC,
		[CONF_RLIMIT_STACK] = RLIMIT_STACK,
	};

	for (size_t i = 0; i < CONF_RLIMITS; i++) {
		rlim_t limit = values[i] == CONF_UNLIMITED ? RLIM_INFINITY : (rlim_t)values[i];
		struct rlimit rl = { limit, limit };

		if (values[i] != CONF_UNSET && setrlimit((unsigned)resources[i], &rl) < 0)
			return -1;
	}
	return 0;
}
