/*
 * exec: a program per connection, with the connection as its stdin and stdout, as
 * inetd(8) and tcpserver start one.
 */
#include "address.h"
#include "exec_env.h"
#include "exec_prepare.h"
#include "program.h"

#include <string.h>

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

static void
exec_serve(struct conn *conn)
{
	char who[ADDRESS_TEXT_BYTES];
	struct child_program program = {
		.path = self.prepared->path,
		.argv = self.prepared->argv,
		.in = conn->fd,
		.out = conn->fd,
		.envp = exec_env_for(self.prepared->environment, conn),
	};

	program_begin(address_format(conn->peer, conn->peer_len, who));
	if (program_start(&program) == 0) {
		scoreboard_say(self.setup->slot, program.path, strlen(program.path));
		while (!program_has_ended())
			program_wait(NULL, 0, -1);
		conn_hang_up(conn->fd);
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
