#include "trial.h"

#include "child.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXT_BYTES 4096

/* What the child writes: one of these, the second with a text behind it. */
enum { GOOD = '+', BAD = '-' };

static _Noreturn void
try_it(int (*run)(void *arg, char **err), void *arg, int fd, pid_t parent)
{
	char *why = NULL;
	int result;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	result = run(arg, &why);
	if (dprintf(fd, "%c%s", result == 0 ? GOOD : BAD, why ? why : "") < 0)
		_exit(1);
	_exit(0);
}

/* Until its end: false when the time is over before. */
static bool
read_to_end(int fd, char *text, int64_t limit_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t now = util_now_ms(), until = now + limit_ms;
	size_t len = 0;

	for (; now < until; now = util_now_ms()) {
		ssize_t n;

		if (poll(&pfd, 1, (int)(until - now)) <= 0)
			continue;
		n = read(fd, text + len, TEXT_BYTES - 1 - len);
		if (n <= 0)
			return true;
		len += (size_t)n;
	}
	return false;
}

static enum trial_result
judge(const char *text, int status, char **err)
{
	if (text[0] == GOOD)
		return TRIAL_GOOD;
	if (text[0] == BAD) {
		*err = util_strdup(text + 1);
		return TRIAL_BAD;
	}
	if (WIFSIGNALED(status))
		util_fail(err, "killed by signal %d (%s) when it was tried", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else
		util_fail(err, "has ended the process when it was tried, with status %d",
			  WEXITSTATUS(status));
	return TRIAL_ENDED;
}

static enum trial_result
watch(pid_t pid, int fd, int64_t limit_ms, char **err)
{
	char text[TEXT_BYTES] = "";
	bool ended = read_to_end(fd, text, limit_ms);
	int status = 0;

	kill(pid, SIGKILL); /* it has ended, or its time is over */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ended)
		return judge(text, status, err);
	util_fail(err, "has not returned within %d s when it was tried", (int)(limit_ms / 1000));
	return TRIAL_ENDED;
}

enum trial_result
trial_run(int (*run)(void *arg, char **err), void *arg, int64_t limit_ms, char **err)
{
	enum trial_result result = TRIAL_ENDED;
	pid_t pid, parent = getpid();
	sigset_t old;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		util_fail(err, "pipe: %s", strerror(errno));
		return TRIAL_ENDED;
	}
	pid = child_fork(&old);
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		try_it(run, arg, fds[1], parent);
	}
	close(fds[1]);
	if (pid < 0)
		util_fail(err, "fork: %s", strerror(errno));
	else
		result = watch(pid, fds[0], limit_ms, err);
	close(fds[0]);
	return result;
}
