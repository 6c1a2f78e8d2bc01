#include "program.h"

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TERM_TO_KILL_MS   5000
#define LEFTOVER_TERM_MS  1000
#define LEFTOVER_KILL_MS  5000
#define START_RETRY_MS    10000
#define LOG_INTERVAL_MS   1000
#define STDERR_LINE_BYTES 1024
#define STDERR_READS      64 /* at once, so that a flood does not hide the program's end */

static struct {
	const struct service_setup *setup;
	const char *who;
	int stderr_read, stderr_write;
	char line[STDERR_LINE_BYTES];
	size_t line_len;
	sigset_t mask;      /* of the worker, and of the program */
	sigset_t blocked;   /* from begin to end */
	volatile pid_t pid; /* of the program that runs, or 0 */
	volatile sig_atomic_t terminated;
	bool ended;
	int status;
	int64_t began_ms, kill_at_ms; /* 0: it was not told to stop */
} self = { .stderr_read = -1, .stderr_write = -1 };

/* The pipe outlives the programs: it costs no system call for each. */
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

int
program_prepare(const struct service_setup *setup, char **err)
{
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	self.setup = setup;
	sigemptyset(&self.blocked);
	sigaddset(&self.blocked, SIGCHLD);
	sigaddset(&self.blocked, SIGTERM);
	sigaddset(&self.blocked, CHILD_SIGNAL_3);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || open_stderr_pipe() < 0)
		return util_fail(err, "cannot prepare for programs: %s", strerror(errno));
	sigaction(SIGCHLD, &child, NULL);
	return 0;
}

void
program_begin(const char *who)
{
	self.who = who;
	self.terminated = 0;
	self.ended = false;
	self.kill_at_ms = 0;
	sigprocmask(SIG_BLOCK, &self.blocked, &self.mask);
}

static void
log_start_failure(const char *path, int error)
{
	unsigned held_back;

	if (!log_limit_pass(&self.setup->scoreboard->program_limit, LOG_INTERVAL_MS, &held_back))
		return;
	log_error("pool %s: %s: cannot run %s: %s (%u more like this)", self.setup->pool, self.who,
		  path, strerror(error), held_back);
}

int
program_start(struct child_program *program)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	int64_t give_up_at = util_now_ms() + START_RETRY_MS;

	program->err = self.stderr_write;
	program->mask = &self.mask;
	program->death_signal = SIGKILL;
	while (child_spawn(program, &self.pid) < 0) {
		int error = errno;

		log_start_failure(program->path, error);
		if ((error != EAGAIN && error != ENOMEM) || util_now_ms() >= give_up_at)
			return error;
		nanosleep(&pause, NULL);
	}
	self.began_ms = util_now_coarse_ms();
	atomic_store(&self.setup->slot->program, (uint32_t)self.pid);
	log_info("pool %s: %s started %s as pid %d", self.setup->pool, self.who, program->path,
		 (int)self.pid);
	return 0;
}

int
program_pid(void)
{
	return (int)self.pid;
}

static void
log_stderr_line(void)
{
	if (self.line_len > 0)
		log_notice("pool %s: %s pid %d: %.*s", self.setup->pool, self.who, (int)self.pid,
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

/* Reaps whoever ended. */
static void
reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == self.pid) {
			self.status = status;
			self.ended = true;
		}
}

void
program_stop(void)
{
	if (self.ended || self.kill_at_ms != 0)
		return;
	kill(-self.pid, SIGTERM);
	self.kill_at_ms = util_now_ms() + TERM_TO_KILL_MS;
}

/* KILL if it is time for that; the milliseconds until then, -1: it need not end. */
static int64_t
kill_if_due(void)
{
	int64_t now;

	if (self.ended || (!self.terminated && self.kill_at_ms == 0))
		return -1;
	now = util_now_ms();
	if (self.kill_at_ms == 0) {
		self.kill_at_ms = now + TERM_TO_KILL_MS;
	} else if (now >= self.kill_at_ms) {
		log_warn("pool %s: %s pid %d ignores TERM: KILL", self.setup->pool, self.who,
			 (int)self.pid);
		kill(-self.pid, SIGKILL);
		self.kill_at_ms = now + TERM_TO_KILL_MS;
	}
	return self.kill_at_ms - now;
}

/* ppoll(2), with stderr behind the others. */
static int
wait_for_news(struct pollfd *fds, size_t n, int64_t timeout_ms)
{
	struct pollfd all[PROGRAM_FDS + 1];
	struct timespec ts = { .tv_sec = (time_t)(timeout_ms / 1000),
			       .tv_nsec = (long)(timeout_ms % 1000 * 1000000) };
	int ready;

	for (size_t i = 0; i < n; i++)
		all[i] = fds[i];
	all[n] = (struct pollfd){ .fd = self.stderr_read, .events = POLLIN };
	ready = ppoll(all, n + 1, timeout_ms < 0 ? NULL : &ts, &self.mask);
	for (size_t i = 0; i < n; i++)
		fds[i].revents = ready > 0 ? all[i].revents : 0;
	if (ready > 0 && all[n].revents)
		read_stderr(); /* SIGCHLD stays pending as long as there is more of it */
	return ready;
}

int
program_wait(struct pollfd *fds, size_t n, int64_t timeout_ms)
{
	int64_t left = kill_if_due();
	int ready, others = 0;

	if (left >= 0 && (timeout_ms < 0 || left < timeout_ms))
		timeout_ms = left;
	ready = wait_for_news(fds, n, timeout_ms);
	if (ready != 0 && !self.ended)
		reap();
	for (size_t i = 0; i < n; i++)
		others += fds[i].revents != 0;
	return others;
}

bool
program_has_ended(void)
{
	return self.ended;
}

int
program_status(void)
{
	return self.status;
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
		wait_for_news(NULL, 0, (now < kill_at ? kill_at : give_up_at) - now);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		now = util_now_ms();
		signal = now >= kill_at ? SIGKILL : 0;
	}
	return waitpid(-1, NULL, WNOHANG) >= 0;
}

static void
log_end(void)
{
	int64_t ms = util_now_coarse_ms() - self.began_ms;

	if (WIFSIGNALED(self.status))
		log_notice("pool %s: %s pid %d killed by signal %d (%s) after %" PRId64
			   ".%03" PRId64 "s",
			   self.setup->pool, self.who, (int)self.pid, WTERMSIG(self.status),
			   strsignal(WTERMSIG(self.status)), ms / 1000, ms % 1000);
	else
		log_info("pool %s: %s pid %d ended with status %d after %" PRId64 ".%03" PRId64 "s",
			 self.setup->pool, self.who, (int)self.pid, WEXITSTATUS(self.status),
			 ms / 1000, ms % 1000);
}

void
program_end(void)
{
	if (self.pid != 0) {
		read_stderr();
		if (end_leftovers(self.pid))
			open_stderr_pipe(); /* a daemon may hold the old one */
		log_stderr_line();
		log_end();
		self.pid = 0;
		atomic_store(&self.setup->slot->program, 0);
	}
	sigprocmask(SIG_SETMASK, &self.mask, NULL);
}

bool
program_terminate(void)
{
	pid_t pid = self.pid;

	if (pid == 0)
		return false;
	kill(-pid, SIGTERM);
	self.terminated = 1;
	return true;
}

bool
program_is_terminated(void)
{
	return self.terminated;
}
