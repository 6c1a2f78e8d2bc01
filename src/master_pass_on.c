/*
 * What the next master finds in its environment beside its sockets, see handover.h.
 */
#include "master_private.h"

#include "handover.h"
#include "notify.h"

#include <stdlib.h>
#include <string.h>

void
master_pass_on_name(char **names, const char *name)
{
	char *longer = util_format("%s%s%s", *names, **names ? ":" : "", name);

	for (char *colon = longer + strlen(longer) - strlen(name); (colon = strchr(colon, ':'));)
		*colon = HANDOVER_COLON;
	free(*names);
	*names = longer;
}

void
master_pass_on_variable(char ***environment, char *assignment)
{
	util_list_add(environment, assignment);
	free(assignment);
}

/* What an operator has drained stays so. */
static void
pass_on_drained(char ***environment)
{
	char *names = util_strdup("");

	for (size_t i = 0; i < master.npools; i++)
		if (master.pools[i]->parked)
			master_pass_on_name(&names, master.pools[i]->name);
	if (*names)
		master_pass_on_variable(environment, util_format("PREFORKD_DRAINED=%s", names));
	free(names);
}

static void
pass_on_places(char ***environment, int *fds, size_t *n)
{
	size_t first = *n;
	char *names = util_strdup("");

	for (size_t i = 0; i < master.npools && *n < first + HANDOVER_SOCKETS_MAX; i++) {
		const struct pool *pool = master.pools[i];

		if (!pool->current || !pool->current->service->counts)
			continue;
		master_pass_on_name(&names, pool->name);
		fds[(*n)++] = pool->places_fd;
	}
	if (*n > first)
		master_pass_on_variable(
		    environment, util_format("PREFORKD_PLACES=%d:%d:%s", HANDOVER_PLACES_FORMAT,
					     NOTIFY_SOCKETS_START + (int)first, names));
	free(names);
}

static void
pass_on_file(char ***environment, const char *name, int format, int fd, int *fds, size_t *n)
{
	if (fd < 0)
		return;
	master_pass_on_variable(
	    environment, util_format("%s=%d:%d:", name, format, NOTIFY_SOCKETS_START + (int)*n));
	fds[(*n)++] = fd;
}

size_t
master_pass_on(char ***environment, int *fds, size_t n, int past_fd)
{
	pass_on_drained(environment);
	pass_on_file(environment, "PREFORKD_FIGURES", TOTALS_FORMAT, totals_fd(), fds, &n);
	pass_on_file(environment, "PREFORKD_PAST", HANDOVER_PAST_FORMAT, past_fd, fds, &n);
	pass_on_places(environment, fds, &n);
	return n;
}
