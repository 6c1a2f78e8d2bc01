#include "child.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every signal that a process of ours handles or ignores. */
static const int changed_signals[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
				       SIGPIPE, SIGCHLD, SIGTTIN, SIGTTOU, SIGALRM, SIGXFSZ };

static void
reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	for (size_t i = 0; i < sizeof(changed_signals) / sizeof(changed_signals[0]); i++)
		sigaction(changed_signals[i], &dfl, NULL);
	sigaction(CHILD_SIGNAL_1, &dfl, NULL);
	sigaction(CHILD_SIGNAL_2, &dfl, NULL);
	sigaction(CHILD_SIGNAL_3, &dfl, NULL);
}

pid_t
child_fork(sigset_t *old)
{
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, old);
	pid = fork();
	if (pid == 0) {
		reset_signals();
	} else {
		int saved = errno;

		sigprocmask(SIG_SETMASK, old, NULL);
		errno = saved;
	}
	return pid;
}

/* The lowest of them from there on, or -1. */
static int
lowest_from(const int *fds, size_t n, int from)
{
	int lowest = -1;

	for (size_t i = 0; i < n; i++)
		if (fds[i] >= from && (lowest < 0 || fds[i] < lowest))
			lowest = fds[i];
	return lowest;
}

static void
close_others(const int *fds, size_t n, int first)
{
	int fd;

	for (; (fd = lowest_from(fds, n, first)) >= 0; first = fd + 1)
		if (fd > first)
			util_close_between(first, fd - 1);
	util_close_from(first);
}

int
child_keep(int *fds, size_t n, int first)
{
	int behind = first + (int)n;

	/* The parent may have no free one: this makes room. */
	close_others(fds, n, first);
	/* Out of the way first: a source may stand where another one goes. */
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= first && fds[i] < behind && fds[i] != first + (int)i &&
		    (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, behind)) < 0)
			return -1;
	for (size_t i = 0; i < n; i++) {
		int target = first + (int)i;

		if (fds[i] != target && dup3(fds[i], target, O_CLOEXEC) < 0)
			return -1;
		fds[i] = target;
	}
	return util_close_from(behind);
}

/* Without a call of libc, for the memory of a parent that stands still. */
static void
print_pid(pid_t pid, char text[CHILD_PID_BYTES])
{
	char digits[UTIL_DIGITS], *end = digits + sizeof(digits);

	for (char *at = util_digits(end, (uint64_t)pid); at < end; at++)
		*text++ = *at;
	*text = '\0';
}

static int
pass_descriptor_3(const struct child_program *p)
{
	if (!p->listen_pid)
		return util_close_from(3);
	print_pid(getpid(), p->listen_pid);
	return fcntl(3, F_SETFD, 0) < 0 ? -1 : util_close_from(4);
}

/* Runs in the memory of the parent, which stands still: it must only make system calls. */
static void
become_program(const struct child_program *p, pid_t parent, volatile int *error)
{
	/* From 2 down to 0: err may be this process's 0 or 1, and out its 0. */
	if (setsid() < 0 || dup2(p->err, 2) < 0 || dup2(p->out, 1) < 0 || dup2(p->in, 0) < 0 ||
	    pass_descriptor_3(p) < 0 || (p->directory && chdir(p->directory) < 0) ||
	    (p->settle && p->settle(p->arg) < 0) ||
	    prctl(PR_SET_PDEATHSIG, p->death_signal) < 0) { /* a change of uid clears it */
		*error = errno;
		_exit(127);
	}
	if (getppid() != parent)
		_exit(127);
	atomic_store(p->noted, (uint32_t)getpid());
	reset_signals();
	sigprocmask(SIG_SETMASK, p->mask, NULL);
	execve(p->path, p->argv, p->envp);
	*error = errno;
	_exit(127);
}

int
child_spawn(const struct child_program *program, volatile pid_t *pid)
{
	volatile int error = 0;
	pid_t parent = getpid(), child;
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = vfork();
	if (child == 0)
		become_program(program, parent, &error);
	if (child < 0) {
		error = errno;
	} else if (error) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		atomic_store(program->noted, 0);
	} else {
		*pid = child;
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return error ? -1 : 0;
}

pid_t
child_start(const char *path, char *const *argv, char *const *envp, const int *fds, size_t n,
	    char *pid_text)
{
	sigset_t old;
	pid_t pid = child_fork(&old);
	int *moved;

	if (pid != 0)
		return pid;
	moved = util_calloc(n + 1, sizeof(int));
	memcpy(moved, fds, n * sizeof(int));
	if (child_keep(moved, n, STDERR_FILENO + 1) < 0)
		_exit(127);
	for (size_t i = 0; i < n; i++)
		fcntl(moved[i], F_SETFD, 0);
	print_pid(getpid(), pid_text);
	sigprocmask(SIG_SETMASK, &old, NULL);
	execve(path, argv, envp);
	_exit(127);
}

int
child_daemonize(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		ssize_t n;

		close(ready[1]);
		while ((n = read(ready[0], &byte, 1)) < 0 && errno == EINTR)
			;
		_exit(n == 1 ? 0 : 1);
	}
	close(ready[0]);
	setsid();
	if (chdir("/") < 0)
		return -1;
	return ready[1];
}

void
child_daemon_ready(int fd)
{
	ssize_t ignored = write(fd, "", 1);

	(void)ignored;
	close(fd);
}
