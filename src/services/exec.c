/*
 * exec: a program per connection, with the connection as its stdin and stdout, as
 * inetd(8) and tcpserver start one.
 */
#include "address.h"
#include "exec_env.h"
#include "exec_prepare.h"
#include "program.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define LINGER_MS    1000
#define LINGER_BYTES (1 << 20)

static struct {
	const struct service_setup *setup;
	const struct exec_prepared *prepared;
} self;

static int
exec_start(const struct service_setup *setup, char **err)
{
	self.setup = setup;
	self.prepared = setup->prepared;
	return program_prepare(setup, err);
}

/*
 * The connection ends now, whoever else still holds its descriptor.  Input that nobody
 * read would make close() reset the connection and could cost the client its answer,
 * so it is read and dropped for a moment.
 */
static void
hang_up(int fd)
{
	int64_t now = util_now_ms(), until = now + LINGER_MS;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t dropped = 0;
	char data[4096];

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

static void
exec_serve(struct conn *conn)
{
	char who[ADDRESS_TEXT_BYTES];
	struct child_program program = {
		.path = self.prepared->path,
		.argv = self.prepared->argv,
		.in = conn->fd,
		.out = conn->fd,
		.envp = exec_env_for(self.prepared->environment, conn->fd, conn->peer),
	};

	program_begin(address_format(conn->peer, conn->peer_len, who));
	if (program_start(&program) == 0) {
		scoreboard_say(self.setup->slot, program.path, strlen(program.path));
		while (!program_has_ended())
			program_wait(NULL, 0, -1);
		hang_up(conn->fd);
	}
	program_end();
}

const struct service service_exec = {
	.prepare = exec_prepare,
	.release = exec_release,
	.start = exec_start,
	.serve = exec_serve,
	.terminate = program_terminate,
};
