/*
 * Hours in which connections are served: "07:00-19:00", "Mon-Fri 08:00-18:00",
 * "Sat,Sun", "22:00-06:00".  Pure.
 */
#ifndef PREFORKD_ACCESS_TIMES_H
#define PREFORKD_ACCESS_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct access_span {
	unsigned days; /* on which it begins: a bit for each tm_wday */
	int from, to;  /* minutes of the day, without the last; not after: the next day's */
};

struct access_times {
	struct access_span *at;
	size_t n;
};

/* One item of the list.  0, or -1 with *err. */
int access_times_add(struct access_times *times, const char *text, char **err);
void access_times_free(struct access_times *times);

/* Is a time of the clock on the wall in one of the spans? */
bool access_times_allow(const struct access_times *times, const struct tm *local);

#endif
