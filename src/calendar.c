#include "calendar.h"

enum { ERA_DAYS = 146097 /* 400 years */, EPOCH_DAYS = 719468 /* from 0000-03-01 */ };

/* Years begin in March here, so that the leap day is the last one of a year. */
int64_t
calendar_days(const struct civil *c)
{
	int64_t year = c->month <= 2 ? c->year - 1 : c->year;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 + c->day - 1;

	return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

struct civil
calendar_civil(int64_t day)
{
	int64_t shifted = day + EPOCH_DAYS;
	int64_t era = (shifted >= 0 ? shifted : shifted - ERA_DAYS + 1) / ERA_DAYS;
	int64_t of_era = shifted - era * ERA_DAYS;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	return (struct civil){
		.year = year + era * 400 + (month >= 10),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(of_year - (153 * month + 2) / 5 + 1),
	};
}

int64_t
calendar_split(int64_t seconds, int *rest)
{
	int over = (int)(seconds % CALENDAR_DAY);

	*rest = over < 0 ? over + CALENDAR_DAY : over;
	return seconds / CALENDAR_DAY - (over < 0);
}

int
calendar_weekday(int64_t day)
{
	return (int)(((day + 4) % 7 + 7) % 7);
}
