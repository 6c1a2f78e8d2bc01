/*
 * Local time by arithmetic is what localtime_r(3) says, in zones of all kinds, also where
 * the clocks are changed and where leap seconds count.
 */
#include "unit.h"

#include "local_time.h"

#include <stdlib.h>
#include <string.h>

#define HOUR 3600
#define YEAR (366 * 24 * INT64_C(3600))

static const char *const zones[] = {
	"UTC",
	"Europe/Berlin",
	"America/St_Johns",
	"Asia/Kathmandu",
	"Africa/Casablanca",
	"Australia/Lord_Howe",
	"Pacific/Apia",
	"Antarctica/Troll",
	"right/Europe/Paris",
	"XYZ-3:17:05ABC,J60/2,J300/3",
	"nonsense",
};

static void
set_zone(const char *zone)
{
	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
}

static void
check(const char *zone, int64_t seconds, const struct tm *is, const struct tm *want)
{
	if (is->tm_sec != want->tm_sec || is->tm_min != want->tm_min ||
	    is->tm_hour != want->tm_hour || is->tm_mday != want->tm_mday ||
	    is->tm_mon != want->tm_mon || is->tm_year != want->tm_year ||
	    is->tm_wday != want->tm_wday || is->tm_yday != want->tm_yday ||
	    is->tm_isdst != want->tm_isdst || is->tm_gmtoff != want->tm_gmtoff ||
	    strcmp(is->tm_zone, want->tm_zone) != 0)
		fail_msg("%s at %lld: %02d:%02d:%02d instead of %02d:%02d:%02d", zone,
			 (long long)seconds, is->tm_hour, is->tm_min, is->tm_sec, want->tm_hour,
			 want->tm_min, want->tm_sec);
}

static void
check_local(const char *zone, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm is, want;

	assert_true(local_time(seconds, &is));
	assert_non_null(localtime_r(&t, &want));
	check(zone, seconds, &is, &want);
}

/* Two years round a start, and each second round the changes of the clocks. */
static void
local_time_is_what_libc_says(void **state)
{
	(void)state;
	for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++) {
		set_zone(zones[z]);
		for (int64_t now = 1600000000; now < 1600000000 + YEAR; now += YEAR / 5) {
			local_time_start(now);
			for (int64_t t = now - YEAR / 2; t < now + 3 * YEAR / 2; t += HOUR / 2 + 7)
				check_local(zones[z], t);
		}
	}
	set_zone("Europe/Berlin");
	local_time_start(1600000000);
	for (int64_t t = 1603587600 - HOUR; t < 1603587600 + HOUR; t++)
		check_local("Berlin in autumn", t);
}

/* Until the clocks are changed, libc is not asked: it would say another thing here. */
static void
libc_is_not_asked_again(void **state)
{
	struct tm tm;

	(void)state;
	set_zone("Europe/Berlin");
	local_time_start(1600000000);
	set_zone("Asia/Kathmandu");
	assert_true(local_time(1603587599, &tm));
	assert_int_equal(tm.tm_gmtoff, 2 * HOUR);
	assert_true(local_time(1603587600, &tm));
	assert_int_equal(tm.tm_gmtoff, 5 * HOUR + 45 * 60);
}

static void
utc_time_is_what_libc_says(void **state)
{
	static const int64_t times[] = {
		0, -1, 951782400, 4102444800, -62135596800, 253402300799, 67767976233532799
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		time_t t = (time_t)times[i];
		struct tm is, want;

		assert_true(utc_time(times[i], &is));
		assert_non_null(gmtime_r(&t, &want));
		check("UTC", times[i], &is, &want);
	}
	assert_false(utc_time(INT64_MAX, &(struct tm){ 0 }));
	assert_false(utc_time(INT64_MIN, &(struct tm){ 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_time_is_what_libc_says),
		cmocka_unit_test(libc_is_not_asked_again),
		cmocka_unit_test(utc_time_is_what_libc_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
