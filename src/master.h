/*
 * The master: the event loop, signals, the control pipe, timers, and all pools.  It
 * never blocks and never polls; with nothing to do it makes no system call.
 */
#ifndef PREFORKD_MASTER_H
#define PREFORKD_MASTER_H

#include <stdbool.h>

struct master_options {
	const char *file;           /* absolute */
	const char *pid_file;       /* overrides the file's; NULL: the file's */
	const char *control_socket; /* the same */
	const char *program;        /* what an upgrade starts, absolute */
	char *const *arguments;     /* with these, argv[0] included */
	int log_level;              /* overrides the file's; -1: the file's */
	bool foreground;            /* logs to stderr; a pid file only if one is asked for */
	int ready_fd;               /* of child_daemonize(), or -1 */
};

/* Runs until it is told to stop.  The exit status of the process. */
int master_run(const struct master_options *options);

#endif
