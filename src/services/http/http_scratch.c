#include "http_scratch.h"

#include "layout.h"

#include <stdarg.h>
#include <stdio.h>

#define SCRATCH_BYTES 262144
#define PAGE_BYTES    4096

/* Aligned for the sake of the small ones, which then are in one page. */
static struct {
	size_t used;
	char bytes[SCRATCH_BYTES];
} self __attribute__((aligned(PAGE_BYTES)));

HOT char *
http_scratch_take(size_t size)
{
	char *taken = self.bytes + self.used;

	if (size > sizeof(self.bytes) - self.used)
		return NULL;
	self.used += size;
	return taken;
}

char *
http_scratch_format(const char *fmt, ...)
{
	size_t left = sizeof(self.bytes) - self.used;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(self.bytes + self.used, left, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : http_scratch_take((size_t)n + 1);
}

HOT void
http_scratch_trim(const char *end)
{
	self.used = (size_t)(end - self.bytes);
}

HOT void
http_scratch_clear(void)
{
	self.used = 0;
}
