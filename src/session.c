#include "session.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int
session_signal(pid_t sid, int signal)
{
	int group_is_ours = 0, n = 0, pid;
	FILE *in;

	if (sid <= 1 || sid == getsid(0))
		return 0; /* that would be ourselves */
	in = fopen("/proc/thread-self/children", "re");
	if (!in)
		return kill(-sid, signal) == 0;
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
	/* A group lies within one session: with a child of ours in it, no stranger is. */
	if (group_is_ours)
		kill(-sid, signal);
	return n;
}
