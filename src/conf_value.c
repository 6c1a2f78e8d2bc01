#include "conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit time_units[] = {
	{ "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};
static const struct unit size_units[] = {
	{ "G", 1 << 30 }, { "M", 1 << 20 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "", 1 }
};

/* Digits without a sign; *end is the first byte behind them.  -1 on overflow or none. */
static int
parse_digits(const char *text, int64_t *value, const char **end)
{
	char *stop;
	long long n;

	if (!isdigit((unsigned char)text[0]))
		return -1;
	if (text[0] == '0' && isdigit((unsigned char)text[1]))
		return -1; /* is it octal or not? */
	errno = 0;
	n = strtoll(text, &stop, 10);
	if (errno == ERANGE)
		return -1;
	*value = n;
	*end = stop;
	return 0;
}

int
conf_value_count(const char *text, int64_t min, int64_t max, int64_t *value, char **err)
{
	const char *digits = text, *end;
	int64_t n;

	if (min < 0 && text[0] == '-')
		digits++;
	if (digits[0] == '0' && isdigit((unsigned char)digits[1]))
		return util_fail(err, "\"%s\" has a leading zero: write the number without it",
				 text);
	if (parse_digits(digits, &n, &end) < 0 || *end != '\0')
		return util_fail(err, "\"%s\" is not a number from %" PRId64 " to %" PRId64, text,
				 min, max);
	if (digits != text)
		n = -n;
	if (n < min || n > max)
		return util_fail(err, "%s is out of range: %" PRId64 " to %" PRId64, text, min,
				 max);
	*value = n;
	return 0;
}

/* Digits and a unit; the unit of the empty name, or bare, is for digits alone. */
static int
parse_with_unit(const char *text, const struct unit *units, size_t n, int64_t bare, int64_t *value)
{
	const char *end;
	int64_t number, factor = 0;

	if (parse_digits(text, &number, &end) < 0)
		return -1;
	if (*end == '\0')
		factor = bare;
	for (size_t i = 0; i < n && factor == 0; i++)
		if (strcmp(end, units[i].name) == 0)
			factor = units[i].factor;
	if (factor == 0 || number > INT64_MAX / factor)
		return -1;
	*value = number * factor;
	return 0;
}

static char *
print_to_text(void (*print)(FILE *, int64_t), int64_t value)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return util_strdup("?");
	print(out, value);
	fclose(out);
	return text;
}

static int
check_range(const char *text, int64_t value, int64_t min, int64_t max,
	    void (*print)(FILE *, int64_t), char **err)
{
	char *low, *high;

	if (value >= min && value <= max)
		return 0;
	low = print_to_text(print, min);
	high = print_to_text(print, max);
	util_fail(err, "%s is out of range: %s to %s", text, low, high);
	free(low);
	free(high);
	return -1;
}

int
conf_value_time(const char *text, int64_t min, int64_t max, int64_t *ms, char **err)
{
	int64_t value;

	if (parse_with_unit(text, time_units, ARRAY_LEN(time_units), 1000, &value) < 0)
		return util_fail(err, "\"%s\" is not a time: write 500ms, 20s, 5m, 2h or 1d", text);
	if (check_range(text, value, min, max, conf_value_print_time, err) < 0)
		return -1;
	*ms = value;
	return 0;
}

int
conf_value_size(const char *text, int64_t min, int64_t max, int64_t *bytes, char **err)
{
	int64_t value;

	if (parse_with_unit(text, size_units, ARRAY_LEN(size_units), 1, &value) < 0)
		return util_fail(err, "\"%s\" is not a size: write 512, 8k, 64M or 1G", text);
	if (check_range(text, value, min, max, conf_value_print_size, err) < 0)
		return -1;
	*bytes = value;
	return 0;
}

/* "8", "8.0", "0.125" */
int
conf_value_decimal(const char *text, int64_t min, int64_t max, int64_t *thousandths, char **err)
{
	int64_t value, part = 100;
	const char *end;
	bool valid = parse_digits(text, &value, &end) == 0 && value < INT64_MAX / 1000;

	if (valid) {
		value *= 1000;
		if (end[0] == '.' && isdigit((unsigned char)end[1]))
			for (end++; part > 0 && isdigit((unsigned char)*end); part /= 10)
				value += part * (*end++ - '0');
	}
	if (!valid || *end != '\0')
		return util_fail(err, "\"%s\" is not a number such as 8 or 0.75", text);
	if (check_range(text, value, min, max, conf_value_print_decimal, err) < 0)
		return -1;
	*thousandths = value;
	return 0;
}

int
conf_value_bool(const char *text, int64_t *value, char **err)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*value = i & 1;
			return 0;
		}
	return util_fail(err, "\"%s\" is neither true nor false", text);
}

int
conf_value_mode(const char *text, int64_t max, int64_t *mode, char **err)
{
	int64_t value = 0;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '7' || len > 6)
			len = 0;
		else
			value = value * 8 + (text[i] - '0');
	}
	if (len < 3 || value > max)
		return util_fail(err,
				 "\"%s\" is not an octal mode such as \"0660\", at most \"%04o\"",
				 text, (unsigned)max);
	*mode = value;
	return 0;
}

int
conf_value_choice(const char *text, const char *const *choices, int64_t *index, char **err)
{
	char *all = NULL;

	for (size_t i = 0; choices[i]; i++)
		if (strcmp(text, choices[i]) == 0) {
			*index = (int64_t)i;
			return 0;
		}
	for (size_t i = 0; choices[i]; i++) {
		char *longer = util_format("%s%s%s", all ? all : "", all ? ", " : "", choices[i]);

		free(all);
		all = longer;
	}
	util_fail(err, "\"%s\" is not one of: %s", text, all);
	free(all);
	return -1;
}

static void
print_with_unit(FILE *out, const struct unit *units, size_t n, int64_t value)
{
	size_t i = 0;

	while (i + 1 < n && (value == 0 || value % units[i].factor != 0))
		i++;
	fprintf(out, "%" PRId64 "%s", value / units[i].factor, units[i].name);
}

void
conf_value_print_time(FILE *out, int64_t ms)
{
	if (ms == 0)
		fputs("0s", out);
	else
		print_with_unit(out, time_units, ARRAY_LEN(time_units), ms);
}

void
conf_value_print_size(FILE *out, int64_t bytes)
{
	print_with_unit(out, size_units, ARRAY_LEN(size_units), bytes);
}

void
conf_value_print_decimal(FILE *out, int64_t thousandths)
{
	int64_t rest = thousandths % 1000;
	int digits = 3;

	for (; digits > 0 && rest % 10 == 0; digits--)
		rest /= 10;
	fprintf(out, "%" PRId64, thousandths / 1000);
	if (digits > 0)
		fprintf(out, ".%0*" PRId64, digits, rest);
}

void
conf_value_print_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f || (*p == '$' && p[1] == '{'))
			fprintf(out, "\\x%02x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}
