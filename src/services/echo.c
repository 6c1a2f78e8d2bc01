/* Echo, RFC 862: what comes goes back. */
#include "stream.h"

static int64_t idle_timeout;

static int
echo_start(const struct service_setup *setup, char **err)
{
	(void)err;
	idle_timeout = setup->conf->echo.idle_timeout;
	return 0;
}

static void
echo_serve(struct conn *conn)
{
	stream_serve(conn, NULL, idle_timeout);
}

const struct service service_echo = { .start = echo_start, .serve = echo_serve };
