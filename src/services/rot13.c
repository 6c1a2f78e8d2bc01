/*
 * rot13: each letter goes back as the one thirteen places on; all else as it is.  A module
 * like those of others, but built in.
 */
#include "module_service.h"

#include "layout.h"

#include <stdlib.h>

static const signed char places[256] = {
	['a' ... 'm'] = 13,
	['n' ... 'z'] = -13,
	['A' ... 'M'] = 13,
	['N' ... 'Z'] = -13,
};

static int64_t idle_timeout PER_WORKER;

static int
start(const struct preforkd_pool *pool, void *shared, void **state, struct preforkd_error *error)
{
	(void)shared;
	(void)state;
	(void)error;
	idle_timeout = atoll(preforkd_option(pool, "idle_timeout"));
	return 0;
}

static void
serve(struct preforkd_conn *conn)
{
	static unsigned char buffer[65536]; /* what a client that never reads can make it hold */
	ssize_t n;

	preforkd_idle_timeout(conn, idle_timeout);
	while ((n = preforkd_read(conn, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buffer[i] = (unsigned char)(buffer[i] + places[buffer[i]]);
		if (preforkd_write(conn, buffer, (size_t)n) < 0)
			return;
	}
}

static const struct preforkd_module rot13 = {
	.api = PREFORKD_MODULE_API,
	.size = sizeof(struct preforkd_module),
	.start = start,
	.serve = serve,
};

static int
rot13_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared, char **err)
{
	(void)id;
	(void)err;
	*prepared = module_prepare_built_in(conf, &rot13, "idle_timeout", conf->rot13.idle_timeout);
	return 0;
}

const struct service service_rot13 = {
	.prepare = rot13_prepare,
	.release = module_release,
	.start = module_start,
	.serve = module_serve,
};
