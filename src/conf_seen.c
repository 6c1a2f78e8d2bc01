#include "conf_seen.h"

#include "util.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>

struct seen_option {
	const void *option;
	int line;
};

static int
compare(const void *a, const void *b)
{
	const struct seen_option *x = a, *y = b;
	uintptr_t xat = (uintptr_t)x->option, yat = (uintptr_t)y->option;

	return xat < yat ? -1 : xat > yat;
}

void
conf_seen_add(struct conf_seen *seen, const void *option, int line)
{
	struct seen_option *one = util_calloc(1, sizeof(*one));

	*one = (struct seen_option){ option, line };
	if (!tsearch(one, &seen->tree, compare))
		abort();
}

int
conf_seen_line(const struct conf_seen *seen, const void *option)
{
	struct seen_option wanted = { .option = option };
	struct seen_option *const *found = tfind(&wanted, &seen->tree, compare);

	return found ? (*found)->line : 0;
}

void
conf_seen_free(struct conf_seen *seen)
{
	tdestroy(seen->tree, free);
	seen->tree = NULL;
}
