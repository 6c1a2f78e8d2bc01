#include "util.h"

#include "layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void
out_of_memory(void)
{
	fputs("preforkd: out of memory\n", stderr);
	abort();
}

void *
util_calloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		out_of_memory();
	return p;
}

void *
util_realloc(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n, size);

	if (!p)
		out_of_memory();
	return p;
}

char *
util_strdup(const char *s)
{
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		out_of_memory();
	return copy;
}

PRINTF_LIKE(1, 0)
static char *
format_va(const char *fmt, va_list ap)
{
	char *text;

	if (vasprintf(&text, fmt, ap) < 0)
		out_of_memory();
	return text;
}

char *
util_format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = format_va(fmt, ap);
	va_end(ap);
	return text;
}

int
util_fail(char **err, const char *fmt, ...)
{
	va_list ap;

	if (*err)
		return -1;
	va_start(ap, fmt);
	*err = format_va(fmt, ap);
	va_end(ap);
	return -1;
}

size_t
util_list_len(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

bool
util_list_has(char *const *list, const char *item)
{
	while (list && *list && strcmp(*list, item) != 0)
		list++;
	return list && *list;
}

void
util_list_add(char ***list, const char *item)
{
	size_t n = util_list_len(*list);

	*list = util_realloc(*list, n + 2, sizeof(char *));
	(*list)[n] = util_strdup(item);
	(*list)[n + 1] = NULL;
}

char **
util_list_copy(char *const *list)
{
	size_t n = util_list_len(list);
	char **copy;

	if (n == 0)
		return NULL;
	copy = util_calloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		copy[i] = util_strdup(list[i]);
	return copy;
}

void
util_list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static int64_t
clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
util_close_from(int fd)
{
	return (int)syscall(SYS_close_range, (unsigned)fd, ~0U, 0);
}

int
util_close_between(int first, int last)
{
	return (int)syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0);
}

HOT char *
util_digits(char *end, uint64_t number)
{
	do
		*--end = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return end;
}

HOT int64_t
util_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

HOT int64_t
util_now_coarse_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC_COARSE);
}

/* Of the control character that text begins with; terminals obey those of UTF-8, too. */
static size_t
control_bytes(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	if (p[0] < 0x20 || p[0] == 0x7f)
		return 1;
	return len > 1 && p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

size_t
util_escape(char *dst, size_t size, const char *src, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	size_t out = 0, odd = 0; /* bytes that are still to be escaped */

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)src[i];

		if (odd == 0)
			odd = control_bytes(src + i, len - i);
		if (out + (odd > 0 ? 4 : 1) >= size)
			break;
		if (odd == 0) {
			dst[out++] = (char)c;
			continue;
		}
		odd--;
		dst[out++] = '\\';
		dst[out++] = 'x';
		dst[out++] = hex[c >> 4];
		dst[out++] = hex[c & 15];
	}
	dst[out] = '\0';
	return out;
}

void
util_cut(char *text, size_t bytes)
{
	if (strnlen(text, bytes + 1) <= bytes)
		return;
	while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80)
		bytes--;
	text[bytes] = '\0';
}
