#include "title.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *begin;
	size_t size;
} area;

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
	area.size = (size_t)(end - area.begin);
}

void
title_set(const char *fmt, ...)
{
	va_list ap;
	int len;

	if (area.size == 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(area.begin, area.size, fmt, ap);
	va_end(ap);
	if (len >= 0 && (size_t)len < area.size)
		memset(area.begin + len, 0, area.size - (size_t)len);
}
