/*
 * The exec section with its pool: what cannot be had on a Unix socket.
 */
#include "conf_table.h"

static int
fail(const struct conf_pool *pool, const char *option, const char *why, char **err)
{
	return conf_service_fail(pool, option, util_strdup(why), err);
}

int
conf_check_exec(const struct conf_pool *pool, char **err)
{
	if (!conf_pool_is_unix(pool))
		return 0;
	if (pool->exec.idle_timeout > 0)
		return fail(pool, "idle_timeout",
			    "only for TCP: a Unix socket does not tell when its last byte passed; "
			    "max_time can be had",
			    err);
	if (pool->exec.hostname_lookup != CONF_LOOKUP_OFF && pool->proxy_protocol == CONF_PROXY_OFF)
		return fail(pool, "hostname_lookup",
			    "only for TCP: a client of a Unix socket has no address", err);
	return 0;
}
