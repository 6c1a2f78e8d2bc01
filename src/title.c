#include "title.h"

#include "layout.h"
#include "util.h"

#include <string.h>
#include <unistd.h>

static struct {
	char *begin;
	size_t size, used; /* used: what may not be NUL */
} area PER_WORKER;

/* The kernel put all strings one behind the other; stop at the first that is not. */
static char *
end_of_strings(char *const *strings, char *end)
{
	for (; *strings && *strings == end; strings++)
		end += strlen(end) + 1;
	return end;
}

void
title_init(int argc, char **argv)
{
	char *end;

	if (argc < 1 || !argv[0])
		return;
	area.begin = argv[0];
	end = end_of_strings(argv, argv[0]);
	if (environ) {
		end = end_of_strings(environ, end);
		environ = util_list_copy(environ);
	}
	area.size = area.used = (size_t)(end - area.begin);
}

void
title_set(const char *title)
{
	size_t len = strlen(title);

	if (area.size == 0)
		return;
	if (len >= area.size)
		len = area.size - 1;
	memcpy(area.begin, title, len);
	/* Not all of the area: it may be many pages, which would be each worker's own. */
	if (len < area.used)
		memset(area.begin + len, 0, area.used - len);
	area.used = len;
}
