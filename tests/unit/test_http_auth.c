/*
 * Who gets in by a file of users and hashes, and what it costs.
 */
#include "unit.h"

#include "http_auth.h"
#include "http_auth_file.h"
#include "http_siphash.h"
#include "util.h"

#include <crypt.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BCRYPT "$2b$05$abcdefghijklmnopqrstuu"
#define SLOW   "$2b$10$abcdefghijklmnopqrstuu"
#define YES    "$y$j75$abcdefgh$"
#define SHA512 "$6$rounds=1000$abcdefgh$"

static char *path;
static struct http_auth *auth;

static char *
hash_of(const char *password, const char *setting)
{
	static struct crypt_data data;
	const char *made = crypt_rn(password, setting, &data, sizeof(data));

	assert_non_null(made);
	return util_strdup(made);
}

static void
write_file(const char *text)
{
	char *fresh = util_format("%s.new", path);
	FILE *out = fopen(fresh, "w");

	assert_non_null(out);
	assert_true(fputs(text, out) >= 0);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(rename(fresh, path), 0);
	free(fresh);
}

/* "user:hash" lines from pairs of user, password, setting. */
static void
write_users(const char *const rows[][3], size_t n)
{
	char *text = util_strdup("# users\n\n");

	for (size_t i = 0; i < n; i++) {
		char *hash = hash_of(rows[i][1], rows[i][2]);
		char *longer = util_format("%s%s:%s\n", text, rows[i][0], hash);

		free(text);
		free(hash);
		text = longer;
	}
	write_file(text);
	free(text);
}

static int
make(void **state)
{
	(void)state;
	path = util_format("%s/http_auth.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	close(mkstemp(path));
	auth = http_auth_new(path);
	return 0;
}

static int
drop(void **state)
{
	(void)state;
	unlink(path);
	http_auth_free(auth);
	free(path);
	return 0;
}

/* ---- asking ------------------------------------------------------------------------------- */

static int
ask_raw(const char *value, const char **why)
{
	size_t len = value ? strlen(value) : 0;
	char *copy =
	    value ? memcpy(util_calloc(1, len + !len), value, len) : NULL; /* not a byte more */
	struct http_text user;
	int result = http_auth_check(auth, (struct http_text){ copy, len }, &user, why);

	free(copy);
	assert_int_equal(user.at != NULL, result == 0);
	return result;
}

static char *
basic(const char *text, size_t len)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *value = util_calloc(1, len * 2 + 16);
	size_t n = (size_t)sprintf(value, "Basic ");

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			value[n++] = k > len - i ? '=' : letters[bits >> (18 - 6 * k) & 63];
	}
	return value;
}

static int
ask(const char *credentials, const char **why)
{
	char *value = basic(credentials, strlen(credentials));
	int result = ask_raw(value, why);

	free(value);
	return result;
}

static void
expect(const char *credentials, int want)
{
	const char *why = "";
	int result = ask(credentials, &why);

	if (result != want)
		fail_msg("%.60s: %d instead of %d %s", credentials, result, want, why);
}

static void
expect_refused(const char *credentials, const char *reason)
{
	const char *why = "";

	assert_int_equal(ask(credentials, &why), 500);
	if (!strstr(why, reason))
		fail_msg("%s: %s", credentials, why);
}

static int64_t
cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* What a check costs. */
static int64_t
cost(const char *credentials, int want)
{
	int64_t began = cpu_us();

	expect(credentials, want);
	return cpu_us() - began;
}

static void
wait_for_a_look(void)
{
	usleep(1100000);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void
each_good_kind_of_hash_lets_its_user_in(void **state)
{
	static const char *const users[][3] = {
		{ "bcrypt", "b:pass", BCRYPT },
		{ "yescrypt", "y pass", YES },
		{ "sha512", "", SHA512 },
		{ "bcrypt", "second", BCRYPT }, /* the first one counts */
	};
	char value[] = "bASIC   c2hhNTEyOg=="; /* sha512: */
	const char *why = "";

	(void)state;
	write_users(users, ARRAY_LEN(users));
	for (int twice = 0; twice < 2; twice++) {
		expect("bcrypt:b:pass", 0);
		expect("yescrypt:y pass", 0);
		expect("sha512:", 0);
		assert_int_equal(ask_raw(value, &why), 0);
		expect("bcrypt:b:pas", 401);
		expect("bcrypt:second", 401);
		expect("bcrypt:", 401);
		expect("BCRYPT:b:pass", 401);
		expect("yescrypt:b:pass", 401);
		expect("nobody:b:pass", 401);
		expect("bcryp:b:pass", 401);
		expect("# users:", 401);
	}
}

static void
the_user_is_told(void **state)
{
	static const char *const users[][3] = { { "alice", "secret", BCRYPT } };
	char *value = basic("alice:secret", 12);
	struct http_text user;
	const char *why = "";

	(void)state;
	write_users(users, 1);
	assert_int_equal(
	    http_auth_check(auth, (struct http_text){ value, strlen(value) }, &user, &why), 0);
	assert_true(http_text_is(user, "alice"));
	free(value);
}

static void
what_is_not_basic_to_the_letter_is_401(void **state)
{
	static const char *const users[][3] = { { "ab", "c", BCRYPT }, { "a", "b", BCRYPT } };
	static const char *const good[] = { "Basic YWI6Yw==", "basic YWI6Yw==", "Basic YTpi" };
	static const char *const bad[] = {
		"",
		"Basic",
		"Basic ",
		"BasicYWI6Yw==",
		"Basic\tYWI6Yw==",
		"Basi YWI6Yw==",
		"Bearer YWI6Yw==",
		"Basic YWI6Yw",     /* no padding */
		"Basic YWI6Yw=",    /* half of it */
		"Basic YWI6Yw===",  /* more of it */
		"Basic YWI6Yw====", /* a group of it */
		"Basic YWI6Yx==",   /* bits that are dropped */
		"Basic YWI6Yw== ",  /* something behind it */
		"Basic YWI6Yw==,",
		"Basic YW I6Yw==",
		"Basic YW=6Yw==",
		"Basic YWI6Y_==",
		"Basic YWI6YwA=", /* ab:c and a NUL */
		"Basic YWI6YwAx", /* and more behind it */
		"Basic YWIA",     /* no colon */
		"Basic YWJj",
		"Basic OmM=", /* no user */
		"Basic ====",
		"Basic Y===",
		"Basic =",
		"Digest username=\"ab\"",
	};
	const char *why = "";

	(void)state;
	write_users(users, ARRAY_LEN(users));
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(ask_raw(good[i], &why), 0);
	assert_int_equal(ask_raw(NULL, &why), 401);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ask_raw(bad[i], &why) != 401)
			fail_msg("\"%s\" is not 401", bad[i]);
}

static void
a_password_may_be_long_but_not_longer_than_crypt_takes(void **state)
{
	char text[8192], *value;
	const char *users[][3] = { { "a", text + 2, SHA512 } }, *why = "";

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "a:", 2);
	text[2 + 500] = '\0';
	write_users(users, 1);
	expect(text, 0);
	text[2 + 500] = 'x';
	for (size_t len = 500; len < sizeof(text) - 3; len += 97) {
		value = basic(text, 2 + len + 1);
		assert_int_equal(ask_raw(value, &why), 401);
		free(value);
	}
}

static void
a_hash_that_cannot_be_checked_is_refused_clearly(void **state)
{
	char *verified = NULL;

	(void)state;
	write_file("sha:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\r\n"
		   "apr:$apr1$lZL6V/ci$eIMz/iKDkbtys/uU7LEK00\n"
		   "md5:$1$abcdefgh$IQtUouv7y7Q9dRWkQEPCc.\n"
		   "sha256:$5$abcdefgh$ijtOJ//yvc/9bq1g0llFn9dB688BwBDRD90DlKKSKE1\n"
		   "des:abzlUXK5ed5rs\n"
		   "plain:password\n"
		   "future:$argon2id$v=19$m=65536\n"
		   "short:$2y$05$short\n"
		   "empty:\n"
		   "none\n");
	expect_refused("sha:password", "\"sha\" is {SHA}");
	expect_refused("apr:password", "$apr1$");
	expect_refused("md5:pw", "too weak");
	expect_refused("sha256:pw", "too weak");
	expect_refused("des:pw", "DES");
	expect_refused("plain:password", "no hash");
	expect_refused("future:password", "of a kind that crypt(3) cannot check");
	expect_refused("short:password", "cannot be checked: Invalid argument");
	expect_refused("empty:", "no hash");
	expect_refused("none:", "no hash");
	expect("nobody:password", 401);
	assert_int_equal(http_auth_verify(path, &verified), -1);
	assert_string_equal(strrchr(verified, '/') + 1 + strlen("http_auth.XXXXXX"),
			    ":1: {SHA}, which crypt(3) cannot check; use htpasswd -B");
	free(verified);
}

static void
a_file_is_verified_line_by_line(void **state)
{
	static const struct {
		const char *text, *why; /* NULL: it is good */
	} rows[] = {
		{ "", NULL },
		{ "# none yet\n\n", NULL },
		{ "a:" BCRYPT "HIrMEWpUCQe2YqFR3sXwQ75u4od..9q\r\n#b:x\n", NULL },
		{ "a:$6$x$y:the name\nb:$y$j75$x$y", NULL },
		{ "a:$6$x$y\n\nb\n", ":3: it is not USER:HASH" },
		{ "a:\n", ":1: it is not USER:HASH" },
		{ ":$6$x$y\n", ":1: it is not USER:HASH" },
		{ "#\na:plain", ":2: no hash" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *err = NULL;

		write_file(rows[i].text);
		assert_int_equal(http_auth_verify(path, &err), rows[i].why ? -1 : 0);
		assert_true(rows[i].why ? !!strstr(err, rows[i].why) : !err);
		free(err);
	}
}

static void
a_file_that_changes_is_read_again_within_a_second(void **state)
{
	static const char *const before[][3] = { { "a", "one", BCRYPT }, { "b", "two", BCRYPT } };
	static const char *const after[][3] = { { "a", "new", BCRYPT } };
	static const struct timespec old[2] = { { .tv_sec = 1000000000 },
						{ .tv_sec = 1000000000 } };

	(void)state;
	write_users(before, ARRAY_LEN(before));
	utimensat(AT_FDCWD, path, old, 0);
	expect("a:one", 0);
	expect("b:two", 0);
	write_users(after, ARRAY_LEN(after));
	expect("a:new", 401); /* not looked at yet */
	wait_for_a_look();
	expect("a:one", 401); /* also not what was right once */
	expect("b:two", 401);
	expect("a:new", 0);
}

static void
a_file_that_changes_in_place_and_in_the_same_moment_is_read_again(void **state)
{
	static const char *const one[][3] = { { "a", "one", BCRYPT } };
	static const char *const two[][3] = { { "a", "two", BCRYPT } };
	struct http_auth_file file = { .path = path };
	char *first;

	(void)state;
	write_users(one, 1);
	assert_int_equal(http_auth_file_refresh(&file, 1), 0);
	assert_false(file.settled);
	first = util_strdup(file.text);
	write_users(two, 1);
	/* As if nothing could be seen of it. */
	assert_int_equal(stat(path, &file.st), 0);
	assert_int_equal(http_auth_file_refresh(&file, 1000), 0);
	assert_string_equal(file.text, first);
	assert_int_equal(http_auth_file_refresh(&file, 1001), 0);
	assert_string_not_equal(file.text, first);
	free(first);
	http_auth_file_forget(&file);
}

static void
a_file_that_cannot_be_used_lets_nobody_in(void **state)
{
	static const char *const users[][3] = { { "a", "one", BCRYPT } };
	const char *why = "";
	int fd;

	(void)state;
	write_users(users, 1);
	expect("a:one", 0);
	unlink(path);
	wait_for_a_look();
	expect_refused("a:one", "No such file");
	expect_refused("a:one", "No such file"); /* also until it is looked at again */
	assert_int_equal(ask_raw(NULL, &why), 401);
	assert_int_equal(mkfifo(path, 0600), 0);
	wait_for_a_look();
	expect_refused("a:one", "not a regular file");
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, HTTP_AUTH_FILE_BYTES + 1), 0);
	close(fd);
	wait_for_a_look();
	expect_refused("a:one", "larger than 1 MiB");
	write_users(users, 1);
	wait_for_a_look();
	expect("a:one", 0);
}

static void
a_good_password_is_hashed_once_and_a_wrong_one_each_time(void **state)
{
	static const char *const users[][3] = { { "a", "one", SLOW } };
	int64_t first;

	(void)state;
	write_users(users, 1);
	first = cost("a:one", 0);
	for (int i = 0; i < 5; i++) {
		assert_true(cost("a:one", 0) < first / 10);
		assert_true(cost("a:two", 401) > first / 2);
	}
}

static void
an_unknown_user_costs_as_much_as_a_wrong_password(void **state)
{
	static const char *const users[][3] = { { "a", "one", SLOW } };
	int64_t known = 0, unknown = 0;

	(void)state;
	write_users(users, 1);
	for (int i = 0; i < 3; i++) {
		known += cost("a:two", 401);
		unknown += cost("b:two", 401);
	}
	assert_true(unknown > known / 2 && unknown < known * 2);
}

/* Of 16 bytes 0 to 15 as key, and 15 bytes 0 to 14: from the paper. */
static void
siphash_is_what_its_authors_say(void **state)
{
	static const uint64_t key[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	unsigned char text[15];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)i;
	assert_true(http_siphash(key, text, sizeof(text)) == 0xa129ca6149be45e5);
	assert_true(http_siphash(key, text, 0) == 0x726fdb47dd0e0e31);
	assert_true(http_siphash(key, text, 8) == 0x93f5f5799a932462);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_good_kind_of_hash_lets_its_user_in),
		TEST(the_user_is_told),
		TEST(what_is_not_basic_to_the_letter_is_401),
		TEST(a_password_may_be_long_but_not_longer_than_crypt_takes),
		TEST(a_hash_that_cannot_be_checked_is_refused_clearly),
		TEST(a_file_is_verified_line_by_line),
		TEST(a_file_that_changes_is_read_again_within_a_second),
		TEST(a_file_that_changes_in_place_and_in_the_same_moment_is_read_again),
		TEST(a_file_that_cannot_be_used_lets_nobody_in),
		TEST(a_good_password_is_hashed_once_and_a_wrong_one_each_time),
		TEST(an_unknown_user_costs_as_much_as_a_wrong_password),
		cmocka_unit_test(siphash_is_what_its_authors_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
