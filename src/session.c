#include "session.h"

#include "util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A group lies within one session: with a child of ours in it, no stranger is. */
static bool
has_child_of_ours(pid_t group)
{
	siginfo_t info;

	return waitid(P_PGID, (id_t)group, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* That would be ourselves. */
static bool
is_our_own(pid_t sid)
{
	return sid <= 1 || sid == getsid(0) || sid == getpgrp();
}

struct session {
	pid_t sid;
	bool has_child, has_group;
};

static int
compare(const void *a, const void *b)
{
	const struct session *x = a, *y = b;

	return (x->sid > y->sid) - (x->sid < y->sid);
}

static void
signal_child(pid_t pid, struct session *sessions, size_t n, int signal)
{
	struct session key = { .sid = getsid(pid) }, *found;

	found = bsearch(&key, sessions, n, sizeof(key), compare);
	if (!found)
		return;
	found->has_child = true;
	if (getpgid(pid) == found->sid)
		found->has_group = true;
	else
		kill(pid, signal);
}

/* One look at the children for all: there may be thousands of both. */
static void
signal_children(FILE *children, struct session *sessions, size_t n, int signal)
{
	int pid;

	qsort(sessions, n, sizeof(*sessions), compare);
	while (fscanf(children, "%d", &pid) == 1)
		signal_child(pid, sessions, n, signal);
	for (size_t i = 0; i < n; i++)
		if (sessions[i].has_group)
			kill(-sessions[i].sid, signal);
}

size_t
session_signal_all(pid_t *sids, size_t n, int signal)
{
	struct session *sessions = util_calloc(n, sizeof(*sessions));
	FILE *children = fopen("/proc/thread-self/children", "re");
	size_t wanted = 0, left = 0;

	for (size_t i = 0; i < n; i++)
		if (!is_our_own(sids[i]))
			sessions[wanted++].sid = sids[i];
	if (children) {
		signal_children(children, sessions, wanted, signal);
		fclose(children);
	}
	for (size_t i = 0; i < wanted; i++) {
		pid_t sid = sessions[i].sid;

		if (children ? sessions[i].has_child
			     : has_child_of_ours(sid) && kill(-sid, signal) == 0)
			sids[left++] = sid;
	}
	free(sessions);
	return left;
}

bool
session_signal(pid_t sid, int signal)
{
	return session_signal_all(&sid, 1, signal) > 0;
}
