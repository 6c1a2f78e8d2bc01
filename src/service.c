#include "service.h"

#include <sys/time.h>

const struct service *
service_find(int64_t conf_service)
{
	static const struct service *const services[CONF_SERVICES] = {
		[CONF_SERVICE_EXEC] = &service_exec,
		[CONF_SERVICE_ECHO] = &service_echo,
		[CONF_SERVICE_ROT13] = &service_rot13,
	};

	return services[conf_service];
}

bool
conn_limit_io(struct conn *conn, int64_t idle_ms)
{
	int64_t limit = idle_ms;
	struct timeval tv;

	if (conn->deadline_ms != 0) {
		int64_t left = conn->deadline_ms - util_now_coarse_ms();

		if (left <= 0)
			return false;
		if (limit == 0 || left < limit)
			limit = left;
	}
	if (limit == conn->io_limit_ms)
		return true;
	conn->io_limit_ms = limit;
	tv.tv_sec = (time_t)(limit / 1000);
	tv.tv_usec = (suseconds_t)(limit % 1000 * 1000);
	setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	return true;
}
