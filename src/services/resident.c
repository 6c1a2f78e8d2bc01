/*
 * program: a long-lived program that accepts by itself on the pool's socket.  The worker
 * is its supervisor: it starts the program, logs what that says, tells the master when
 * it is ready, stops it when the worker is to leave, and ends with it.
 */
#include "resident.h"

#include "exec_env.h"
#include "netdiag.h"
#include "output.h"
#include "procinfo.h"
#include "program.h"
#include "resident_notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NULL_FD = STDIN_FILENO, NULL_OUT_FD = STDOUT_FILENO }; /* of every worker */

/*
 * A program that ends sooner with status 0 must have been of use; or else so soon, when
 * that cannot be seen.
 */
#define OF_USE_MS      1000
#define OF_USE_DARK_MS 100

/* While the worker waits for others to empty the accept queue. */
#define QUEUE_LOOK_MS 50

#define NEVER INT64_MAX

enum { GATE, NOTIFY, OUTPUT, FDS };
_Static_assert(FDS <= PROGRAM_FDS, "program_wait() must take them all");

static struct {
	const struct service_setup *setup;
	const struct conf_service_program *conf;
	const struct resident_prepared *prepared;
	char **environment;
	struct output output;
	int gate, notify_fd; /* -1: there is none, or it has done its duty */
	int io_fd;           /* see procinfo_io_open(); -1: not shown to us */
	uint64_t written;    /* before the program was reaped, which had written as much more */
	int64_t began_ms, ready_at_ms;
	bool ready, told, was_of_use;
	int64_t stop_by_ms; /* once it is told, or NEVER; 0: that is over */
} self = { .output = { .read_fd = -1, .write_fd = -1 }, .notify_fd = -1, .io_fd = -1 };

static int
open_notify(char **err)
{
	char name[RESIDENT_NOTIFY_NAME_BYTES], *assignment;

	self.notify_fd = resident_notify_open(name);
	if (self.notify_fd < 0)
		return util_fail(err, "cannot open a socket for sd_notify: %s", strerror(errno));
	assignment = util_format("NOTIFY_SOCKET=%s", name);
	util_list_add(&self.environment, assignment);
	free(assignment);
	return 0;
}

static int
resident_start(const struct service_setup *setup, char **err)
{
	self.setup = setup;
	self.conf = &setup->conf->program;
	self.prepared = setup->prepared;
	self.gate = setup->gate;
	self.environment = util_list_copy(self.prepared->program->environment);
	if (self.conf->ready == CONF_NOTIFY && open_notify(err) < 0)
		return -1;
	if (self.conf->output == CONF_OUTPUT_LOG && output_open(&self.output) < 0)
		return util_fail(err, "cannot make a pipe: %s", strerror(errno));
	return program_prepare(setup, err);
}

/* As root it can still be opened, and in front of a chroot. */
static size_t
resident_descriptors(void *prepared, int *places[])
{
	(void)prepared;
	self.io_fd = procinfo_io_open();
	places[0] = &self.io_fd;
	return 1;
}

static struct output_from
from_program(void)
{
	return (
	    struct output_from){ .pool = self.setup->pool, .who = "program", .pid = program_pid() };
}

static void
show(const char *text)
{
	scoreboard_say(self.setup->slot, text, strlen(text));
}

static int
start_program(void)
{
	const struct exec_prepared *p = self.prepared->program;
	bool on_stdin = self.conf->socket_fd == CONF_SOCKET_IS_STDIN;
	char text[SCOREBOARD_TEXT_BYTES + 1];
	struct child_program program = {
		.path = p->path,
		.argv = p->argv,
		.envp = self.environment,
		.in = on_stdin ? self.setup->listen_fd : NULL_FD,
		.out = self.output.write_fd >= 0 ? self.output.write_fd : NULL_OUT_FD,
		.err = self.conf->errors == CONF_OUTPUT_NULL ? NULL_OUT_FD : 0,
	};
	int error;

	if (!on_stdin)
		program.listen_pid =
		    (char *)(uintptr_t)exec_env_get(self.environment, "LISTEN_PID");
	error = program_start(&program);
	if (error == 0)
		return 0;
	snprintf(text, sizeof(text), "cannot be run: %s", strerror(error));
	show(text);
	return -1;
}

/* Does anybody wait for this worker or another one?  A socket that is gone has no queue. */
static bool
has_queue(void)
{
	int limit;

	return netdiag_queue(self.setup->listen_fd, &limit) > 0;
}

/*
 * What it has written went to clients, but for what came here.  Its own record is not shown to
 * who comes when it has ended.
 */
static void
look_at_end(bool reaped)
{
	struct output_from from = from_program();
	uint64_t written;

	if (self.io_fd < 0)
		return;
	if (!reaped && self.output.read_fd >= 0)
		output_read(&self.output, &from);
	written = procinfo_io_written(self.io_fd);
	if (reaped)
		self.was_of_use = written - self.written > self.output.bytes + program_said();
	self.written = written;
}

/* ---- news ---- */

static void
become_ready(void)
{
	self.ready = true;
	self.setup->enter(self.gate >= 0 ? ACTIVITY_HELD : ACTIVITY_IDLE);
}

/* The reload is decided. */
static void
pass_gate(void)
{
	close(self.gate);
	self.gate = -1;
	if (self.ready)
		self.setup->enter(ACTIVITY_IDLE);
}

static void
hear_notify(void)
{
	char status[RESIDENT_STATUS_BYTES] = "";
	bool ready = resident_notify_read(self.notify_fd, program_pid(), status);

	if (status[0] && !program_has_ended()) /* then the text says how */
		show(status);
	if (ready && !self.ready)
		become_ready();
}

static void
wait_for_news(int64_t timeout_ms)
{
	struct output_from from = from_program();
	struct pollfd fds[FDS] = {
		[GATE] = { .fd = self.gate, .events = POLLIN },
		[NOTIFY] = { .fd = self.notify_fd, .events = POLLIN },
		[OUTPUT] = { .fd = self.output.read_fd, .events = POLLIN },
	};

	program_wait(fds, FDS, timeout_ms);
	if (fds[OUTPUT].revents)
		output_read(&self.output, &from);
	if (fds[NOTIFY].revents)
		hear_notify();
	if (fds[GATE].revents)
		pass_gate();
}

/* ---- what is due ---- */

/* The delay is a proof for who decides on a reload; else there is nobody who waits. */
static int64_t
look_at_delay(int64_t now)
{
	if (self.ready || self.conf->ready == CONF_NOTIFY)
		return -1;
	if (self.gate >= 0 && now < self.ready_at_ms)
		return self.ready_at_ms - now;
	become_ready();
	return -1;
}

static void
tell_to_stop(int64_t now)
{
	if (!program_is_terminated())
		program_signal(conf_signal(self.conf->stop_signal));
	self.told = true;
	self.stop_by_ms =
	    self.conf->stop_timeout != CONF_UNSET ? now + self.conf->stop_timeout : NEVER;
}

/*
 * It was told; the milliseconds until it must be looked at again, -1: never.  graceful_timeout
 * is no matter of ours.
 */
static int64_t
look_at_timeout(int64_t now)
{
	if (self.stop_by_ms == 0 || self.stop_by_ms == NEVER)
		return -1;
	if (now < self.stop_by_ms)
		return self.stop_by_ms - now;
	log_warn("pool %s: program pid %d does not end within stop_timeout: TERM", self.setup->pool,
		 program_pid());
	program_stop();
	self.stop_by_ms = 0;
	return -1;
}

/* Connections that wait are still the program's, unless others accept after it. */
static int64_t
look_at_leaving(int64_t now)
{
	if (!*self.setup->leaving)
		return -1;
	if (!self.told && has_queue())
		return QUEUE_LOOK_MS;
	if (!self.told)
		tell_to_stop(now);
	return look_at_timeout(now);
}

static void
run_program(void)
{
	while (!program_has_ended()) {
		int64_t now = util_now_ms();
		int64_t delay = look_at_delay(now), leaving = look_at_leaving(now);

		if (delay < 0 || (leaving >= 0 && leaving < delay))
			delay = leaving;
		wait_for_news(delay);
	}
}

/* ---- the end ---- */

/* In words for the master: see service.run. */
static bool
judge_end(int status)
{
	char text[SCOREBOARD_TEXT_BYTES + 1];
	int64_t enough = self.io_fd >= 0 ? OF_USE_MS : OF_USE_DARK_MS;
	bool early = util_now_ms() - self.began_ms < enough;

	if (*self.setup->leaving && !has_queue())
		return true;
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0 || !self.ready || *self.setup->leaving)
		snprintf(text, sizeof(text), "exited with status %d", WEXITSTATUS(status));
	else if (early && !self.was_of_use)
		snprintf(text, sizeof(text), "ended at once: does it go to the background?");
	else
		return true;
	show(text);
	return false;
}

/* They have requests of their own; what they say is still heard. */
static void
let_children_finish(void)
{
	int64_t now = util_now_ms();

	for (; now < self.stop_by_ms && program_has_left(); now = util_now_ms())
		wait_for_news(self.stop_by_ms == NEVER ? -1 : self.stop_by_ms - now);
}

static bool
resident_run(void)
{
	struct output_from from;
	bool in_order;

	program_begin("program");
	if (*self.setup->leaving && !has_queue())
		return true;
	program_look_at_end(look_at_end);
	self.began_ms = util_now_ms();
	self.ready_at_ms = self.began_ms + self.conf->ready;
	show(self.prepared->text);
	if (start_program() < 0)
		return false;
	run_program();
	in_order = judge_end(program_status());
	if (self.told)
		let_children_finish();
	from = from_program();
	if (self.output.read_fd >= 0)
		output_end(&self.output, &from);
	program_end();
	return in_order;
}

const struct service service_program = {
	.prepare = resident_prepare,
	.release = resident_release,
	.descriptors = resident_descriptors,
	.start = resident_start,
	.run = resident_run,
	.terminate = program_terminate,
};
