/*
 * rot13: each letter goes back as the one thirteen places on; all else as it is.  A module
 * like those of others, but built in.
 */
#include "module_service.h"

#include <stdlib.h>

static int64_t idle_timeout PER_WORKER;
static unsigned char table[256] PER_WORKER;

static int
start(const struct preforkd_pool *pool, void *shared, void **state, struct preforkd_error *error)
{
	(void)shared;
	(void)state;
	(void)error;
	idle_timeout = atoll(preforkd_option(pool, "idle_timeout"));
	for (int c = 0; c < 256; c++)
		table[c] = (unsigned char)c;
	for (int i = 0; i < 26; i++) {
		table['a' + i] = (unsigned char)('a' + (i + 13) % 26);
		table['A' + i] = (unsigned char)('A' + (i + 13) % 26);
	}
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
			buffer[i] = table[buffer[i]];
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
