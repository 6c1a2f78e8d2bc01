/*
 * Days and their dates: the Gregorian calendar, also for the time before it.  Pure.
 */
#ifndef PREFORKD_CALENDAR_H
#define PREFORKD_CALENDAR_H

#include <stdint.h>

enum { CALENDAR_DAY = 86400 /* seconds */ };

struct civil {
	int64_t year;
	int month, day; /* from 1 on */
};

/* The days since 1970-01-01, and back. */
int64_t calendar_days(const struct civil *);
struct civil calendar_civil(int64_t day);

/* Seconds since 1970 as such a day; *rest is how many seconds of it have passed. */
int64_t calendar_split(int64_t seconds, int *rest);

/* 0: Sunday. */
int calendar_weekday(int64_t day);

#endif
