/* What a reload means for each pool, in words. */
#include "master_private.h"

#include <stdlib.h>

/* "; what name, name" behind the outcome, for each group of pools in turn. */
static void
add_name(char **outcome, bool *begun, const char *what, const char *name)
{
	char *longer = util_format("%s%s%s%s%s", *outcome,
				   *begun      ? ", "
				   : **outcome ? "; "
					       : "",
				   *begun ? "" : what, *begun ? "" : " ", name);

	free(*outcome);
	*outcome = longer;
	*begun = true;
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
	char *names, *text;
	bool begun;

	if (plan->kind == RELOAD_RESUME)
		return util_format("pool %s serves again on %s", plan->entries[0].pool->name,
				   plan->entries[0].pool->trial->listener->name);
	names = util_strdup("");
	for (size_t action = 0; action < ARRAY_LEN(words); action++) {
		begun = false;
		for (size_t i = 0; i < plan->n; i++)
			if (plan->entries[i].action == action)
				add_name(&names, &begun, words[action],
					 plan->entries[i].pool->name);
	}
	begun = false;
	for (size_t i = 0; i < master.npools; i++)
		if (master_drops(master.pools[i]))
			add_name(&names, &begun, "dropped", master.pools[i]->name);
	text = util_format("%s done: %s", what, names);
	free(names);
	return text;
}
