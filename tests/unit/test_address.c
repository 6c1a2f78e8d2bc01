#include "unit.h"

#include "address.h"
#include "util.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static void
good_addresses_are_shown_as_they_are_known(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "80", "*:80" },
		{ "0", "*:0" },
		{ "127.0.0.1:8080", "127.0.0.1:8080" },
		{ "0.0.0.0:1", "*:1" },
		{ "[::1]:80", "[::1]:80" },
		{ "[::]:80", "*:80" },
		{ "[2001:DB8::1]:65535", "[2001:db8::1]:65535" },
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
		{ "/run/x.sock", "/run/x.sock" },
		{ "@name", "@name" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[ADDRESS_TEXT_BYTES], *err = NULL;
		struct address a;

		if (address_parse(rows[i].text, &a, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err);
		address_format((struct sockaddr *)&a.sa, a.len, buf);
		assert_string_equal(buf, rows[i].shown);
	}
}

static void
bad_addresses_are_refused(void **state)
{
	static const char *const rows[] = {
		"",      ":",    ":80",           "localhost:80", "1.2.3.4",    "1.2.3.4:",
		"99999", "080",  "127.0.0.1:080", "65536",        "-1",         "80x",
		"[::1]", "[::1", "[::1]80",       "::1:80",       "1.2.3:80",   "*:80",
		"[]:80", "@",    "run/x",         "1.2.3.4:0x50", "[::1]:port", "[fe80::1%lo]:80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *err = NULL;
		struct address a;

		if (address_parse(rows[i], &a, &err) == 0)
			fail_msg("\"%s\" was accepted", rows[i]);
		assert_non_null(err);
		free(err);
	}
}

static void
a_path_fits_or_is_refused(void **state)
{
	char path[110] = "/", *err = NULL;
	struct address a;

	(void)state;
	memset(path + 1, 'x', 106);
	assert_int_equal(address_parse(path, &a, &err), 0);
	path[107] = 'x';
	assert_int_equal(address_parse(path, &a, &err), -1);
	free(err);
}

static void
equal_means_the_same_socket(void **state)
{
	struct address a, b;
	char *err = NULL;

	(void)state;
	address_parse("[::1]:80", &a, &err);
	address_parse("[0:0::1]:80", &b, &err);
	assert_true(address_equal(&a, &b));
	address_parse("[::]:80", &a, &err);
	address_parse("80", &b, &err);
	assert_false(address_equal(&a, &b));
	address_parse("127.0.0.1:0", &a, &err);
	assert_false(address_equal(&a, &a));
	address_parse("@a", &a, &err);
	address_parse("@ab", &b, &err);
	assert_false(address_equal(&a, &b));
	assert_null(err);
}

static struct address
address(const char *text)
{
	struct address a;
	char *err = NULL;

	if (address_parse(text, &a, &err) < 0)
		fail_msg("%s: %s", text, err);
	return a;
}

/* What was asked for with port 0, and what the kernel has made of it. */
static void
any_port_is_one_of_those_that_were_bound(void **state)
{
	static const struct {
		const char *wanted, *bound;
		bool is;
	} rows[] = {
		{ "127.0.0.1:0", "127.0.0.1:8080", true },
		{ "0", "[::]:8080", true },
		{ "[::1]:0", "[::1]:8080", true },
		{ "[::]:0", "[::]:8080", true },
		{ "127.0.0.1:0", "127.0.0.2:8080", false },
		{ "0", "0.0.0.0:8080", false },
		{ "[::1]:0", "[::2]:8080", false },
		{ "127.0.0.1:0", "[::1]:8080", false },
		{ "0.0.0.0:0", "127.0.0.1:8080", false },
		{ "127.0.0.1:8080", "127.0.0.1:8080", false }, /* that is equal, not one of */
		{ "127.0.0.1:80", "127.0.0.1:8080", false },
		{ "127.0.0.1:0", "/run/x.sock", false },
		{ "/run/x.sock", "/run/x.sock", false },
		{ "@a", "@a", false },
		{ "/run/x.sock", "127.0.0.1:8080", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct address wanted = address(rows[i].wanted), bound = address(rows[i].bound);
		struct address before = bound;

		if (address_is_one_of(&wanted, &bound) != rows[i].is)
			fail_msg("%s of %s", rows[i].bound, rows[i].wanted);
		assert_memory_equal(&before, &bound, sizeof(bound));
	}
}

static void
unnamed_unix_clients_have_a_word(void **state)
{
	struct sockaddr sa = { .sa_family = AF_UNIX };
	char buf[ADDRESS_TEXT_BYTES];

	(void)state;
	assert_string_equal(address_format(&sa, sizeof(sa_family_t), buf), "unix");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_addresses_are_shown_as_they_are_known),
		cmocka_unit_test(bad_addresses_are_refused),
		cmocka_unit_test(a_path_fits_or_is_refused),
		cmocka_unit_test(equal_means_the_same_socket),
		cmocka_unit_test(any_port_is_one_of_those_that_were_bound),
		cmocka_unit_test(unnamed_unix_clients_have_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
