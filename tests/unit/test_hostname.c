/*
 * Names from the network that may become arguments of programs, and those that may not.
 */
#include "unit.h"

#include "hostname.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static void
what_is_a_harmless_name(void **state)
{
	static const struct {
		const char *name;
		bool harmless;
	} rows[] = {
		{ "localhost", true },
		{ "host.example.org", true },
		{ "HOST-1.Example.ORG", true },
		{ "xn--bcher-kva.example", true },
		{ "1-2-3-4.dyn.example", true },
		{ "3com", true },
		{ "_dmarc.example", true },
		{ "a", true },
		{ "a-.b-", true },
		{ "", false },
		{ ".", false },
		{ "a.", false },
		{ ".a", false },
		{ "a..b", false },
		{ "-rf", false },
		{ "a.-b", false },
		{ "--help.example", false },
		{ "a b", false },
		{ "a;b", false },
		{ "a\nb", false },
		{ "a\tb", false },
		{ "$(a)", false },
		{ "a/../b", false },
		{ "a%b", false },
		{ "a'b", false },
		{ "b\303\274cher.example", false },
		{ "192.0.2.1", false }, /* and other ways to write an address */
		{ "192.1", false },
		{ "3221225985", false },
		{ "0xc0000201", false },
		{ "0300.0.2.1", false },
		{ "::1", false },
		{ "192.0.2.1.in-addr.arpa", true },
		{ "192.0.2.256", false },
		{ "a.7", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (hostname_is_harmless(rows[i].name) != rows[i].harmless)
			fail_msg("\"%s\"", rows[i].name);
}

static void
how_long_a_name_can_be(void **state)
{
	char name[HOSTNAME_BYTES + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[HOSTNAME_BYTES - 1] = '\0';
	assert_true(hostname_is_harmless(name));
	name[HOSTNAME_BYTES - 1] = 'a';
	name[HOSTNAME_BYTES] = '\0';
	assert_false(hostname_is_harmless(name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_a_harmless_name),
		cmocka_unit_test(how_long_a_name_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
