/*
 * A new program takes over: the old master starts it with the listen sockets, listens to
 * what it says (see handover.h), and lets go of everything when it serves; or ends it,
 * and goes on as if nothing had been.
 */
#include "master_private.h"

#include "child.h"
#include "events.h"
#include "handover.h"
#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIGN_OF_LIFE_MS 10000
#define PID_BYTES       12

static struct {
	pid_t pid;       /* of the new master; 0: no upgrade is under way */
	int fd, past_fd; /* past_fd: see master_past.c */
	struct event *event, *timer;
	bool leaving;  /* it serves, and we let go */
	bool replaced; /* the same, and it stays so */
} self = { .fd = -1, .past_fd = -1 };

/* What it says: lines, of which the last one may not be complete. */
static struct {
	char text[HANDOVER_LINE_BYTES];
	size_t len;
} said;

/* What it was given, in this order; NULL: the control socket. */
static struct {
	struct listener *at[HANDOVER_SOCKETS_MAX];
	size_t n;
} sockets;

bool
master_upgrade_is_under_way(void)
{
	return self.pid != 0;
}

bool
master_upgrade_has_replaced_us(void)
{
	return self.replaced;
}

static void
let_go(void)
{
	if (self.event)
		event_free(self.event);
	if (self.timer)
		event_free(self.timer);
	self.event = self.timer = NULL;
	if (self.fd >= 0)
		close(self.fd);
	if (self.past_fd >= 0)
		close(self.past_fd);
	self.fd = self.past_fd = -1;
	self.pid = 0;
	said.len = 0;
	self.leaving = false;
}

static void
abandon(const char *why)
{
	pid_t pid = self.pid;

	let_go();
	if (pid > 0)
		kill(pid, SIGKILL); /* its workers wait for a start that never comes, and go */
	log_error("upgrade abandoned, nothing was changed: %s", why);
	notify_still_ready("The upgrade was abandoned: %s", why);
	events_add(NULL, EVENT_RELOAD, "upgrade abandoned: %s", why);
	master_set_outcome("upgrade", false, util_strdup(why));
}

static void
wait_for_it(int64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000),
			      .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(self.timer, &tv);
}

/* ---- the new one serves ---- */

/* What it did not take ends with us: its queue is emptied, its file removed. */
static void
give_sockets_away(const char *taken)
{
	size_t n = strlen(taken);

	for (size_t i = 0; i < sockets.n; i++) {
		bool gone = i < n && taken[i] == '1';

		if (!sockets.at[i])
			master_control_give_up(gone);
		else if (gone)
			listener_give_away(sockets.at[i]);
	}
}

/* It has the pid file, too: nothing is missing any more. */
static void
taken_over(void)
{
	master_set_outcome("upgrade", true,
			   util_format("upgraded: pid %d serves now", (int)self.pid));
	let_go();
}

static void
take_leave(const char *taken)
{
	int64_t now = util_now_ms();
	pid_t pid = self.pid;
	unsigned busy = 0;

	give_sockets_away(taken);
	if (master.pid_fd >= 0)
		close(master.pid_fd); /* and its lock; the file is the other one's now */
	master.pid_fd = -1;
	notify_send("MAINPID=%d", (int)pid);
	notify_close();
	if (self.past_fd >= 0)
		master_past_write(self.past_fd);
	self.past_fd = -1;
	if (send(self.fd, "yours\n", 6, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("upgrade: pid %d serves, but could not be told that it is alone: %s",
			 (int)pid, strerror(errno));
	if (master.reload_again)
		kill(pid, SIGHUP); /* it may have read the file before that was asked for */
	self.leaving = self.replaced = true;
	wait_for_it(SIGN_OF_LIFE_MS);
	master.state = MASTER_STOPPING;
	for (size_t i = 0; i < master.npools; i++) {
		busy += pool_busy(master.pools[i]);
		pool_stop(master.pools[i], false, now);
	}
	log_notice("upgrade: pid %d has taken over, %u worker%s finish%s", (int)pid, busy,
		   util_plural(busy), busy == 1 ? "es its connection" : " their connections");
}

/* ---- what it says ---- */

/* Whoever is dead serves nobody, whatever it has said before; also when it is reaped already. */
static bool
is_dead(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

/* false: the upgrade is over. */
static bool
obey_line(char *line)
{
	char why[HANDOVER_LINE_BYTES];
	int64_t ms;

	if (sscanf(line, "starting %" SCNd64, &ms) == 1) {
		wait_for_it(util_max(util_min(ms, 3600000), 0) + SIGN_OF_LIFE_MS);
		return true;
	}
	if (strncmp(line, "ready ", 6) == 0) {
		if (is_dead(self.pid))
			return true; /* its exit status tells more */
		take_leave(line + 6);
		return false;
	}
	if (strncmp(line, "failed ", 7) == 0) {
		util_escape(why, sizeof(why), line + 7, strlen(line + 7));
		abandon(why);
		return false;
	}
	return true; /* of a version that knows more */
}

static void
on_said(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n = recv(fd, said.text + said.len, sizeof(said.text) - 1 - said.len, MSG_DONTWAIT);
	char *end;

	(void)what;
	(void)arg;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		/* Before it serves, its exit status tells more. */
		event_del(self.event);
		if (self.leaving) {
			taken_over();
			master_settle();
		}
		return;
	}
	said.len += (size_t)n;
	said.text[said.len] = '\0';
	while ((end = strchr(said.text, '\n'))) {
		*end++ = '\0';
		if (!obey_line(said.text)) {
			master_settle();
			return;
		}
		said.len -= (size_t)(end - said.text);
		memmove(said.text, end, said.len + 1);
	}
	if (said.len == sizeof(said.text) - 1)
		said.len = 0;
}

static void
on_silence(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (self.leaving)
		taken_over();
	else
		abandon("the new master gives no sign of life");
	master_settle();
}

bool
master_upgrade_reaped(pid_t pid, int status)
{
	char why[PATH_MAX + 96];

	if (pid != self.pid || pid == 0)
		return false;
	/* Its last words may still be there. */
	if (self.event)
		on_said(self.fd, 0, NULL);
	if (self.leaving)
		taken_over();
	if (self.pid == 0)
		return true;
	if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "the new master was killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		snprintf(why, sizeof(why),
			 "%s cannot be run: is it a program of this machine, with "
			 "all its libraries?",
			 master.options.program);
	else
		snprintf(why, sizeof(why), "the new master exited with status %d",
			 WEXITSTATUS(status));
	self.pid = -1; /* nobody to kill */
	abandon(why);
	return true;
}

/* ---- the start ---- */

/* A file that anybody could have put there is not run with our rights. */
static int
check_program(const char *path, char **err)
{
	struct stat st;

	if (getpid() == 1)
		return util_fail(err, "as PID 1 of a container there is nobody to hand over to: "
				      "start a new container");
	if (!*path)
		return util_fail(err, "where our program is cannot be seen: /proc is missing");
	if (stat(path, &st) < 0)
		return util_fail(err, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || access(path, X_OK) < 0)
		return util_fail(err, "%s is not a program", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & S_IWOTH) ||
	    ((st.st_mode & S_IWGRP) && st.st_gid != 0))
		return util_fail(err, "%s can be written by others than root and ourselves", path);
	return 0;
}

static void
add_socket(struct listener *listener, char *kinds)
{
	kinds[sockets.n] = !listener             ? HANDOVER_CONTROL
			   : listener->inherited ? HANDOVER_INHERITED
						 : HANDOVER_OWN;
	sockets.at[sockets.n++] = listener;
}

/* Fills fds and kinds; returns the names. */
static char *
collect_sockets(int *fds, char *kinds)
{
	char *names = util_strdup("");

	sockets.n = 0;
	for (size_t i = 0; i < master.npools && sockets.n + 1 < HANDOVER_SOCKETS_MAX; i++) {
		const struct pool *pool = master.pools[i];

		if (!pool->current)
			continue;
		fds[sockets.n] = pool->current->listener->fd;
		/* A name with a colon is found by its address. */
		master_pass_on_name(&names, strchr(pool->name, ':') ? "unknown" : pool->name);
		add_socket(pool->current->listener, kinds);
	}
	if (master_control_fd() >= 0) {
		fds[sockets.n] = master_control_fd();
		master_pass_on_name(&names, "control");
		add_socket(NULL, kinds);
	}
	kinds[sockets.n] = '\0';
	return names;
}

static pid_t
start_program(int channel)
{
	static int fds[HANDOVER_SOCKETS_MAX + 1 + MASTER_PASS_ON_MAX];
	char kinds[HANDOVER_SOCKETS_MAX + 1], *names = collect_sockets(fds, kinds);
	char **environment = util_list_copy(environ), *pid_text;
	size_t n = sockets.n, at;
	pid_t pid;

	fds[n++] = channel;
	notify_pass_on(&environment);
	master_pass_on_variable(&environment,
				util_format("PREFORKD_HANDOVER=%d:%d:%s", HANDOVER_FORMAT,
					    NOTIFY_SOCKETS_START + (int)sockets.n, kinds));
	master_pass_on_variable(&environment, util_format("LISTEN_FDS=%zu", sockets.n));
	self.past_fd = memfd_create("past", MFD_CLOEXEC);
	n = master_pass_on(&environment, fds, n, self.past_fd);
	master_pass_on_variable(&environment, util_format("LISTEN_FDNAMES=%s", names));
	at = util_list_len(environment);
	master_pass_on_variable(&environment, util_format("LISTEN_PID=%*s", PID_BYTES, ""));
	pid_text = environment[at] + strlen("LISTEN_PID=");
	pid = child_start(master.options.program, master.options.arguments, environment, fds, n,
			  pid_text);
	util_list_free(environment);
	free(names);
	return pid;
}

static int
start(char **err)
{
	int pair[2];

	if (check_program(master.options.program, err) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return util_fail(err, "socketpair: %s", strerror(errno));
	self.fd = pair[0];
	self.pid = start_program(pair[1]);
	close(pair[1]);
	if (self.pid < 0) {
		let_go();
		return util_fail(err, "fork: %s", strerror(errno));
	}
	self.event = event_new(master.base, self.fd, EV_READ | EV_PERSIST, on_said, NULL);
	self.timer = evtimer_new(master.base, on_silence, NULL);
	event_add(self.event, NULL);
	wait_for_it(SIGN_OF_LIFE_MS);
	return 0;
}

unsigned
master_upgrade_begin(void)
{
	unsigned ticket = ++master.ticket;
	char *err = NULL;

	if (start(&err) < 0) {
		abandon(err);
		free(err);
		return ticket;
	}
	log_notice("upgrade: started %s as pid %d", master.options.program, (int)self.pid);
	return ticket;
}

void
master_upgrade_cancel(const char *why)
{
	if (self.pid != 0 && !self.leaving)
		abandon(why);
}
