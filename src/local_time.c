#include "local_time.h"

#include "calendar.h"

#include <limits.h>
#include <string.h>

/* No zone goes and comes back within a week. */
#define STEP  (7 * (int64_t)CALENDAR_DAY)
#define STEPS 52

/* From the one to right before the other second the zone is as in tm. */
static struct {
	int64_t from, until;
	struct tm tm;
} known;

/* The date and time without what only a zone says. */
static bool
fill_in(int64_t seconds, struct tm *tm)
{
	struct civil first = { .month = 1, .day = 1 }, civil;
	int64_t day;
	int rest;

	day = calendar_split(seconds, &rest);
	civil = calendar_civil(day);
	first.year = civil.year;
	if (civil.year < INT_MIN + INT64_C(1900) || civil.year > INT_MAX)
		return false;
	*tm = (struct tm){
		.tm_sec = rest % 60,
		.tm_min = rest / 60 % 60,
		.tm_hour = rest / 3600,
		.tm_mday = civil.day,
		.tm_mon = civil.month - 1,
		.tm_year = (int)(civil.year - 1900),
		.tm_wday = calendar_weekday(day),
		.tm_yday = (int)(day - calendar_days(&first)),
	};
	return true;
}

bool
utc_time(int64_t seconds, struct tm *tm)
{
	if (!fill_in(seconds, tm))
		return false;
	tm->tm_zone = "GMT";
	return true;
}

static bool
by_libc(int64_t seconds, struct tm *tm)
{
	time_t t = (time_t)seconds;

	return localtime_r(&t, tm) != NULL;
}

bool
local_time(int64_t seconds, struct tm *tm)
{
	if (seconds < known.from || seconds >= known.until)
		return by_libc(seconds, tm);
	if (!fill_in(seconds + known.tm.tm_gmtoff, tm))
		return false;
	tm->tm_gmtoff = known.tm.tm_gmtoff;
	tm->tm_isdst = known.tm.tm_isdst;
	tm->tm_zone = known.tm.tm_zone;
	return true;
}

static bool
is_known_zone(int64_t seconds)
{
	struct tm tm;

	return by_libc(seconds, &tm) && tm.tm_gmtoff == known.tm.tm_gmtoff &&
	       tm.tm_isdst == known.tm.tm_isdst && strcmp(tm.tm_zone, known.tm.tm_zone) == 0;
}

/* The zone holds at the first second and no longer at the last one. */
static int64_t
find_end(int64_t first, int64_t last)
{
	while (last > first + 1) {
		int64_t middle = first + (last - first) / 2;

		if (is_known_zone(middle))
			first = middle;
		else
			last = middle;
	}
	return last;
}

/* Some zones count leap seconds, and arithmetic does not. */
static bool
is_arithmetic(int64_t now)
{
	struct tm tm;

	return fill_in(now + known.tm.tm_gmtoff, &tm) && tm.tm_sec == known.tm.tm_sec &&
	       tm.tm_min == known.tm.tm_min && tm.tm_hour == known.tm.tm_hour;
}

void
local_time_start(int64_t now)
{
	int64_t end = now;

	tzset();
	known.from = known.until = 0;
	if (!by_libc(now, &known.tm) || !is_arithmetic(now))
		return;
	for (int i = 0; i < STEPS && is_known_zone(end); i++)
		end += STEP;
	known.from = now;
	known.until = is_known_zone(end) ? end : find_end(end - STEP, end);
}
