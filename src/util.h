/*
 * Small helpers that know nothing of preforkd: memory that cannot fail, strings,
 * the monotonic clock.  Everything returned is owned by the caller (free(3)).
 */
#ifndef PREFORKD_UTIL_H
#define PREFORKD_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)           (sizeof(a) / sizeof((a)[0]))

/* Out of memory ends the process with a message: with overcommit it does not happen. */
void *util_calloc(size_t n, size_t size);
void *util_realloc(void *old, size_t n, size_t size);
char *util_strdup(const char *s);
char *util_format(const char *fmt, ...) PRINTF_LIKE(1, 2);

static inline int64_t
util_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
util_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* "s" unless it is one. */
static inline const char *
util_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/*
 * Sets *err to a formatted text (the first error stays; later calls keep it) and
 * returns -1, so that a check can end with "return util_fail(err, ...)".
 */
int util_fail(char **err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Null-terminated lists of strings. */
char **util_list_copy(char *const *list);
void util_list_add(char ***list, const char *item);
size_t util_list_len(char *const *list);
bool util_list_has(char *const *list, const char *item);
void util_list_free(char **list);

/*
 * Closes this descriptor and all above it: close_range(2), which needs Linux 5.9 and, unlike
 * the function of glibc 2.34, no new libc.  -1 with errno.
 */
int util_close_from(int fd);
int util_close_between(int first, int last); /* both included */

/*
 * Writes the digits of the number so that they end right before end, which has room for
 * UTIL_DIGITS of them, and no NUL.  Returns the first.  Where printf(3) would be the dearest part.
 */
#define UTIL_DIGITS 20
char *util_digits(char *end, uint64_t number);

/* CLOCK_MONOTONIC in milliseconds; the coarse one is cheaper and up to 10 ms late. */
int64_t util_now_ms(void);
int64_t util_now_coarse_ms(void);

/*
 * Copies src to dst with control characters, also those of UTF-8 (U+0080 to U+009F), as
 * \xNN (and a backslash as it is), so that it cannot forge or break a line, or tell a
 * terminal what to do.  Always terminates; returns the length.
 */
size_t util_escape(char *dst, size_t size, const char *src, size_t len);

/* In place, to so many bytes at most, and not within a character of UTF-8. */
void util_cut(char *text, size_t bytes);

#endif
