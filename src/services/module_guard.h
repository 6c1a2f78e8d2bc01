/*
 * What a process has once, and the code of others takes for its own: the run time of a
 * language or a library sets handlers for signals, a mask or a locale as it is initialized.
 * The master lives on its own ones, so they are put back.
 */
#ifndef PREFORKD_SERVICES_MODULE_GUARD_H
#define PREFORKD_SERVICES_MODULE_GUARD_H

#include <signal.h>
#include <sys/types.h>

struct module_guard {
	sigset_t mask;
	struct sigaction actions[NSIG];
	mode_t umask;
	char *locale;
};

/* Around the code of a module in the master. */
void module_guard_begin(struct module_guard *guard);
void module_guard_end(struct module_guard *guard);

#endif
