#include "status_units.h"

#include "status_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *
status_units_count(int64_t n)
{
	char digits[32], *text, *to;
	size_t len;

	if (n < 0)
		return util_strdup("-");
	len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n);
	to = text = util_calloc(2, sizeof(digits));
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	return text;
}

/* One digit behind the point as long as there is only one before it. */
static char *
two_digits(int64_t n, int64_t unit, const char *name)
{
	if (n < 10 * unit)
		return util_format("%d.%d %s", (int)(n / unit), (int)(n % unit / (unit / 10)),
				   name);
	return util_format("%" PRId64 " %s", n / unit, name);
}

char *
status_units_bytes(int64_t n)
{
	static const char *const names[] = { "kB", "MB", "GB", "TB", "PB" };
	int64_t unit = 1000;
	size_t i = 0;

	if (n < 1000)
		return util_format("%" PRId64 " B", util_max(n, 0));
	while (i + 1 < ARRAY_LEN(names) && n / 1000 >= unit) {
		unit *= 1000;
		i++;
	}
	return two_digits(n, unit, names[i]);
}

char *
status_units_duration(int64_t us)
{
	us = util_max(us, 0);
	if (us < 1000000)
		return two_digits(us, 1000, "ms");
	if (us < 60000000)
		return two_digits(us, 1000000, "s");
	return status_text_span(us / 1000);
}

char *
status_units_tenths(int64_t n)
{
	if (n < 1000)
		return util_format("%d.%d", (int)(n / 10), (int)(n % 10));
	return status_units_count(n / 10);
}
