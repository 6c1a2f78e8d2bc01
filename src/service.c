#include "service.h"

#include <sys/time.h>

const struct service *
service_find(int64_t conf_service)
{
	static const struct service *const services[CONF_SERVICES] = {
		[CONF_SERVICE_EXEC] = &service_exec, [CONF_SERVICE_PROGRAM] = &service_program,
		[CONF_SERVICE_ECHO] = &service_echo, [CONF_SERVICE_ROT13] = &service_rot13,
		[CONF_SERVICE_HTTP] = &service_http,
	};

	return services[conf_service];
}

void
conn_limit_io(struct conn *conn, int64_t idle_ms)
{
	struct timeval tv = {
		.tv_sec = (time_t)(idle_ms / 1000),
		.tv_usec = (suseconds_t)(idle_ms % 1000 * 1000),
	};

	if (idle_ms == conn->io_limit_ms)
		return;
	conn->io_limit_ms = idle_ms;
	setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}
