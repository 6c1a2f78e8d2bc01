#include "unit.h"

#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { ENTRIES = 4 };

struct row {
	const char *allow[ENTRIES], *deny[ENTRIES], *peer;
	bool allowed;
};

static const struct sockaddr *
peer_of(const char *text)
{
	static struct sockaddr_storage sa;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&sa;
	struct sockaddr_in *sin = (struct sockaddr_in *)&sa;

	memset(&sa, 0, sizeof(sa));
	if (strcmp(text, "unix") == 0) {
		sa.ss_family = AF_UNIX;
	} else if (strchr(text, ':')) {
		sa.ss_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &sin6->sin6_addr), 1);
	} else {
		sa.ss_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &sin->sin_addr), 1);
	}
	return (struct sockaddr *)&sa;
}

static void
add(struct cidr_list *list, const char *text, bool deny)
{
	char *err = NULL;

	if (text && cidr_add(list, text, deny, &err) < 0)
		fail_msg("%s", err);
}

/* The entries in this order or the other one, allow first or deny. */
static bool
allows(const struct row *row, int order)
{
	struct cidr_list list = { NULL, 0, false };
	bool allowed;

	for (int i = 0; i < 2 * ENTRIES; i++) {
		int at = order & 1 ? i % ENTRIES : ENTRIES - 1 - i % ENTRIES;
		bool deny = (i >= ENTRIES) == !(order & 2);

		add(&list, deny ? row->deny[at] : row->allow[at], deny);
	}
	allowed = cidr_allows(&list, peer_of(row->peer));
	cidr_free(&list);
	return allowed;
}

static void
the_truth_table(void **state)
{
	static const struct row rows[] = {
		/* Nothing said: everybody. */
		{ { NULL }, { NULL }, "192.0.2.1", true },
		{ { NULL }, { NULL }, "2001:db8::1", true },
		{ { NULL }, { NULL }, "unix", true },
		{ { NULL }, { NULL }, "::1", true },
		{ { NULL }, { NULL }, "::ffff:192.0.2.1", true },
		{ { NULL }, { NULL }, "0.0.0.0", true },
		{ { NULL }, { NULL }, "255.255.255.255", true },
		/* Who is allowed by name, and nobody else. */
		{ { "192.0.2.0/24" }, { NULL }, "192.0.2.0", true },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.2.255", true },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.1.255", false },
		{ { "192.0.2.0/24" }, { NULL }, "192.0.3.0", false },
		{ { "192.0.2.0/24" }, { NULL }, "::1", false },
		{ { "192.0.2.0/24" }, { NULL }, "unix", false },
		{ { "192.0.2.0/24" }, { NULL }, "::ffff:192.0.2.7", true },
		{ { "192.0.2.0/24" }, { NULL }, "::ffff:192.0.3.7", false },
		{ { "192.0.2.7" }, { NULL }, "192.0.2.7", true },
		{ { "192.0.2.7" }, { NULL }, "192.0.2.6", false },
		{ { "192.0.2.7" }, { NULL }, "192.0.2.8", false },
		{ { "192.0.2.7" }, { NULL }, "::ffff:192.0.2.7", true },
		{ { "2001:db8::/32" }, { NULL }, "2001:db8::", true },
		{ { "2001:db8::/32" }, { NULL }, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true },
		{ { "2001:db8::/32" }, { NULL }, "2001:db7:ffff::", false },
		{ { "2001:db8::/32" }, { NULL }, "2001:db9::", false },
		{ { "2001:db8::/32" }, { NULL }, "192.0.2.1", false },
		{ { "::1" }, { NULL }, "::1", true },
		{ { "::1" }, { NULL }, "::2", false },
		{ { "::1" }, { NULL }, "127.0.0.1", false },
		{ { "10.0.0.0/8", "172.16.0.0/12" }, { NULL }, "10.255.0.1", true },
		{ { "10.0.0.0/8", "172.16.0.0/12" }, { NULL }, "172.31.255.255", true },
		{ { "10.0.0.0/8", "172.16.0.0/12" }, { NULL }, "172.32.0.0", false },
		{ { "10.0.0.0/8", "172.16.0.0/12" }, { NULL }, "11.0.0.0", false },
		/* Who is denied by name, and nobody else. */
		{ { NULL }, { "192.0.2.0/24" }, "192.0.2.1", false },
		{ { NULL }, { "192.0.2.0/24" }, "192.0.3.1", true },
		{ { NULL }, { "192.0.2.0/24" }, "::ffff:192.0.2.1", false },
		{ { NULL }, { "192.0.2.0/24" }, "2001:db8::1", true },
		{ { NULL }, { "192.0.2.0/24" }, "unix", true },
		{ { NULL }, { "2001:db8::/33" }, "2001:db8:7fff::1", false },
		{ { NULL }, { "2001:db8::/33" }, "2001:db8:8000::1", true },
		{ { NULL }, { "2001:db8::/33" }, "192.0.2.1", true },
		/* The longest decides, whichever list has it. */
		{ { "192.0.2.0/24" }, { "192.0.2.13" }, "192.0.2.12", true },
		{ { "192.0.2.0/24" }, { "192.0.2.13" }, "192.0.2.13", false },
		{ { "192.0.2.0/24" }, { "192.0.2.13" }, "192.0.2.14", true },
		{ { "192.0.2.0/24" }, { "192.0.2.13" }, "198.51.100.1", false },
		{ { "192.0.2.13" }, { "192.0.2.0/24" }, "192.0.2.12", false },
		{ { "192.0.2.13" }, { "192.0.2.0/24" }, "192.0.2.13", true },
		{ { "192.0.2.13" }, { "192.0.2.0/24" }, "198.51.100.1", false },
		{ { "10.0.0.0/8", "10.1.2.0/24" },
		  { "10.1.0.0/16", "10.1.2.3" },
		  "10.0.0.1",
		  true },
		{ { "10.0.0.0/8", "10.1.2.0/24" },
		  { "10.1.0.0/16", "10.1.2.3" },
		  "10.1.0.1",
		  false },
		{ { "10.0.0.0/8", "10.1.2.0/24" },
		  { "10.1.0.0/16", "10.1.2.3" },
		  "10.1.2.1",
		  true },
		{ { "10.0.0.0/8", "10.1.2.0/24" },
		  { "10.1.0.0/16", "10.1.2.3" },
		  "10.1.2.3",
		  false },
		{ { "10.0.0.0/8", "10.1.2.0/24" },
		  { "10.1.0.0/16", "10.1.2.3" },
		  "10.1.3.3",
		  false },
		{ { "2001:db8::/32", "2001:db8:1:2::/64" },
		  { "2001:db8:1::/48" },
		  "2001:db8::1",
		  true },
		{ { "2001:db8::/32", "2001:db8:1:2::/64" },
		  { "2001:db8:1::/48" },
		  "2001:db8:1::1",
		  false },
		{ { "2001:db8::/32", "2001:db8:1:2::/64" },
		  { "2001:db8:1::/48" },
		  "2001:db8:1:2::1",
		  true },
		{ { "2001:db8::/32", "2001:db8:1:2::/64" },
		  { "2001:db8:1::/48" },
		  "2001:db8:1:3::1",
		  false },
		/* Of the same prefix in both, that in deny. */
		{ { "192.0.2.0/24" }, { "192.0.2.0/24" }, "192.0.2.1", false },
		{ { "192.0.2.0/24" }, { "192.0.2.0/24" }, "198.51.100.1", false },
		{ { "192.0.2.1" }, { "192.0.2.1" }, "192.0.2.1", false },
		{ { "192.0.2.1" }, { "192.0.2.1" }, "192.0.2.2", false },
		{ { "all" }, { "all" }, "192.0.2.1", false },
		{ { "all" }, { "all" }, "::1", false },
		{ { "all" }, { "all" }, "unix", false },
		{ { "unix" }, { "unix" }, "unix", false },
		{ { "unix" }, { "unix" }, "192.0.2.1", false },
		{ { "::ffff:192.0.2.0/120" }, { "192.0.2.0/24" }, "192.0.2.1", false },
		{ { "::ffff:192.0.2.0/120" }, { "192.0.2.0/24" }, "::ffff:192.0.2.1", false },
		{ { "192.0.2.0/24", "192.0.2.0/24" }, { "192.0.2.0/24" }, "192.0.2.1", false },
		/* All is shorter than anything. */
		{ { "all" }, { "192.0.2.0/24" }, "192.0.2.1", false },
		{ { "all" }, { "192.0.2.0/24" }, "192.0.3.1", true },
		{ { "all" }, { "192.0.2.0/24" }, "::1", true },
		{ { "all" }, { "192.0.2.0/24" }, "unix", true },
		{ { "192.0.2.0/24" }, { "all" }, "192.0.2.1", true },
		{ { "192.0.2.0/24" }, { "all" }, "192.0.3.1", false },
		{ { "192.0.2.0/24" }, { "all" }, "::1", false },
		{ { "192.0.2.0/24" }, { "all" }, "unix", false },
		{ { "all" }, { "0.0.0.0/0" }, "192.0.2.1", false },
		{ { "all" }, { "0.0.0.0/0" }, "::ffff:192.0.2.1", false },
		{ { "all" }, { "0.0.0.0/0" }, "::1", true },
		{ { "all" }, { "0.0.0.0/0" }, "unix", true },
		{ { "0.0.0.0/0" }, { "all" }, "192.0.2.1", true },
		{ { "0.0.0.0/0" }, { "all" }, "::1", false },
		{ { "0.0.0.0/0" }, { "all" }, "unix", false },
		{ { "all" }, { "::/0" }, "192.0.2.1", true },
		{ { "all" }, { "::/0" }, "::ffff:192.0.2.1", true },
		{ { "all" }, { "::/0" }, "2001:db8::1", false },
		/* An IPv4 client is one, however the socket sees it. */
		{ { "::/0" }, { NULL }, "192.0.2.1", false },
		{ { "::/0" }, { NULL }, "::ffff:192.0.2.1", false },
		{ { "::/0" }, { NULL }, "::1", true },
		{ { "0.0.0.0/0" }, { NULL }, "::ffff:192.0.2.1", true },
		{ { "0.0.0.0/0" }, { NULL }, "192.0.2.1", true },
		{ { "0.0.0.0/0" }, { NULL }, "2001:db8::1", false },
		{ { NULL }, { "::ffff:192.0.2.1" }, "192.0.2.1", false },
		{ { NULL }, { "::ffff:192.0.2.1" }, "::ffff:192.0.2.1", false },
		{ { NULL }, { "::ffff:192.0.2.1" }, "192.0.2.2", true },
		{ { NULL }, { "::ffff:0:0/96" }, "192.0.2.1", false },
		{ { NULL }, { "::ffff:0:0/96" }, "::ffff:192.0.2.1", false },
		{ { NULL }, { "::ffff:0:0/96" }, "::1", true },
		{ { "::fffe:0:0/95" }, { NULL }, "192.0.2.1", false },
		{ { "::fffe:0:0/95" }, { NULL }, "::fffe:1.2.3.4", true },
		/* Unix sockets. */
		{ { "unix" }, { NULL }, "unix", true },
		{ { "unix" }, { NULL }, "127.0.0.1", false },
		{ { "unix" }, { NULL }, "::1", false },
		{ { NULL }, { "unix" }, "unix", false },
		{ { NULL }, { "unix" }, "127.0.0.1", true },
		{ { "unix", "127.0.0.0/8" }, { "127.0.0.2" }, "unix", true },
		{ { "unix", "127.0.0.0/8" }, { "127.0.0.2" }, "127.0.0.1", true },
		{ { "unix", "127.0.0.0/8" }, { "127.0.0.2" }, "127.0.0.2", false },
		/* Nothing but a deny in an allow list's place opens nothing. */
		{ { "10.0.0.0/8" }, { "10.0.0.0/7" }, "10.0.0.1", true },
		{ { "10.0.0.0/8" }, { "10.0.0.0/7" }, "11.0.0.1", false },
		{ { "10.0.0.0/8" }, { "10.0.0.0/7" }, "12.0.0.1", false },
		{ { "10.0.0.0/7" }, { "10.0.0.0/8" }, "10.0.0.1", false },
		{ { "10.0.0.0/7" }, { "10.0.0.0/8" }, "11.0.0.1", true },
		{ { "10.0.0.0/7" }, { "10.0.0.0/8" }, "12.0.0.1", false },
		/* The last bit, the first bit, none. */
		{ { "128.0.0.0/1" }, { NULL }, "128.0.0.0", true },
		{ { "128.0.0.0/1" }, { NULL }, "127.255.255.255", false },
		{ { "192.0.2.2/31" }, { NULL }, "192.0.2.2", true },
		{ { "192.0.2.2/31" }, { NULL }, "192.0.2.3", true },
		{ { "192.0.2.2/31" }, { NULL }, "192.0.2.1", false },
		{ { "192.0.2.2/31" }, { NULL }, "192.0.2.4", false },
		{ { "2001:db8::/127" }, { NULL }, "2001:db8::", true },
		{ { "2001:db8::/127" }, { NULL }, "2001:db8::1", true },
		{ { "2001:db8::/127" }, { NULL }, "2001:db8::2", false },
		{ { "8000::/1" }, { NULL }, "ffff::", true },
		{ { "8000::/1" }, { NULL }, "7fff::", false },
	};

	(void)state;
	assert_true(ARRAY_LEN(rows) >= 100);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int order = 0; order < 4; order++)
			if (allows(&rows[i], order) != rows[i].allowed)
				fail_msg("row %zu: allow %s, deny %s: %s", i, rows[i].allow[0],
					 rows[i].deny[0], rows[i].peer);
}

static void
what_is_no_prefix_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"/24",
		"192.0.2",
		"192.0.2.0/",
		"192.0.2.0/33",
		"192.0.2.0/-1",
		"192.0.2.0/+8",
		"192.0.2.0/ 8",
		"192.0.2.0/24x",
		"192.0.2.0/99999999999999999999",
		"192.0.2.0/255.255.255.0",
		"192.0.2.1/24",
		"192.0.02.1",
		"192.0.2.256",
		"2001:db8::/129",
		"2001:db8::1/64",
		"2001:db8:::",
		"::ffff:192.0.2.1/120",
		"fe80::1%lo",
		"[::1]",
		"192.0.2.0/24/24",
		"example.org",
		"*",
		"All",
		"Unix",
		"unix/0",
		"all/0",
		"0",
		" ::1",
		"11111111111111111111111111111111111111111111111111111111111111111111111111",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct cidr_list list = { NULL, 0, false };
		char *err = NULL;

		if (cidr_add(&list, texts[i], false, &err) == 0)
			fail_msg("\"%s\" is accepted", texts[i]);
		assert_non_null(err);
		assert_false(list.has_allow);
		free(err);
	}
}

/* ---- random lists, by a lookup that is slow and cannot be wrong ---- */

struct entry {
	bool v6, deny;
	unsigned char bits[128]; /* one a byte */
	int n;
};

static unsigned
pick(unsigned n)
{
	static uint64_t seed = 42;

	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % n;
}

/* Few different ones, so that they meet: most bits are 0. */
static void
pick_address(bool v6, unsigned char bits[128])
{
	memset(bits, 0, 128);
	for (int i = 0; i < 3; i++)
		bits[pick(v6 ? 128 : 32)] ^= 1;
	bits[v6 ? 127 - pick(3) : 31 - pick(3)] ^= 1;
}

static void
write_address(char *text, bool v6, const unsigned char bits[128])
{
	unsigned char bytes[16] = { 0 };

	for (int i = 0; i < 128; i++)
		bytes[i / 8] |= (unsigned char)(bits[i] << (7 - i % 8));
	assert_non_null(inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text, INET6_ADDRSTRLEN));
}

static bool
naive(const struct entry *entries, size_t n, bool v6, const unsigned char peer[128])
{
	bool some_allow = false;

	for (size_t i = 0; i < n; i++)
		some_allow |= !entries[i].deny;
	for (int length = 128; length >= 0; length--) {
		bool hit = false, denied = false;

		for (size_t i = 0; i < n; i++) {
			const struct entry *e = &entries[i];

			if (e->n != length || e->v6 != v6 ||
			    memcmp(e->bits, peer, (size_t)length) != 0)
				continue;
			hit = true;
			denied |= e->deny;
		}
		if (hit)
			return !denied;
	}
	return !some_allow;
}

static void
random_lists_are_as_a_naive_lookup_has_it(void **state)
{
	int yes = 0, no = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct cidr_list list = { NULL, 0, false };
		struct entry entries[8];
		size_t n = pick(8);

		for (size_t i = 0; i < n; i++) {
			struct entry *e = &entries[i];
			char text[INET6_ADDRSTRLEN + 8];

			e->v6 = pick(2);
			e->deny = pick(2);
			e->n = (int)pick(e->v6 ? 129 : 33);
			pick_address(e->v6, e->bits);
			memset(e->bits + e->n, 0, (size_t)(128 - e->n));
			write_address(text, e->v6, e->bits);
			snprintf(text + strlen(text), 8, "/%d", e->n);
			add(&list, text, e->deny);
		}
		for (int i = 0; i < 50; i++) {
			bool v6 = pick(2), allowed;
			unsigned char peer[128];
			char text[INET6_ADDRSTRLEN];

			pick_address(v6, peer);
			write_address(text, v6, peer);
			allowed = cidr_allows(&list, peer_of(text));
			yes += allowed;
			no += !allowed;
			assert_int_equal(allowed, naive(entries, n, v6, peer));
		}
		cidr_free(&list);
	}
	assert_true(yes > 10000 && no > 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_truth_table),
		cmocka_unit_test(what_is_no_prefix_is_refused),
		cmocka_unit_test(random_lists_are_as_a_naive_lookup_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
