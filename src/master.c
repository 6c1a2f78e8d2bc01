#include "master_private.h"

#include "child.h"
#include "conf_parse.h"
#include "handover.h"
#include "notify.h"
#include "pidfile.h"
#include "procinfo.h"
#include "session.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STOP_RESERVE_MS 15000 /* beyond graceful_timeout, for TERM and KILL */

struct master master = { .control_fds = { -1, -1 }, .pid_fd = -1, .gate = -1, .log_fd = -1 };

static void
log_served(const struct pool *pool)
{
	uint64_t accepted = pool->figures.gone.n[FIGURE_ACCEPTED];

	log_notice(
	    "pool %s: stopped after %" PRIu64 " connection%s; %" PRIu64 " worker%s died unasked",
	    pool->name, accepted, util_plural(accepted), pool->crashes, util_plural(pool->crashes));
}

/* Pools that were dropped, or that the whole stop waits for. */
static void
free_gone_pools(void)
{
	for (size_t i = 0; i < master.npools;) {
		struct pool *pool = master.pools[i];

		if (!pool->stopping || !pool_is_gone(pool)) {
			i++;
			continue;
		}
		if (master.conf) /* not when it never came to serve */
			log_served(pool);
		master_pool_free(pool);
	}
}

void
master_settle(void)
{
	master_reload_step();
	free_gone_pools();
	master_control_look();
	if (master.state == MASTER_STOPPING && master.npools == 0 && !master_upgrade_is_under_way())
		event_base_loopbreak(master.base);
}

static unsigned
count_workers(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < master.npools; i++)
		n += pool_active(master.pools[i]);
	return n;
}

/* To the service manager: what was begun is done. */
void
master_tell_ready(void)
{
	notify_send(
	    "READY=1\nMAINPID=%d\nSTATUS=%zu pool%s, %u workers at the last start or reload",
	    (int)getpid(), master.npools, util_plural(master.npools), count_workers());
}

/* Sockets that the service manager opened and that no pool wants. */
static void
warn_of_sockets(void)
{
	const char *name;

	for (size_t i = 0; notify_socket(i, &name) >= 0; i++)
		log_warn("socket \"%s\" of the service manager fits no pool, by name or by address",
			 name);
}

/* The pid file is written, and whoever started us may go on. */
void
master_serve(void)
{
	unsigned workers = count_workers();
	char *err = NULL;

	if (master.pid_fd >= 0 && pidfile_write(master.pid_fd, master.pid_file, &err) < 0) {
		log_error("%s", err);
		free(err);
	}
	log_notice("ready: %zu pool%s, %u worker%s", master.npools, util_plural(master.npools),
		   workers, util_plural(workers));
	warn_of_sockets();
	master_tell_ready();
	if (master.options.ready_fd < 0)
		return;
	log_copy_to_stderr(false);
	dup2(STDIN_FILENO, STDOUT_FILENO);
	if (log_fd() != STDERR_FILENO)
		dup2(STDIN_FILENO, STDERR_FILENO);
	child_daemon_ready(master.options.ready_fd);
	master.options.ready_fd = -1;
}

void
master_ready(void)
{
	master.state = MASTER_RUNNING;
	if (handover_fd() >= 0)
		master_handover_ready();
	else
		master_serve();
}

/* The service manager must not lose its patience before we do. */
static void
tell_stopping(bool fast)
{
	int64_t longest = 0;

	for (size_t i = 0; i < master.npools && !fast; i++)
		if (master.pools[i]->current)
			longest =
			    util_max(longest, master.pools[i]->current->conf->graceful_timeout);
	notify_send("STOPPING=1\nSTATUS=Stopping\nEXTEND_TIMEOUT_USEC=%" PRId64,
		    (longest + STOP_RESERVE_MS) * 1000);
}

void
master_stop(bool fast, const char *by)
{
	int64_t now = util_now_ms();

	master_upgrade_cancel("told to stop");
	log_notice("stopping %s (%s)", fast ? "now" : "gracefully", by);
	tell_stopping(fast);
	master_reload_cancel("told to stop");
	master.state = MASTER_STOPPING;
	for (size_t i = 0; i < master.npools; i++)
		pool_stop(master.pools[i], fast, now);
}

void
master_set_log(const struct conf *conf)
{
	int level = master.options.log_level;

	log_set(level >= 0 ? level : conf_log_level(conf), conf->log_format == CONF_LOG_JSON);
}

/* Takes *why over; the first one is told to who asked. */
static void
keep_open(char **why, char **err)
{
	log_error("%s; the old one stays open", *why);
	if (*err)
		free(*why);
	else
		*err = *why;
	*why = NULL;
}

int
master_reopen_log(const char *by, char **err)
{
	char *why = NULL;

	if (log_reopen(&why) < 0)
		keep_open(&why, err);
	for (size_t i = 0; i < master.npools; i++)
		if (pool_reopen(master.pools[i], &why) < 0)
			keep_open(&why, err);
	if (*err)
		return -1;
	log_notice("log reopened (%s)", by);
	return 0;
}

static void
reopen_log(void)
{
	char *err = NULL;

	master_reopen_log("SIGUSR1", &err);
	free(err);
}

static void
scale_all(int delta)
{
	for (size_t i = 0; i < master.npools; i++) {
		struct pool *pool = master.pools[i];

		if (pool->current && !pool_scale(pool, pool->extra + delta, util_now_ms()))
			log_notice("pool %s: stays as it is: its max_workers, its least, or the "
				   "global max_workers is "
				   "reached",
				   pool->name);
	}
	master_look_all(true);
}

/* Sessions whose worker was killed: who is left there becomes our child bit by bit. */
static void
hunt_sessions(void)
{
	if (master.nsessions > 0)
		master.nsessions = session_signal_all(master.sessions, master.nsessions, SIGKILL);
}

/* By the signal; the command waits for a calm moment instead. */
static void
upgrade(void)
{
	if (master.state == MASTER_RUNNING && !master.plan && !master_upgrade_is_under_way() &&
	    !master_handover_is_under_way())
		master_upgrade_begin();
	else
		log_notice("no upgrade now (SIGUSR2): something else is under way");
}

static struct pool *
reaped(pid_t pid, int status, int64_t now)
{
	for (size_t i = 0; i < master.npools; i++)
		if (pool_reaped(master.pools[i], pid, status, now))
			return master.pools[i];
	if (!master_upgrade_reaped(pid, status))
		log_debug("reaped pid %d, which is no worker", (int)pid);
	return NULL;
}

/* SIGCHLD coalesces: take all that there are. */
static void
reap_children(void)
{
	int64_t now = util_now_ms();
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct pool *pool = reaped(pid, status, now);

		if (pool)
			pool->starved = true; /* to be looked at below, once for all deaths */
	}
	hunt_sessions();
	master_look_all(true);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	switch (sig) {
	case SIGCHLD:
		reap_children();
		break;
	case SIGHUP:
		if (master.state != MASTER_STOPPING)
			master_reload_begin();
		break;
	case SIGTERM:
		master_stop(true, "SIGTERM");
		break;
	case SIGINT:
		master_stop(true, "SIGINT");
		break;
	case SIGQUIT:
		master_stop(master.state == MASTER_STOPPING, "SIGQUIT");
		break;
	case SIGUSR1:
		reopen_log();
		break;
	case SIGUSR2:
		upgrade();
		break;
	case SIGTTIN:
		scale_all(1);
		break;
	case SIGTTOU:
		scale_all(-1);
		break;
	}
	master_settle();
}

/*
 * Somebody rings; the bells tell who.  What is in the pipe tells nothing: any worker may write
 * there what it likes.
 */
static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	char dropped[4096];
	int64_t now = util_now_ms();

	(void)what;
	(void)arg;
	if (read(fd, dropped, sizeof(dropped)) < 0)
		return;
	for (size_t i = 0; i < master.npools; i++)
		if (scoreboard_has_rung(master.pools[i]->scoreboard))
			pool_look(master.pools[i], now);
	master_settle();
}

static void
on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	notify_send("WATCHDOG=1");
}

/* Only if the service manager asks for it: an idle master makes no system call else. */
static void
start_watchdog(void)
{
	int64_t half = notify_watchdog_ms() / 2;
	struct timeval tv = { .tv_sec = (time_t)(half / 1000),
			      .tv_usec = (suseconds_t)(half % 1000 * 1000) };

	if (half == 0)
		return;
	master.watchdog = event_new(master.base, -1, EV_PERSIST, on_watchdog, NULL);
	event_add(master.watchdog, &tv);
}

static int
lock_pid_file(const struct conf *conf, char **err)
{
	bool asked_for = master.options.pid_file ||
			 conf->set[conf_option_index(&conf_global_section, "pid_file")].file;

	if (master.options.foreground && !asked_for)
		return 0;
	master.pid_file =
	    util_strdup(master.options.pid_file ? master.options.pid_file : conf->pid_file);
	if (handover_fd() >= 0)
		return 0; /* the master before us has it until we serve */
	master.pid_fd = pidfile_lock(master.pid_file, err);
	return master.pid_fd < 0 ? -1 : 0;
}

static int
open_events(char **err)
{
	static const int signals[] = { SIGCHLD, SIGHUP,  SIGTERM, SIGINT, SIGQUIT,
				       SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU };

	master.base = master_new_base();
	if (!master.base || pipe2(master.control_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return util_fail(err, "cannot set up events: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
		struct event *ev = evsignal_new(master.base, signals[i], on_signal, NULL);

		if (!ev || event_add(ev, NULL) < 0)
			return util_fail(err, "cannot handle signal %d", signals[i]);
	}
	master.control =
	    event_new(master.base, master.control_fds[0], EV_READ | EV_PERSIST, on_control, NULL);
	if (!master.control || event_add(master.control, NULL) < 0)
		return util_fail(err, "cannot watch the control pipe");
	return 0;
}

static int64_t
longest_start(const struct conf *conf)
{
	int64_t longest = 0;

	for (size_t i = 0; i < conf->npools; i++)
		longest = util_max(longest, conf->pools[i]->boot_timeout);
	return longest;
}

/* The first plan tells where the pid file is, so it is locked before a socket is opened. */
static int
start(char **err)
{
	struct conf *conf;
	char *title;

	if (open_events(err) < 0)
		return -1;
	conf = conf_parse(master.options.file, err);
	if (!conf)
		return -1;
	if (lock_pid_file(conf, err) < 0) {
		conf_free(conf);
		return -1;
	}
	handover_tell("starting %" PRId64, longest_start(conf));
	conf_free(conf);
	title = util_format("preforkd: master %s", master.options.file);
	title_set(title);
	free(title);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_watchdog();
	procinfo_oom_killed(); /* what was before does not count */
	master_reload_begin();
	master_settle();
	return 0;
}

int
master_run(const struct master_options *options)
{
	char *err = NULL;

	master.options = *options;
	master.started_ms = util_now_ms();
	totals_inherit(handover_figures_fd());
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a log that is full may be written again */
	if (options->log_level >= 0)
		log_set(options->log_level, false);
	log_copy_to_stderr(options->ready_fd >= 0);
	if (start(&err) < 0) {
		log_error("cannot start: %s", err);
		handover_tell("failed %s", err);
		free(err);
		return 1;
	}
	if (master.state != MASTER_STOPPING || master.npools > 0)
		event_base_dispatch(master.base);
	pidfile_remove(master.pid_fd, master.pid_file);
	if (master.conf)
		log_notice("stopped");
	master_control_end();
	master_status_end();
	return master.status;
}
