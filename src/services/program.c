#include "program.h"

#include "layout.h"
#include "output.h"
#include "procinfo.h"
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

#define STOP_TO_KILL_MS  5000
#define LEFTOVER_LOOK_MS 100
#define LEFTOVER_TERM_MS 1000
#define LEFTOVER_KILL_MS 5000
#define START_RETRY_MS   10000
#define LOG_INTERVAL_MS  1000
#define END_LOG_MS       50 /* and so many at once */
#define END_LOG_BURST    1000

static struct {
	const struct service_setup *setup;
	struct output_from from; /* stderr, and what is said of it */
	struct output errors;
	sigset_t mask;      /* of the worker, and of the program */
	sigset_t blocked;   /* from begin to end */
	volatile pid_t pid; /* of the program that runs, or 0 */
	int stop_signal;
	volatile sig_atomic_t terminated;
	void (*look_at_end)(bool reaped);
	bool ended, errors_are_lent;
	int status;
	int64_t began_ms, kill_at_ms; /* 0: it was not told to stop */
} self PER_WORKER = { .errors = { .read_fd = -1, .write_fd = -1 }, .stop_signal = SIGTERM };

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
	self.from.pool = setup->pool;
	sigemptyset(&self.blocked);
	sigaddset(&self.blocked, SIGCHLD);
	sigaddset(&self.blocked, SIGTERM);
	sigaddset(&self.blocked, CHILD_SIGNAL_1);
	sigaddset(&self.blocked, CHILD_SIGNAL_2);
	sigaddset(&self.blocked, CHILD_SIGNAL_3);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || output_open(&self.errors) < 0)
		return util_fail(err, "cannot prepare for programs: %s", strerror(errno));
	sigaction(SIGCHLD, &child, NULL);
	return 0;
}

void
program_stop_by(int sig)
{
	self.stop_signal = sig;
}

void
program_begin(const char *who)
{
	self.from.who = who;
	self.terminated = 0;
	self.ended = self.errors_are_lent = false;
	self.kill_at_ms = 0;
	sigprocmask(SIG_BLOCK, &self.blocked, &self.mask);
}

static void
log_start_failure(const char *path, int error)
{
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (!log_limit_pass(&self.setup->scoreboard->program_limit, LOG_INTERVAL_MS, &held_back))
		return;
	log_error("pool %s: %s: cannot run %s: %s%s", self.from.pool, self.from.who, path,
		  strerror(error), log_limit_more(held_back, more));
}

int
program_start(struct child_program *program)
{
	struct timespec pause = { .tv_nsec = 10000000 };
	int64_t give_up_at = util_now_ms() + START_RETRY_MS;

	if (program->err == 0) {
		output_renew(&self.errors);
		program->err = self.errors.write_fd;
	}
	program->mask = &self.mask;
	program->death_signal = SIGKILL;
	program->noted = &self.setup->slot->program;
	while (child_spawn(program, &self.pid) < 0) {
		int error = errno;

		log_start_failure(program->path, error);
		if ((error != EAGAIN && error != ENOMEM) || util_now_ms() >= give_up_at)
			return error;
		ppoll(NULL, 0, &pause, &self.mask); /* a worker that must end does so here */
	}
	self.began_ms = util_now_coarse_ms();
	self.from.pid = (int)self.pid;
	log_info("pool %s: %s started %s as pid %d", self.from.pool, self.from.who, program->path,
		 self.from.pid);
	return 0;
}

int
program_pid(void)
{
	return (int)self.pid;
}

/* Reaps whoever ended. */
static void
reap(void)
{
	siginfo_t info = { 0 };
	int status;

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
		bool ours = info.si_pid == self.pid;

		if (ours && self.look_at_end)
			self.look_at_end(false);
		if (waitpid(info.si_pid, &status, WNOHANG) <= 0 || !ours)
			continue;
		if (self.look_at_end)
			self.look_at_end(true);
		self.status = status;
		self.ended = true;
	}
}

void
program_lend_errors(void)
{
	self.errors_are_lent = true;
}

uint64_t
program_said(void)
{
	return self.errors.bytes;
}

void
program_look_at_end(void (*look)(bool reaped))
{
	self.look_at_end = look;
}

void
program_signal(int sig)
{
	if (!self.ended)
		kill(self.pid, sig);
}

void
program_stop(void)
{
	if (self.ended || self.kill_at_ms != 0)
		return;
	kill(-self.pid, self.stop_signal);
	self.kill_at_ms = util_now_ms() + STOP_TO_KILL_MS;
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
		self.kill_at_ms = now + STOP_TO_KILL_MS;
	} else if (now >= self.kill_at_ms) {
		log_warn("pool %s: %s pid %d does not end on signal %d (%s): KILL", self.from.pool,
			 self.from.who, self.from.pid, self.stop_signal,
			 strsignal(self.stop_signal));
		kill(-self.pid, SIGKILL);
		self.kill_at_ms = now + STOP_TO_KILL_MS;
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
	all[n] = (struct pollfd){ .fd = self.errors.read_fd, .events = POLLIN };
	ready = ppoll(all, n + 1, timeout_ms < 0 ? NULL : &ts, &self.mask);
	for (size_t i = 0; i < n; i++)
		fds[i].revents = ready > 0 ? all[i].revents : 0;
	if (ready > 0 && all[n].revents)
		output_read(&self.errors,
			    &self.from); /* SIGCHLD stays pending as long as there is more of it */
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

/* 0 when children are left, -1 when there are none. */
static pid_t
reap_leftovers(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		;
	return pid;
}

/* What daemon(3) leaves need not have a session of its own yet when the program ends. */
static void
let_become_daemon(pid_t sid)
{
	int64_t until = util_now_ms() + LEFTOVER_LOOK_MS;

	for (int64_t ms = 1; util_now_ms() < until && session_signal(sid, 0); ms *= 2) {
		wait_for_news(NULL, 0, ms);
		reap_leftovers();
	}
}

/* true when something of it may live on: a daemon, in a session of its own. */
static bool
end_leftovers(pid_t sid)
{
	int64_t now, kill_at, give_up_at;
	int signal = SIGTERM;

	if (reap_leftovers() < 0)
		return false; /* ECHILD: the usual case */
	let_become_daemon(sid);
	now = util_now_ms();
	kill_at = now + LEFTOVER_TERM_MS;
	give_up_at = kill_at + LEFTOVER_KILL_MS;
	while (now < give_up_at && session_signal(sid, signal)) {
		wait_for_news(NULL, 0, (now < kill_at ? kill_at : give_up_at) - now);
		reap_leftovers();
		now = util_now_ms();
		signal = now >= kill_at ? SIGKILL : 0;
	}
	return reap_leftovers() == 0;
}

bool
program_has_left(void)
{
	reap_leftovers();
	return !self.terminated && session_signal(self.pid, 0);
}

static void
log_signal(int64_t ms)
{
	int sig = WTERMSIG(self.status);
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (!log_limit_burst(&self.setup->scoreboard->end_limit, END_LOG_MS, END_LOG_BURST,
			     &held_back))
		return;
	if (sig == SIGKILL && !self.terminated && procinfo_oom_killed())
		log_warn("pool %s: %s pid %d killed after %" PRId64 ".%03" PRId64
			 "s: out of memory in the control group (raise memory.max, or lower "
			 "max_workers)%s",
			 self.from.pool, self.from.who, self.from.pid, ms / 1000, ms % 1000,
			 log_limit_more(held_back, more));
	else
		log_notice("pool %s: %s pid %d killed by signal %d (%s) after %" PRId64
			   ".%03" PRId64 "s%s",
			   self.from.pool, self.from.who, self.from.pid, sig, strsignal(sig),
			   ms / 1000, ms % 1000, log_limit_more(held_back, more));
}

static void
log_end(void)
{
	int64_t ms = util_now_coarse_ms() - self.began_ms;

	if (WIFSIGNALED(self.status))
		log_signal(ms);
	else
		log_info("pool %s: %s pid %d ended with status %d after %" PRId64 ".%03" PRId64 "s",
			 self.from.pool, self.from.who, self.from.pid, WEXITSTATUS(self.status),
			 ms / 1000, ms % 1000);
}

void
program_end(void)
{
	if (self.pid != 0) {
		bool daemon = end_leftovers(self.pid);

		output_end(&self.errors, &self.from);
		if (daemon || self.errors_are_lent)
			output_open(&self.errors); /* somebody may hold the old one */
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
	kill(-pid, self.stop_signal);
	self.terminated = 1;
	return true;
}

bool
program_is_terminated(void)
{
	return self.terminated;
}
