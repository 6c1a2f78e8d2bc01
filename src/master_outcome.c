/* What a reload means for each pool, in words. */
#include "master_private.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES = 20 /* of a group: the others must have room in a line of the log, too */ };

/* "what name, name and 3 more": the pools for which a reload means the same. */
struct group {
	const char *what;
	unsigned n;
};

/* Takes the outcome's place with something behind it. */
static void
append(char **outcome, const char *between, const char *text)
{
	char *longer = util_format("%s%s%s", *outcome, between, text);

	free(*outcome);
	*outcome = longer;
}

static void
add_name(char **outcome, struct group *group, const char *name)
{
	if (group->n == 0)
		append(outcome, **outcome ? "; " : "", group->what);
	if (group->n < NAMES)
		append(outcome, group->n == 0 ? " " : ", ", name);
	group->n++;
}

static void
end_group(char **outcome, const struct group *group)
{
	char more[32];

	if (group->n <= NAMES)
		return;
	snprintf(more, sizeof(more), "%u more", group->n - NAMES);
	append(outcome, " and ", more);
}

static bool
in_plan(const struct pool *pool)
{
	for (size_t i = 0; i < master.plan->n; i++)
		if (master.plan->entries[i].pool == pool)
			return true;
	return false;
}

bool
master_drops(const struct pool *pool)
{
	return master.plan->kind == RELOAD_FILE && !in_plan(pool) && !pool->stopping;
}

char *
master_outcome_of_plan(const char *what)
{
	static const char *const words[] = {
		[RELOAD_KEEP] = "kept",
		[RELOAD_RESIZE] = "changed in place",
		[RELOAD_REPLACE] = "replaced the workers of",
		[RELOAD_NEW] = "new",
		[RELOAD_PARKED] = "still drained",
	};
	const struct reload_plan *plan = master.plan;
	struct group dropped = { .what = "dropped" };
	char *names, *text;

	if (plan->kind == RELOAD_RESUME)
		return util_format("pool %s serves again on %s", plan->entries[0].pool->name,
				   plan->entries[0].pool->trial->listener->name);
	names = util_strdup("");
	for (size_t action = 0; action < ARRAY_LEN(words); action++) {
		struct group group = { .what = words[action] };

		for (size_t i = 0; i < plan->n; i++)
			if (plan->entries[i].action == action)
				add_name(&names, &group, plan->entries[i].pool->name);
		end_group(&names, &group);
	}
	for (size_t i = 0; i < master.npools; i++)
		if (master_drops(master.pools[i]))
			add_name(&names, &dropped, master.pools[i]->name);
	end_group(&names, &dropped);
	text = util_format("%s done: %s", what, names);
	free(names);
	return text;
}
