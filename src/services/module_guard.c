#include "module_guard.h"

#include "util.h"

#include <locale.h>
#include <stdlib.h>
#include <sys/stat.h>

void
module_guard_begin(struct module_guard *guard)
{
	sigprocmask(SIG_SETMASK, NULL, &guard->mask);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, NULL, &guard->actions[sig]);
	guard->umask = umask(077);
	umask(guard->umask);
	guard->locale = util_strdup(setlocale(LC_ALL, NULL));
}

/* Signals that libc keeps for itself are refused, both times. */
void
module_guard_end(struct module_guard *guard)
{
	setlocale(LC_ALL, guard->locale);
	free(guard->locale);
	umask(guard->umask);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &guard->actions[sig], NULL);
	sigprocmask(SIG_SETMASK, &guard->mask, NULL);
}
