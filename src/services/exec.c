/*
 * exec: a program per connection, with the connection as its stdin and stdout, as
 * inetd(8) and tcpserver start one.
 */
#include "address.h"
#include "exec_env.h"
#include "exec_prepare.h"
#include "netdiag.h"
#include "program.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NEVER INT64_MAX

static struct {
	const struct service_setup *setup;
	const struct exec_prepared *prepared;
	const struct conf_service_exec *conf;
} self;

static int
exec_start(const struct service_setup *setup, char **err)
{
	self.setup = setup;
	self.prepared = setup->prepared;
	self.conf = &setup->conf->exec;
	program_stop_by(conf_signal(self.conf->stop_signal));
	return program_prepare(setup, err);
}

/* ---- limits of time ---- */

/* Of the program that runs: when it must end, and when its connection is looked at again. */
struct limits {
	const char *who;
	int64_t began, end_at, look_at; /* util_now_ms(), or NEVER */
};

static struct limits
limits_from(const char *who, int64_t now)
{
	return (struct limits){
		.who = who,
		.began = now,
		.end_at = self.conf->max_time > 0 ? now + self.conf->max_time : NEVER,
		.look_at = self.conf->idle_timeout > 0 ? now + self.conf->idle_timeout : NEVER,
	};
}

static void
end_program(struct limits *l, const struct conn *conn)
{
	figures_count(conn->figures, FIGURE_TIMED_OUT, 1);
	program_stop();
	l->end_at = l->look_at = NEVER;
}

/* Before its first byte a connection is idle since the program was started. */
static void
look_at_connection(struct limits *l, const struct conn *conn, int64_t now)
{
	int64_t limit = self.conf->idle_timeout, idle = netdiag_idle_ms(conn->fd);

	idle = util_min(util_max(idle, 0), now - l->began);
	if (idle < limit) {
		l->look_at = now + limit - idle;
		return;
	}
	log_notice("pool %s: %s pid %d: no byte to or from %s for %" PRId64 ".%03" PRId64
		   "s (idle_timeout)",
		   self.setup->pool, l->who, program_pid(), self.prepared->path, idle / 1000,
		   idle % 1000);
	end_program(l, conn);
}

static void
look_at_limits(struct limits *l, const struct conn *conn, int64_t now)
{
	int64_t age = now - l->began;

	if (now >= l->end_at) {
		log_warn("pool %s: %s pid %d: %s has run for %" PRId64 ".%03" PRId64 "s (max_time)",
			 self.setup->pool, l->who, program_pid(), self.prepared->path, age / 1000,
			 age % 1000);
		end_program(l, conn);
	} else if (now >= l->look_at) {
		look_at_connection(l, conn, now);
	}
}

/* ---- the course of it ---- */

static void
run(const struct conn *conn, const char *who)
{
	struct limits limits = limits_from(who, util_now_ms());

	for (;;) {
		int64_t next = util_min(limits.end_at, limits.look_at), now = util_now_ms();

		program_wait(NULL, 0, next == NEVER ? -1 : util_max(next - now, 0));
		if (program_has_ended())
			return;
		look_at_limits(&limits, conn, util_now_ms());
	}
}

static int
errors_fd(const struct conn *conn)
{
	switch ((enum conf_output)self.conf->errors) {
	case CONF_OUTPUT_CONNECTION:
		return conn->fd;
	case CONF_OUTPUT_NULL:
		return STDOUT_FILENO; /* of a worker, /dev/null */
	case CONF_OUTPUT_LOG:
		break;
	}
	return 0;
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
		.err = errors_fd(conn),
		.envp = exec_env_for(self.prepared->environment, conn),
	};

	program_begin(address_format(conn->peer, conn->peer_len, who));
	if (program_start(&program) == 0) {
		scoreboard_say(self.setup->slot, program.path, strlen(program.path));
		run(conn, who);
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
