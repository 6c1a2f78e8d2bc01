#include "http_date.h"

#include "calendar.h"

#include <string.h>

#define YEAR_0    INT64_C(-62167219200)
#define YEAR_9999 INT64_C(253402300799)

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
				    "Thursday", "Friday", "Saturday" };

static int
month_length(int64_t year, int month)
{
	static const char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return lengths[month - 1] + (month == 2 && leap);
}

static void
put_digits(char *out, int64_t n, int width)
{
	for (; width-- > 0; n /= 10)
		out[width] = (char)('0' + n % 10);
}

/* Splits seconds, brought into the years that can be written, into a day and its rest. */
static int
split(int64_t seconds, int64_t *day)
{
	int rest;

	if (seconds < YEAR_0)
		seconds = YEAR_0;
	if (seconds > YEAR_9999)
		seconds = YEAR_9999;
	*day = calendar_split(seconds, &rest);
	return rest;
}

void
http_date_format(char out[HTTP_DATE_BYTES], int64_t seconds)
{
	int64_t day;
	int rest = split(seconds, &day);
	struct civil c = calendar_civil(day);

	memcpy(out, "Day, 00 Mon 0000 00:00:00 GMT", HTTP_DATE_BYTES);
	memcpy(out, days[calendar_weekday(day)], 3);
	put_digits(out + 5, c.day, 2);
	memcpy(out + 8, months + 3 * (c.month - 1), 3);
	put_digits(out + 12, c.year, 4);
	put_digits(out + 17, rest / 3600, 2);
	put_digits(out + 20, rest / 60 % 60, 2);
	put_digits(out + 23, rest % 60, 2);
}

void
http_date_iso(char out[HTTP_DATE_ISO_BYTES], int64_t seconds)
{
	int64_t day;
	int rest = split(seconds, &day);
	struct civil c = calendar_civil(day);

	memcpy(out, "0000-00-00 00:00", HTTP_DATE_ISO_BYTES);
	put_digits(out, c.year, 4);
	put_digits(out + 5, c.month, 2);
	put_digits(out + 8, c.day, 2);
	put_digits(out + 11, rest / 3600, 2);
	put_digits(out + 14, rest / 60 % 60, 2);
}

/* What the three forms have in common; -1 for what was not there. */
struct fields {
	int day, month, year, short_year, hour, minute, second;
};

/* Exactly width digits at the front; -1: something else. */
static int
take_digits(struct http_text *text, size_t width)
{
	int n = 0;

	if (text->len < width)
		return -1;
	for (size_t i = 0; i < width; i++) {
		if (text->at[i] < '0' || text->at[i] > '9')
			return -1;
		n = n * 10 + (text->at[i] - '0');
	}
	text->at += width;
	text->len -= width;
	return n;
}

static bool
take(struct http_text *text, const char *word, size_t len)
{
	if (text->len < len || memcmp(text->at, word, len) != 0)
		return false;
	text->at += len;
	text->len -= len;
	return true;
}

static int
take_month(struct http_text *text)
{
	for (int i = 0; i < 12; i++)
		if (take(text, months + 3 * i, 3))
			return i + 1;
	return -1;
}

/* The name of a day, whole or its first three letters, and what must stand behind it. */
static bool
take_day_name(struct http_text *text, bool whole, const char *behind)
{
	for (size_t i = 0; i < 7; i++) {
		struct http_text rest = *text;

		if (take(&rest, days[i], whole ? strlen(days[i]) : 3) &&
		    take(&rest, behind, strlen(behind))) {
			*text = rest;
			return true;
		}
	}
	return false;
}

static bool
take_time(struct http_text *text, struct fields *f)
{
	return (f->hour = take_digits(text, 2)) >= 0 && take(text, ":", 1) &&
	       (f->minute = take_digits(text, 2)) >= 0 && take(text, ":", 1) &&
	       (f->second = take_digits(text, 2)) >= 0;
}

static bool
read_imf(struct http_text text, struct fields *f)
{
	return take_day_name(&text, false, ", ") && (f->day = take_digits(&text, 2)) >= 0 &&
	       take(&text, " ", 1) && (f->month = take_month(&text)) >= 0 && take(&text, " ", 1) &&
	       (f->year = take_digits(&text, 4)) >= 0 && take(&text, " ", 1) &&
	       take_time(&text, f) && take(&text, " GMT", 4) && text.len == 0;
}

static bool
read_rfc850(struct http_text text, struct fields *f)
{
	return take_day_name(&text, true, ", ") && (f->day = take_digits(&text, 2)) >= 0 &&
	       take(&text, "-", 1) && (f->month = take_month(&text)) >= 0 && take(&text, "-", 1) &&
	       (f->short_year = take_digits(&text, 2)) >= 0 && take(&text, " ", 1) &&
	       take_time(&text, f) && take(&text, " GMT", 4) && text.len == 0;
}

static bool
read_asctime(struct http_text text, struct fields *f)
{
	return take_day_name(&text, false, " ") && (f->month = take_month(&text)) >= 0 &&
	       take(&text, " ", 1) &&
	       (f->day = take_digits(&text, take(&text, " ", 1) ? 1 : 2)) >= 0 &&
	       take(&text, " ", 1) && take_time(&text, f) && take(&text, " ", 1) &&
	       (f->year = take_digits(&text, 4)) >= 0 && text.len == 0;
}

/* A leap second is the first one of the next day, as time(2) counts it. */
static int64_t
seconds_of(const struct fields *f, int64_t year)
{
	struct civil c = { .year = year, .month = f->month, .day = f->day };

	return calendar_days(&c) * CALENDAR_DAY + f->hour * 3600 + f->minute * 60 + f->second;
}

/* The latest year with these two digits whose date lies at most 50 years ahead. */
static int64_t
whole_year(const struct fields *f, int64_t now)
{
	int64_t day, limit, year;
	int rest = split(now, &day);
	struct civil ahead = calendar_civil(day);

	ahead.year += 50;
	limit = calendar_days(&ahead) * CALENDAR_DAY + rest;
	year = ahead.year - ahead.year % 100 + f->short_year;
	if (seconds_of(f, year) > limit)
		year -= 100;
	return year;
}

bool
http_date_parse(struct http_text text, int64_t now, int64_t *seconds)
{
	struct fields f = { .short_year = -1 };
	int64_t year;

	if (!read_imf(text, &f) && !read_rfc850(text, &f) && !read_asctime(text, &f))
		return false;
	if (f.hour > 23 || f.minute > 59 || f.second > 60 ||
	    (f.second == 60 && (f.hour != 23 || f.minute != 59)))
		return false;
	year = f.short_year >= 0 ? whole_year(&f, now) : f.year;
	if (f.day < 1 || f.day > month_length(year, f.month))
		return false;
	*seconds = seconds_of(&f, year);
	return true;
}
