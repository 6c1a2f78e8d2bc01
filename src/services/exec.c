/*
 * exec: a program per connection, with the connection as its stdin and stdout, as
 * inetd(8) and tcpserver start one.
 */
#include "service.h"

#include "address.h"
#include "child.h"
#include "exec_env.h"
#include "exec_prepare.h"
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_TO_KILL_MS   5000 /* for a program past its time */
#define LEFTOVER_TERM_MS  1000 /* for what a program left behind */
#define LEFTOVER_KILL_MS  5000
#define LINGER_MS         1000
#define LINGER_BYTES      (1 << 20)
#define SPAWN_RETRY_MS    10000
#define LOG_INTERVAL_MS   1000
#define STDERR_LINE_BYTES 1024
#define STDERR_READS      64 /* at once, so that a flood does not hide the program's end */

static struct {
	const struct service_setup *setup;
	const struct exec_prepared *prepared;
	int stderr_read, stderr_write;
	char line[STDERR_LINE_BYTES];
	size_t line_len;
	sigset_t mask;      /* of the worker while it accepts, and of the program */
	sigset_t blocked;   /* while a program runs, but for the time in ppoll(2) */
	volatile pid_t pid; /* of the program that runs, or 0 */
	volatile sig_atomic_t terminated;
} self = { .stderr_read = -1, .stderr_write = -1 };

/* The pipe outlives the programs: it costs no system call per connection. */
static int
open_stderr_pipe(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	if (self.stderr_read >= 0) { /* keep the numbers */
		dup3(fds[0], self.stderr_read, O_CLOEXEC);
		dup3(fds[1], self.stderr_write, O_CLOEXEC);
		close(fds[0]);
		close(fds[1]);
	} else {
		self.stderr_read = fds[0];
		self.stderr_write = fds[1];
	}
	return fcntl(self.stderr_read, F_SETFL, O_NONBLOCK);
}

/* While no program runs: what daemonized itself once has ended. */
static void
on_child(int sig)
{
	int saved = errno;

	(void)sig;
	while (self.pid == 0 && waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

static int
exec_start(const struct service_setup *setup, char **err)
{
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	self.setup = setup;
	self.prepared = setup->prepared;
	sigemptyset(&self.mask);
	sigemptyset(&self.blocked);
	sigaddset(&self.blocked, SIGCHLD);
	sigaddset(&self.blocked, SIGTERM);
	sigaddset(&self.blocked, CHILD_SIGNAL_3);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || open_stderr_pipe() < 0)
		return util_fail(err, "cannot prepare for programs: %s", strerror(errno));
	sigaction(SIGCHLD, &child, NULL);
	return 0;
}

static const char *
peer_name(const struct conn *conn)
{
	static char name[ADDRESS_TEXT_BYTES];

	return address_format(conn->peer, conn->peer_len, name);
}

static void
log_stderr_line(void)
{
	if (self.line_len > 0)
		log_notice("pool %s: pid %d: %.*s", self.setup->pool, (int)self.pid,
			   (int)self.line_len, self.line);
	self.line_len = 0;
}

static void
add_to_line(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool end = data[i] == '\n';

		if (!end)
			self.line[self.line_len++] = data[i] ? data[i] : '?';
		if (end || self.line_len == sizeof(self.line))
			log_stderr_line();
	}
}

static void
read_stderr(void)
{
	char data[4096];
	ssize_t n;

	for (int i = 0; i < STDERR_READS; i++) {
		n = read(self.stderr_read, data, sizeof(data));
		if (n <= 0)
			return;
		add_to_line(data, (size_t)n);
	}
}

/* Waits for a child's end, stderr or the time; returns what ppoll(2) does. */
static int
wait_for_news(int64_t timeout_ms)
{
	struct pollfd pfd = { .fd = self.stderr_read, .events = POLLIN };
	struct timespec ts = { .tv_sec = (time_t)(timeout_ms / 1000),
			       .tv_nsec = (long)(timeout_ms % 1000 * 1000000) };

	return ppoll(&pfd, 1, timeout_ms < 0 ? NULL : &ts, &self.mask);
}

/* Reaps whoever ended; true when the program is among them. */
static bool
reap(pid_t program, int *status)
{
	bool ended = false;
	int other;
	pid_t pid;

	while ((pid = waitpid(-1, &other, WNOHANG)) > 0)
		if (pid == program) {
			*status = other;
			ended = true;
		}
	return ended;
}

/* It was told to end by exec_terminate(), and has not done so. */
static void
kill_program(const struct conn *conn, pid_t pid)
{
	log_warn("pool %s: %s pid %d ignores TERM: KILL", self.setup->pool, peer_name(conn),
		 (int)pid);
	kill(-pid, SIGKILL);
}

static int
supervise(const struct conn *conn, pid_t pid)
{
	int64_t kill_at = 0;
	int status = 0;

	for (;;) {
		int64_t left = -1;
		int n;

		if (self.terminated && kill_at == 0)
			kill_at = util_now_ms() + TERM_TO_KILL_MS;
		if (kill_at != 0) {
			left = kill_at - util_now_ms();
			if (left <= 0) {
				kill_program(conn, pid);
				kill_at = util_now_ms() + TERM_TO_KILL_MS;
				continue;
			}
		}
		n = wait_for_news(left);
		if (n > 0)
			read_stderr(); /* SIGCHLD stays pending as long as there is more of it */
		if (n != 0 && reap(pid, &status))
			return status;
	}
}

/* true when something of it may live on: a daemon, in a session of its own. */
static bool
end_leftovers(pid_t sid)
{
	int64_t now = util_now_ms(), kill_at = now + LEFTOVER_TERM_MS;
	int64_t give_up_at = kill_at + LEFTOVER_KILL_MS;
	int signal = SIGTERM;
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	if (pid < 0)
		return false; /* ECHILD: the usual case */
	while (now < give_up_at && session_signal(sid, signal) > 0) {
		int status;

		if (wait_for_news((now < kill_at ? kill_at : give_up_at) - now) > 0)
			read_stderr();
		reap(0, &status);
		now = util_now_ms();
		signal = now >= kill_at ? SIGKILL : 0;
	}
	return waitpid(-1, NULL, WNOHANG) >= 0;
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
log_end(const struct conn *conn, pid_t pid, int status)
{
	int64_t ms = util_now_coarse_ms() - conn->began_ms;

	if (WIFSIGNALED(status))
		log_notice("pool %s: %s pid %d killed by signal %d (%s) after %" PRId64
			   ".%03" PRId64 "s",
			   self.setup->pool, peer_name(conn), (int)pid, WTERMSIG(status),
			   strsignal(WTERMSIG(status)), ms / 1000, ms % 1000);
	else
		log_info("pool %s: %s pid %d ended with status %d after %" PRId64 ".%03" PRId64 "s",
			 self.setup->pool, peer_name(conn), (int)pid, WEXITSTATUS(status),
			 ms / 1000, ms % 1000);
}

static void
log_spawn_failure(const struct conn *conn, int error)
{
	unsigned held_back;

	if (!log_limit_pass(&self.setup->scoreboard->program_limit, LOG_INTERVAL_MS, &held_back))
		return;
	log_error("pool %s: %s: cannot run %s: %s (%u more like this)", self.setup->pool,
		  peer_name(conn), self.prepared->path, strerror(error), held_back);
}

/* The client waits while the system is short of processes or memory. */
static bool
start_program(struct conn *conn)
{
	struct child_program program = {
		.path = self.prepared->path,
		.argv = self.prepared->argv,
		.in = conn->fd,
		.out = conn->fd,
		.err = self.stderr_write,
		.mask = &self.mask,
		.death_signal = SIGKILL,
		.envp = exec_env_for(self.prepared->environment, conn),
	};
	struct timespec pause = { .tv_nsec = 10000000 };
	int64_t give_up_at = util_now_ms() + SPAWN_RETRY_MS;

	while (child_spawn(&program, &self.pid) < 0) {
		int error = errno;

		log_spawn_failure(conn, error);
		if ((error != EAGAIN && error != ENOMEM) || util_now_ms() >= give_up_at)
			return false;
		nanosleep(&pause, NULL);
	}
	atomic_store(&self.setup->slot->program, (uint32_t)self.pid);
	scoreboard_say(self.setup->slot, self.prepared->path, strlen(self.prepared->path));
	log_info("pool %s: %s started %s as pid %d", self.setup->pool, peer_name(conn),
		 self.prepared->path, (int)self.pid);
	return true;
}

static void
exec_serve(struct conn *conn)
{
	sigset_t old;
	int status;
	pid_t pid;

	self.terminated = 0;
	sigprocmask(SIG_BLOCK, &self.blocked, &old);
	if (start_program(conn)) {
		pid = self.pid;
		status = supervise(conn, pid);
		hang_up(conn->fd);
		read_stderr();
		if (end_leftovers(pid))
			open_stderr_pipe(); /* a daemon may hold the old one */
		log_stderr_line();
		log_end(conn, pid, status);
		self.pid = 0;
		atomic_store(&self.setup->slot->program, 0);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static bool
exec_terminate(void)
{
	pid_t pid = self.pid;

	if (pid == 0)
		return false;
	kill(-pid, SIGTERM);
	self.terminated = 1;
	return true;
}

const struct service service_exec = {
	.prepare = exec_prepare,
	.release = exec_release,
	.start = exec_start,
	.serve = exec_serve,
	.terminate = exec_terminate,
};
