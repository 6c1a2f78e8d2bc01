/*
 * The exec section with its pool: what must hold.
 */
#include "conf_table.h"

int
conf_check_exec(const struct conf_pool *pool, char **err)
{
	if (pool->exec.idle_timeout > 0 && conf_pool_is_unix(pool))
		return conf_service_fail(
		    pool, "idle_timeout",
		    util_strdup("only for TCP: a Unix socket does not tell when its last byte "
				"passed; max_time can be had"),
		    err);
	return 0;
}
