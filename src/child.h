/*
 * Making processes: the only place with fork(2), vfork(2) and daemonizing.
 */
#ifndef PREFORKD_CHILD_H
#define PREFORKD_CHILD_H

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Signals for the use between master and workers; reset in a child like the rest. */
#define CHILD_SIGNAL_1 (SIGRTMIN)
#define CHILD_SIGNAL_2 (SIGRTMIN + 1)
#define CHILD_SIGNAL_3 (SIGRTMIN + 2)

/*
 * Like fork(2), with no moment in which the child could run a handler of the parent:
 * all signals are blocked over it, and the child resets every disposition to the
 * default.  The child returns with all signals still blocked; *old is the mask to
 * restore there.
 */
pid_t child_fork(sigset_t *old);

/*
 * In a child: moves the n descriptors to first, first + 1, ... in this order with
 * close-on-exec set, writes the new numbers back, and closes everything else from first
 * on.  It needs room for n more.  -1 with errno: it is of no use then.
 */
int child_keep(int *fds, size_t n, int first);

#define CHILD_PID_BYTES 12 /* with the end */

struct child_program {
	const char *path; /* of the program; no search */
	char *const *argv, *const *envp;
	int in, out, err;
	/*
	 * Where the digits of LISTEN_PID= stand in envp, CHILD_PID_BYTES of them: the program
	 * then has this process's descriptor 3, too (sd_listen_fds(3)).  NULL: it has not.
	 */
	char *listen_pid;
	const char *directory; /* NULL: this process's */
	/* What else is to be done before execve(2), or NULL: 0, or -1 with errno.  Only system
	 * calls. */
	int (*settle)(const void *arg);
	const void *arg;
	const sigset_t *mask; /* the signals it starts with blocked */
	int death_signal;     /* it gets when this process dies, see prctl(2) */
	/* Where its pid stands before anything of it runs, for whoever survives this process;
	 * 0 again if it cannot run. */
	_Atomic uint32_t *noted;
};

/*
 * Starts a program as leader of a new session with exactly descriptors 0, 1, 2 (and 3, if
 * asked for) and default signals.  By vfork(2): the cheapest way there is, whatever this process's
 * size.  *pid is set before a signal handler can run.  0, or -1 with errno, also when
 * it is execve(2) that failed.
 */
int child_spawn(const struct child_program *program, volatile pid_t *pid);

/*
 * Starts a program with the n descriptors as 3, 4, ... and standard input, output and
 * error as they are.  Its process id is printed at pid_text, as in the LISTEN_PID= of
 * envp, which has CHILD_PID_BYTES for it.  The process, or -1 with errno; that the program cannot
 * be executed is seen as exit status 127.
 */
pid_t child_start(const char *path, char *const *argv, char *const *envp, const int *fds, size_t n,
		  char *pid_text);

/*
 * Goes into the background: a new session, directory /.  Returns in the daemon with a
 * descriptor; the process that called waits and exits 0 once child_daemon_ready() is
 * called with it, or 1 if the daemon ends before.  -1 with errno if it cannot fork.
 */
int child_daemonize(void);
void child_daemon_ready(int fd);

#endif
