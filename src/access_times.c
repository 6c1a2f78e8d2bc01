#include "access_times.h"

#include "util.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MINUTES (24 * 60)
#define EVERY_DAY   0x7fU

static const char *const day_names[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* Each of these takes what it knows off the text; -1: it is not there. */
static int
take_day(const char **text)
{
	for (int i = 0; i < 7; i++)
		if (strncmp(*text, day_names[i], 3) == 0) {
			*text += 3;
			return i;
		}
	return -1;
}

static bool
take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static int
take_number(const char **text, int least, int most)
{
	int n = 0, digits = 0;

	for (; digits < most && isdigit((unsigned char)**text); digits++)
		n = n * 10 + (*(*text)++ - '0');
	return digits >= least ? n : -1;
}

/* "Mon", "Mon-Fri", "Sat,Sun", "Fri-Mon,Wed"; 0: none. */
static unsigned
take_days(const char **text)
{
	unsigned days = 0;

	do {
		int from = take_day(text), to = from;

		if (from >= 0 && take_char(text, '-'))
			to = take_day(text);
		if (from < 0 || to < 0)
			return 0;
		for (int day = from; day != to; day = (day + 1) % 7)
			days |= 1U << day;
		days |= 1U << to;
	} while (take_char(text, ','));
	return days;
}

/* "7:30", "07:30"; 24:00 is the end of the day. */
static int
take_time(const char **text)
{
	int hour = take_number(text, 1, 2), minute;

	if (hour < 0 || !take_char(text, ':'))
		return -1;
	minute = take_number(text, 2, 2);
	if (minute < 0 || minute > 59 || hour * 60 + minute > DAY_MINUTES)
		return -1;
	return hour * 60 + minute;
}

static bool
parse(const char *text, struct access_span *span)
{
	*span = (struct access_span){ .days = EVERY_DAY, .to = DAY_MINUTES };
	if (!isdigit((unsigned char)*text)) {
		span->days = take_days(&text);
		if (span->days == 0 || *text == '\0')
			return span->days != 0;
		if (!take_char(&text, ' '))
			return false;
	}
	span->from = take_time(&text);
	if (span->from < 0 || !take_char(&text, '-'))
		return false;
	span->to = take_time(&text);
	return span->to >= 0 && *text == '\0';
}

int
access_times_add(struct access_times *times, const char *text, char **err)
{
	struct access_span span;

	if (!parse(text, &span))
		return util_fail(err,
				 "\"%s\" is no span of time: write \"07:00-19:00\", "
				 "\"Mon-Fri 08:00-18:00\" or \"Sat,Sun\"",
				 text);
	if (span.from % DAY_MINUTES == span.to % DAY_MINUTES && span.to - span.from != DAY_MINUTES)
		return util_fail(err, "\"%s\" ends when it begins: a whole day is \"00:00-24:00\"",
				 text);
	times->at = util_realloc(times->at, times->n + 1, sizeof(*times->at));
	times->at[times->n++] = span;
	return 0;
}

void
access_times_free(struct access_times *times)
{
	free(times->at);
	memset(times, 0, sizeof(*times));
}

static bool
contains(const struct access_span *span, const struct tm *local)
{
	int now = local->tm_hour * 60 + local->tm_min;
	bool today = span->days & 1U << local->tm_wday;
	bool yesterday = span->days & 1U << (local->tm_wday + 6) % 7;

	if (span->from < span->to)
		return today && now >= span->from && now < span->to;
	return (today && now >= span->from) || (yesterday && now < span->to);
}

bool
access_times_allow(const struct access_times *times, const struct tm *local)
{
	for (size_t i = 0; i < times->n; i++)
		if (contains(&times->at[i], local))
			return true;
	return false;
}
