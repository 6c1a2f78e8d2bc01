#include "worker.h"

#include "child.h"
#include "layout.h"
#include "worker_accept.h"
#include "worker_admit.h"
#include "worker_become.h"
#include "worker_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/*
 * The descriptors of a worker: 0 and 1 are /dev/null, 2 is stderr, and these.  The log
 * follows if it is not stderr, then the gate of a trial, then those of the service.
 */
enum { NULL_FD = 0, LISTEN_FD = 3, CONTROL_FD, CHANNEL_FD, FIXED_FDS = 3, OTHER_FDS = 4 };

#define START_LOG_MS 1000

static struct {
	const struct worker *worker;
	const struct service *service;
	int gate;
	struct service_setup setup;
	int give_fd, places_fd; /* -1: the service does not want it */
	volatile sig_atomic_t serving, leaving;
	int64_t began_us; /* the request */
} self PER_WORKER;

static void
ring_master(bool wanted)
{
	/* A full pipe wakes the master as well as one more byte would. */
	if (wanted && write(CONTROL_FD, "", 1) < 0)
		return;
}

/* For the status, which the master is asked for. */
static void
complain(const char *text)
{
	struct scoreboard *sb = self.worker->scoreboard;

	if (complaints_add(&sb->complaints, getpid(), self.worker->pool, text))
		ring_master(scoreboard_ring(sb));
}

/* The same for a connection that waits for its next request: /dev/null is readable. */
static void
stop_keeping(void)
{
	self.leaving = 1;
	if (self.give_fd >= 0)
		dup3(NULL_FD, self.give_fd, O_CLOEXEC);
}

/*
 * A flag would be lost between its test and accept(2).  So the listen socket goes: an
 * accept that was interrupted is restarted by the kernel (SA_RESTART) and fails with
 * ENOTSOCK; one that has just succeeded is served first.
 */
static void
stop_accepting(void)
{
	dup3(NULL_FD, LISTEN_FD, O_CLOEXEC);
	stop_keeping();
}

/*
 * A master that has died keeps no time any more: TERM comes from here, as it would from there.
 * For a signal, timer_create(2) is just the system call.
 */
static void
limit_orphan(void)
{
	int64_t ms = util_max(atomic_load(&self.worker->scoreboard->graceful_timeout_ms), 1);
	struct itimerspec end = { .it_value = { .tv_sec = (time_t)(ms / 1000),
						.tv_nsec = (long)(ms % 1000 * 1000000) } };
	struct sigevent term = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGTERM };
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &term, &timer) == 0)
		timer_settime(timer, 0, &end, NULL);
}

/* By the master, or by the kernel when that has died. */
static void
on_retire(int sig)
{
	int saved = errno;

	(void)sig;
	stop_accepting();
	if (getppid() != self.worker->master)
		limit_orphan();
	errno = saved;
}

/* Only to make accept(2) start again, and find that the socket does not block any more. */
static void
on_finish(int sig)
{
	int saved = errno;

	(void)sig;
	stop_keeping();
	errno = saved;
}

static void
end_now(void)
{
	sigset_t term;

	signal(SIGTERM, SIG_DFL);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	raise(SIGTERM);
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void
on_term(int sig)
{
	int saved = errno;

	(void)sig;
	stop_accepting();
	if (!self.serving || !self.service->terminate || !self.service->terminate())
		end_now();
	errno = saved;
}

/* The request that the master means may have ended: then nothing happens. */
static void
on_expire(int sig)
{
	const struct scoreboard_slot *slot = &self.worker->scoreboard->slots[self.worker->slot];
	int saved = errno;

	(void)sig;
	if (self.serving && (uint32_t)slot->requests == slot->expired &&
	    (!self.service->terminate || !self.service->terminate()))
		end_now();
	errno = saved;
}

/*
 * The terminal and killall(1) send signals to everybody, but only the master is to act
 * on these.  A write beyond rlimit_fsize shall fail, not kill.
 */
static int
set_signals(void)
{
	static const int ignored[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1, SIGUSR2,
				       SIGTTIN, SIGTTOU, SIGPIPE, SIGXFSZ };
	struct sigaction sa = { .sa_handler = SIG_IGN, .sa_flags = SA_RESTART };

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		sigaction(ignored[i], &sa, NULL);
	sa.sa_handler = on_finish;
	sigaction(WORKER_SIGNAL_FINISH, &sa, NULL);
	sigfillset(&sa.sa_mask);
	sa.sa_handler = on_retire;
	sigaction(WORKER_SIGNAL_RETIRE, &sa, NULL);
	sa.sa_handler = on_expire;
	sigaction(WORKER_SIGNAL_EXPIRE, &sa, NULL);
	sa.sa_handler = on_term;
	sigaction(SIGTERM, &sa, NULL);
	return 0;
}

static int
keep_descriptors(void)
{
	int log = log_fd() != STDERR_FILENO ? log_fd() : -1;
	int fds[FIXED_FDS + OTHER_FDS + SERVICE_DESCRIPTORS] = { self.worker->gen->listener->fd,
								 self.worker->control_fd,
								 log_channel_fd() };
	int *places[OTHER_FDS + SERVICE_DESCRIPTORS] = { &log, &self.gate, &self.give_fd,
							 &self.places_fd };
	size_t n = FIXED_FDS, nplaces = OTHER_FDS;

	self.gate = self.worker->gen->gate;
	self.give_fd = self.service->keeps_connections ? self.worker->give_fd : -1;
	self.places_fd = self.service->counts ? self.worker->places_fd : -1;
	if (self.service->descriptors)
		nplaces += self.service->descriptors(self.worker->gen->prepared, places + nplaces);
	for (size_t i = 0; i < nplaces; i++)
		if (*places[i] >= 0)
			fds[n++] = *places[i];
	if (child_keep(fds, n, LISTEN_FD) < 0)
		return -1;
	n = FIXED_FDS;
	for (size_t i = 0; i < nplaces; i++)
		if (*places[i] >= 0)
			*places[i] = fds[n++];
	log_moved(log >= 0 ? log : STDERR_FILENO, CHANNEL_FD);
	log_overhear(complain); /* now that CONTROL_FD is what it says */
	return dup2(NULL_FD, STDOUT_FILENO) < 0 ? -1 : 0;
}

/* A change of uid clears it, so it comes after; and the master may be gone by then. */
static int
follow_master_by(int signal)
{
	if (prctl(PR_SET_PDEATHSIG, signal) < 0)
		return -1;
	if (getppid() != self.worker->master)
		_exit(WORKER_LEFT);
	return 0;
}

/* The master gets short words of each worker; the log has all, once a second. */
static _Noreturn void
cannot_start(const char *step, const char *object, const char *why)
{
	char words[SCOREBOARD_TEXT_BYTES + 1], more[LOG_MORE_BYTES];
	unsigned held_back;
	sigset_t all;

	/* Who has the turn to say it is not ended before, for another one that has failed, too. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	snprintf(words, sizeof(words), "%s: %s", step, why);
	scoreboard_say(&self.worker->scoreboard->slots[self.worker->slot], words, strlen(words));
	if (log_limit_pass(&self.worker->scoreboard->start_limit, START_LOG_MS, &held_back))
		log_error("pool %s: a worker cannot start: %s%s%s: %s%s", self.worker->pool, step,
			  object ? " " : "", object ? object : "", why,
			  log_limit_more(held_back, more));
	_exit(WORKER_CANNOT_START);
}

/* Who has not started has nothing to finish, and might hang: see worker_run() for the rest. */
static void
set_up(void)
{
	struct worker_step failed;

	if (set_signals() < 0)
		cannot_start("signals", NULL, strerror(errno));
	if (keep_descriptors() < 0)
		cannot_start("descriptors", NULL, strerror(errno));
	if (worker_become(self.worker, &failed) < 0)
		cannot_start(failed.name, failed.object, strerror(errno));
	if (follow_master_by(SIGKILL) < 0)
		cannot_start("parent", NULL, strerror(errno));
}

/* Who is due says so and works on: the master has another one ready before it goes. */
HOT static void
look_at_itself(bool between)
{
	enum worker_due why = worker_check_due(self.worker, between);

	if (why != DUE_NOT)
		ring_master(scoreboard_want_leave(self.worker->scoreboard, self.worker->slot, why));
}

HOT static void
next_request(void)
{
	self.began_us = figures_now_us();
	ring_master(scoreboard_request(self.worker->scoreboard, self.worker->slot));
	look_at_itself(false);
}

HOT static void
request_done(void)
{
	if (self.began_us > 0)
		figures_count_duration(self.worker->figures, figures_now_us() - self.began_us);
	self.began_us = 0;
	look_at_itself(true);
}

static void
enter(enum activity activity)
{
	ring_master(scoreboard_enter(self.worker->scoreboard, self.worker->slot, activity));
}

static void
start_service(void)
{
	char *err = NULL;

	self.setup = (struct service_setup){
		.conf = self.worker->gen->conf,
		.id = &self.worker->gen->id,
		.pool = self.worker->pool,
		.prepared = self.worker->gen->prepared,
		.scoreboard = self.worker->scoreboard,
		.slot = &self.worker->scoreboard->slots[self.worker->slot],
		.give_fd = self.give_fd,
		.places_fd = self.places_fd,
		.leaving = &self.leaving,
		.status_socket = self.worker->status_socket,
		.listen_fd = LISTEN_FD,
		.gate = self.gate,
		.enter = enter,
		.next_request = next_request,
		.request_done = request_done,
	};
	if (self.service->start && self.service->start(&self.setup, &err) < 0)
		cannot_start("service", NULL, err);
}

/* Ready, but a reload is not decided yet: the master closes its end when it is. */
static void
wait_at_gate(void)
{
	char byte;

	enter(ACTIVITY_HELD);
	while (read(self.gate, &byte, 1) < 0 && errno == EINTR)
		;
	close(self.gate);
}

static void
serve(int fd, const struct sockaddr *peer, socklen_t len)
{
	struct scoreboard *sb = self.worker->scoreboard;
	struct conn conn = {
		.fd = fd, .peer = peer, .peer_len = len, .figures = self.worker->figures
	};

	if (worker_admit(self.worker, &conn, ring_master)) {
		conn.began_ms = util_now_coarse_ms();
		ring_master(scoreboard_begin(sb, self.worker->slot, conn.peer, conn.peer_len,
					     !self.service->keeps_connections));
		self.serving = 1;
		if (!self.service->keeps_connections)
			self.began_us = figures_now_us();
		self.service->serve(&conn);
		request_done();
		self.serving = 0;
	}
	worker_admit_end(self.worker);
	close(fd);
	ring_master(scoreboard_change(sb, self.worker->slot, ACTIVITY_IDLE));
}

static void
accept_loop(void)
{
	struct sockaddr_storage peer;

	for (;;) {
		socklen_t len = sizeof(peer);
		int fd = accept4(LISTEN_FD, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

		if (fd >= 0) {
			worker_accept_works();
			serve(fd, (struct sockaddr *)&peer, len);
		} else if (!worker_accept_failed(self.worker, errno)) {
			return;
		}
	}
}

/* Signals find a service that serves from now on; its program is the one that accepts. */
static _Noreturn void
run_service(void)
{
	self.serving = 1;
	if (self.worker->gen->phase == GENERATION_FINISHING)
		self.leaving = 1;
	if (!self.service->run())
		_exit(WORKER_PROGRAM_ENDED);
	ring_master(scoreboard_change(self.worker->scoreboard, self.worker->slot, ACTIVITY_NONE));
	_exit(WORKER_LEFT);
}

HOT void
worker_run(const struct worker *worker)
{
	sigset_t none;

	self.worker = worker;
	self.service = worker->gen->service;
	set_up();
	start_service();
	if (follow_master_by(WORKER_SIGNAL_RETIRE) < 0)
		cannot_start("parent", NULL, strerror(errno));
	if (log_fd() != STDERR_FILENO)
		dup2(NULL_FD, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (self.service->run)
		run_service();
	if (self.gate >= 0)
		wait_at_gate();
	enter(ACTIVITY_IDLE);
	accept_loop();
	ring_master(scoreboard_change(worker->scoreboard, worker->slot, ACTIVITY_NONE));
	if (self.service->stop)
		self.service->stop();
	_exit(WORKER_LEFT);
}
