/*
 * Local time in a process that was forked: localtime_r(3) and gmtime_r(3) write to pages of
 * libc, which then are that process's own.  What offset from UTC holds now, and until when,
 * is found before the fork; from there on it is arithmetic.
 */
#ifndef PREFORKD_LOCAL_TIME_H
#define PREFORKD_LOCAL_TIME_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Reads the zone (tzset(3): where /etc/localtime is) and looks a year ahead from now. */
void local_time_start(int64_t now);

/*
 * As localtime_r(3) and gmtime_r(3) fill it in; false: the year is none of theirs.  At any
 * other time than the one that was looked at, local_time() is just localtime_r().
 */
bool local_time(int64_t seconds, struct tm *tm);
bool utc_time(int64_t seconds, struct tm *tm);

#endif
