#include "service.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>

#define LINGER_MS    1000
#define LINGER_BYTES (1 << 20)

const struct service *
service_find(int64_t conf_service)
{
	static const struct service *const services[CONF_SERVICES] = {
		[CONF_SERVICE_EXEC] = &service_exec,     [CONF_SERVICE_PROGRAM] = &service_program,
		[CONF_SERVICE_ECHO] = &service_echo,     [CONF_SERVICE_ROT13] = &service_rot13,
		[CONF_SERVICE_HTTP] = &service_http,     [CONF_SERVICE_STATUS] = &service_status,
		[CONF_SERVICE_MODULE] = &service_module,
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

void
conn_hang_up(int fd)
{
	int64_t now = util_now_ms(), until = now + LINGER_MS;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	static char data[4096]; /* on the stack it would be a page more of every worker's own */
	size_t dropped = 0;

	shutdown(fd, SHUT_WR);
	while (now < until && dropped < LINGER_BYTES) {
		ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

		if (n > 0)
			dropped += (size_t)n;
		else if (n == 0 || dropped == 0 || errno != EAGAIN)
			return;
		else if (poll(&pfd, 1, (int)(until - now)) == 0)
			return;
		now = util_now_ms();
	}
}

socklen_t
conn_local(const struct conn *conn, struct sockaddr_storage *local)
{
	socklen_t len = sizeof(*local);

	if (conn->proxy && conn->proxy->destination.ss_family != AF_UNSPEC) {
		*local = conn->proxy->destination;
		return proxy_proto_address_len(local);
	}
	return getsockname(conn->fd, (struct sockaddr *)local, &len) == 0 ? len : 0;
}
