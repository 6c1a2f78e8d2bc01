#include "rlimits.h"

#include <sys/resource.h>

static const int resources[CONF_RLIMITS] = {
	[CONF_RLIMIT_AS] = RLIMIT_AS,         [CONF_RLIMIT_CORE] = RLIMIT_CORE,
	[CONF_RLIMIT_CPU] = RLIMIT_CPU,       [CONF_RLIMIT_DATA] = RLIMIT_DATA,
	[CONF_RLIMIT_FSIZE] = RLIMIT_FSIZE,   [CONF_RLIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
	[CONF_RLIMIT_NOFILE] = RLIMIT_NOFILE, [CONF_RLIMIT_NPROC] = RLIMIT_NPROC,
	[CONF_RLIMIT_STACK] = RLIMIT_STACK,
};

/* RLIM_INFINITY is greater than any other. */
static rlim_t
limit_of(int64_t value)
{
	return value == CONF_UNLIMITED ? RLIM_INFINITY : (rlim_t)value;
}

int
rlimits_apply(const int64_t values[CONF_RLIMITS])
{
	for (int i = 0; i < CONF_RLIMITS; i++) {
		struct rlimit rl = { limit_of(values[i]), limit_of(values[i]) };

		if (values[i] != CONF_UNSET && setrlimit((unsigned)resources[i], &rl) < 0)
			return i;
	}
	return -1;
}

int
rlimits_beyond(const int64_t values[CONF_RLIMITS], const int64_t outer[CONF_RLIMITS])
{
	for (int i = 0; i < CONF_RLIMITS; i++) {
		struct rlimit rl = { .rlim_max = limit_of(outer[i]) };

		if (values[i] == CONF_UNSET ||
		    (outer[i] == CONF_UNSET && getrlimit((unsigned)resources[i], &rl) < 0))
			continue;
		if (limit_of(values[i]) > rl.rlim_max)
			return i;
	}
	return -1;
}
