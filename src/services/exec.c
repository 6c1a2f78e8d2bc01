/*
 * exec: a program per connection, with the connection as its stdin and stdout, as
 * inetd(8) and tcpserver start one.
 */
#include "address.h"
#include "exec_env.h"
#include "exec_prepare.h"
#include "exec_words.h"
#include "layout.h"
#include "netdiag.h"
#include "program.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER INT64_MAX

static struct {
	const struct service_setup *setup;
	const struct exec_prepared *prepared;
	const struct conf_service_exec *conf;
	char pid[12];
} self PER_WORKER;

static int
exec_start(const struct service_setup *setup, char **err)
{
	self.setup = setup;
	self.prepared = setup->prepared;
	self.conf = &setup->conf->exec;
	snprintf(self.pid, sizeof(self.pid), "%d", (int)getpid());
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
wait_for_end(const struct conn *conn, const char *who)
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

/* Of a connection: what the program gets that has words in it.  NULL: it has none. */
struct expanded {
	char **argv, **environment;
};

static void
expand_list(char ***to, char *const *texts, const char *const values[EXEC_WORDS])
{
	for (size_t i = 0; texts && texts[i]; i++) {
		char *text = exec_words_expand(texts[i], values);

		util_list_add(to, text);
		free(text);
	}
}

static struct expanded
expand(const struct exec_facts *f)
{
	const struct exec_prepared *p = self.prepared;
	const char *const values[EXEC_WORDS] = {
		[EXEC_WORD_POOL] = self.setup->pool,      [EXEC_WORD_WORKER] = self.pid,
		[EXEC_WORD_REMOTE_IP] = f->remote_ip,     [EXEC_WORD_REMOTE_PORT] = f->remote_port,
		[EXEC_WORD_REMOTE_HOST] = f->remote_host, [EXEC_WORD_LOCAL_IP] = f->local_ip,
		[EXEC_WORD_LOCAL_PORT] = f->local_port,
	};
	struct expanded e = { NULL, NULL };

	if (p->argv_has_words) {
		util_list_add(&e.argv, p->argv[0]);
		expand_list(&e.argv, p->argv + 1, values);
	}
	expand_list(&e.environment, p->words, values);
	return e;
}

static void
run_program(const struct conn *conn, const struct exec_facts *facts, const struct expanded *e)
{
	char who[ADDRESS_TEXT_BYTES];
	struct child_program program = {
		.path = self.prepared->path,
		.argv = e->argv ? e->argv : self.prepared->argv,
		.in = conn->fd,
		.out = conn->fd,
		.err = errors_fd(conn),
		.envp = exec_env_for(self.prepared->room, e->environment, conn, facts),
	};

	program_begin(address_format(conn->peer, conn->peer_len, who));
	if (program_start(&program) == 0) {
		scoreboard_say(self.setup->slot, program.path, strlen(program.path));
		wait_for_end(conn, who);
		conn_hang_up(conn->fd);
	}
	program_end();
}

static void
exec_serve(struct conn *conn)
{
	struct exec_facts facts;
	struct expanded expanded;

	exec_facts_begin(self.setup, conn, self.prepared->wants_local_host, &facts);
	expanded = expand(&facts);
	run_program(conn, &facts, &expanded);
	util_list_free(expanded.argv);
	util_list_free(expanded.environment);
	exec_facts_end(self.setup);
}

const struct service service_exec = {
	.prepare = exec_prepare,
	.release = exec_release,
	.start = exec_start,
	.serve = exec_serve,
	.terminate = program_terminate,
};
