/*
 * The program that a worker runs: one at a time, as leader of a session of its own.  Here
 * is what every service that starts programs needs: its stderr in the log, its end, and
 * the end of what it leaves behind.
 *
 * From program_begin() to program_end() the signals that bring news (a child's end, what
 * the master tells the worker) are blocked, but for the time in program_wait(): none is lost
 * between a look and a wait.
 */
#ifndef PREFORKD_SERVICES_PROGRAM_H
#define PREFORKD_SERVICES_PROGRAM_H

#include "child.h"
#include "service.h"

#include <poll.h>
#include <stdbool.h>

/* Once, when the worker starts.  -1 with *err. */
int program_prepare(const struct service_setup *setup, char **err);

/* What it is told when it must end, it and its process group; else TERM. */
void program_stop_by(int sig);

/* who: for whom it will run, for the log; valid until program_end(). */
void program_begin(const char *who);

/*
 * Starts it, with mask and death_signal filled in here, and err, unless it is set: then
 * stderr is not logged.  It waits a while when the
 * system is short of processes or memory.  0; else errno, which has been logged.
 */
int program_start(struct child_program *program);
int program_pid(void);
uint64_t program_said(void); /* bytes on its stderr, as far as they were read */

/* The pipe of its stderr belongs to its user, who could read there: no other one gets it, too. */
void program_lend_errors(void);

#define PROGRAM_FDS 3

/*
 * Waits for one of the n descriptors (at most PROGRAM_FDS), the program's end, a
 * signal, or the time (-1: without a limit), and does what is due to stderr and to a
 * program that ignores its signal.  Returns the number of descriptors with news, or 0.
 */
int program_wait(struct pollfd *fds, size_t n, int64_t timeout_ms);

/* look() is called when it has ended, before it is reaped and at once behind that. */
void program_look_at_end(void (*look)(bool reaped));

bool program_has_ended(void);
int program_status(void); /* as of waitpid(2), once it has ended */

/* To the program alone, not to what it has started. */
void program_signal(int sig);

/* program_stop_by()'s signal to its process group now, KILL if it is still there 5 s later. */
void program_stop(void);

/* The worker was told to end it: see service.terminate, whose part this is. */
bool program_terminate(void);
bool program_is_terminated(void);

/*
 * After its end: has it left something behind that may still finish?  program_wait() tells
 * when that ends.  false also when the worker was told to end it.
 */
bool program_has_left(void);

/*
 * After its end: what it left behind ends too, but for what made a session of its own.
 * Also when it was never started.
 */
void program_end(void);

#endif
