#include "session.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* A group lies within one session: with a child of ours in it, no stranger is. */
static bool
has_child_of_ours(pid_t group)
{
	siginfo_t info;

	return waitid(P_PGID, (id_t)group, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int
session_signal(pid_t sid, int signal)
{
	int group_is_ours = 0, n = 0, pid;
	FILE *in;

	if (sid <= 1 || sid == getsid(0) || sid == getpgrp())
		return 0; /* that would be ourselves */
	in = fopen("/proc/thread-self/children", "re");
	if (!in)
		return has_child_of_ours(sid) && kill(-sid, signal) == 0;
	while (fscanf(in, "%d", &pid) == 1) {
		if (getsid(pid) != sid)
			continue;
		n++;
		if (getpgid(pid) == sid)
			group_is_ours = 1;
		else
			kill(pid, signal);
	}
	fclose(in);
	if (group_is_ours)
		kill(-sid, signal);
	return n;
}
