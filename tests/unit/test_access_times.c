#include "unit.h"

#include "access_times.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "Mon 07:30"; 2026-11-23 is a Monday. */
static struct tm
local(const char *text)
{
	struct tm tm = { .tm_year = 126, .tm_mon = 10, .tm_mday = 22 };
	static const char days[] = "SunMonTueWedThuFriSat";
	const char *day;
	char name[4];

	assert_int_equal(sscanf(text, "%3s %d:%d", name, &tm.tm_hour, &tm.tm_min), 3);
	day = strstr(days, name);
	assert_non_null(day);
	tm.tm_wday = (int)(day - days) / 3;
	tm.tm_mday += tm.tm_wday;
	return tm;
}

static void
hours_and_days(void **state)
{
	static const struct {
		const char *spans[3], *now;
		bool allowed;
	} rows[] = {
		{ { "07:00-19:00" }, "Mon 06:59", false },
		{ { "07:00-19:00" }, "Mon 07:00", true },
		{ { "07:00-19:00" }, "Sun 18:59", true },
		{ { "07:00-19:00" }, "Mon 19:00", false },
		{ { "7:00-9:05" }, "Mon 09:04", true },
		{ { "7:00-9:05" }, "Mon 09:05", false },
		{ { "00:00-24:00" }, "Wed 00:00", true },
		{ { "00:00-24:00" }, "Wed 23:59", true },
		{ { "12:00-24:00" }, "Wed 23:59", true },
		{ { "12:00-24:00" }, "Thu 00:00", false },
		/* Over midnight, on the day after the one that it begins on. */
		{ { "22:00-06:00" }, "Wed 21:59", false },
		{ { "22:00-06:00" }, "Wed 22:00", true },
		{ { "22:00-06:00" }, "Thu 05:59", true },
		{ { "22:00-06:00" }, "Thu 06:00", false },
		{ { "22:00-00:00" }, "Thu 23:59", true },
		{ { "22:00-00:00" }, "Fri 00:00", false },
		{ { "Fri 22:00-06:00" }, "Fri 05:00", false },
		{ { "Fri 22:00-06:00" }, "Fri 23:00", true },
		{ { "Fri 22:00-06:00" }, "Sat 05:00", true },
		{ { "Fri 22:00-06:00" }, "Sat 23:00", false },
		{ { "Sat 22:00-06:00" }, "Sun 05:00", true },
		{ { "Sun 22:00-06:00" }, "Mon 05:00", true },
		/* Days. */
		{ { "Mon-Fri 08:00-18:00" }, "Mon 08:00", true },
		{ { "Mon-Fri 08:00-18:00" }, "Fri 17:59", true },
		{ { "Mon-Fri 08:00-18:00" }, "Sat 12:00", false },
		{ { "Mon-Fri 08:00-18:00" }, "Sun 12:00", false },
		{ { "Fri-Mon" }, "Fri 00:00", true },
		{ { "Fri-Mon" }, "Sun 12:00", true },
		{ { "Fri-Mon" }, "Mon 23:59", true },
		{ { "Fri-Mon" }, "Tue 00:00", false },
		{ { "Fri-Mon" }, "Thu 23:59", false },
		{ { "Sat,Sun" }, "Sat 12:00", true },
		{ { "Sat,Sun" }, "Mon 12:00", false },
		{ { "Mon,Wed-Thu 10:00-11:00" }, "Wed 10:30", true },
		{ { "Mon,Wed-Thu 10:00-11:00" }, "Tue 10:30", false },
		{ { "Sun-Sun" }, "Sun 10:30", true },
		{ { "Sun-Sun" }, "Mon 10:30", false },
		/* Several: any of them. */
		{ { "07:00-12:00", "13:00-19:00" }, "Mon 12:30", false },
		{ { "07:00-12:00", "13:00-19:00" }, "Mon 13:00", true },
		{ { "Mon-Fri 08:00-18:00", "Sat 10:00-14:00" }, "Sat 09:59", false },
		{ { "Mon-Fri 08:00-18:00", "Sat 10:00-14:00" }, "Sat 10:00", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct access_times times = { NULL, 0 };
		struct tm now = local(rows[i].now);
		char *err = NULL;

		for (size_t k = 0; rows[i].spans[k]; k++)
			assert_int_equal(access_times_add(&times, rows[i].spans[k], &err), 0);
		if (access_times_allow(&times, &now) != rows[i].allowed)
			fail_msg("row %zu: %s at %s", i, rows[i].spans[0], rows[i].now);
		access_times_free(&times);
	}
}

static void
what_is_no_span_is_refused(void **state)
{
	static const char *const spans[] = {
		"",
		" ",
		"07:00",
		"07:00-",
		"-19:00",
		"07:00-19:00 ",
		" 07:00-19:00",
		"07:00 - 19:00",
		"07:00-19:00,20:00-21:00",
		"07-19",
		"07:0-19:00",
		"07:000-19:00",
		"007:00-19:00",
		"07:60-19:00",
		"24:01-25:00",
		"07:00-24:01",
		"25:00-26:00",
		"7am-7pm",
		"+7:00-19:00",
		"monday",
		"mon",
		"Monday",
		"Mon Tue",
		"Mon-",
		"Mon,",
		",Mon",
		"Mon-Fri,",
		"Mon  08:00-18:00",
		"Mon-Fri-Sun",
		"Mon08:00-18:00",
		"08:00-18:00 Mon",
		"12:00-12:00",
		"00:00-00:00",
		"24:00-24:00",
		"24:00-00:00",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		struct access_times times = { NULL, 0 };
		char *err = NULL;

		if (access_times_add(&times, spans[i], &err) != -1)
			fail_msg("\"%s\" is accepted", spans[i]);
		assert_non_null(err);
		assert_int_equal(times.n, 0);
		free(err);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hours_and_days),
		cmocka_unit_test(what_is_no_span_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
