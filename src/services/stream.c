#include "stream.h"

#include <errno.h>

/* What a client that never reads can make a worker hold. */
static unsigned char buffer[65536];

static bool
send_all(const struct conn *conn, const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(conn->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		figures_count(conn->figures, FIGURE_BYTES_OUT, (uint64_t)n);
		data += n;
		len -= (size_t)n;
	}
	return true;
}

void
stream_serve(struct conn *conn, const unsigned char *table, int64_t idle_timeout_ms)
{
	conn_limit_io(conn, idle_timeout_ms);
	for (;;) {
		ssize_t n = recv(conn->fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		figures_count(conn->figures, FIGURE_BYTES_IN, (uint64_t)n);
		for (ssize_t i = 0; table && i < n; i++)
			buffer[i] = table[buffer[i]];
		if (!send_all(conn, buffer, (size_t)n))
			return;
	}
}
