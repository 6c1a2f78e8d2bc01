/*
 * What a master finds in its environment when another one hands over, and says to it.
 */
#include "unit.h"

#include "handover.h"
#include "notify.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
a_good_value_is_read(void **state)
{
	static const struct {
		const char *text;
		int fd;
		const char *kinds;
	} rows[] = {
		{ "1:3:", 3, "" },
		{ "1:4:o", 4, "o" },
		{ "1:5:oic", 5, "oic" },
		{ "1:1027:ooooiic", 1027, "ooooiic" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char kinds[HANDOVER_SOCKETS_MAX + 1] = "?";
		int fd = -1;

		if (handover_parse(rows[i].text, &fd, kinds) < 0)
			fail_msg("%s was refused", rows[i].text);
		assert_int_equal(fd, rows[i].fd);
		assert_string_equal(kinds, rows[i].kinds);
	}
}

static void
refuse(const char *const *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char kinds[HANDOVER_SOCKETS_MAX + 1] = "?";
		int fd = -2;

		if (handover_parse(rows[i], &fd, kinds) == 0)
			fail_msg("\"%s\" was accepted", rows[i]);
		assert_int_equal(fd, -2);
		assert_string_equal(kinds, "?");
	}
}

static void
a_bad_value_is_refused_and_changes_nothing(void **state)
{
	static const char *const rows[] = {
		"",      "1",      "1:",     "1:5",      ":5:o",   "1::o",   "0:5:o",
		"2:5:o", "11:5:o", "x:5:o",  "1:x:o",    "1:-1:o", "1:0:o",  "1:1:o",
		"1:2:o", "1:5:x",  "1:5:ox", "1:5:oic ", "1:5:O",  "1:5:o:", "1:5 :o",
		"1:5o",  "1;5;o",  "1:5:o1", "1:5:\n",
	};

	(void)state;
	refuse(rows, ARRAY_LEN(rows));
}

static void
a_number_that_does_not_fit_is_not_taken_for_another_one(void **state)
{
	static const char *const rows[] = { "4294967297:5:o", "-4294967295:5:o", "1:4294967301:o",
					    "1:99999999999999999999:o" };

	(void)state;
	refuse(rows, ARRAY_LEN(rows));
}

static void
there_is_a_limit_to_the_sockets(void **state)
{
	char text[16 + HANDOVER_SOCKETS_MAX + 2] = "1:5:", kinds[HANDOVER_SOCKETS_MAX + 1];
	int fd;

	(void)state;
	memset(text + 4, 'o', HANDOVER_SOCKETS_MAX);
	assert_int_equal(handover_parse(text, &fd, kinds), 0);
	assert_int_equal(strlen(kinds), HANDOVER_SOCKETS_MAX);
	text[4 + HANDOVER_SOCKETS_MAX] = 'o';
	assert_int_equal(handover_parse(text, &fd, kinds), -1);
}

static void
the_file_of_figures_has_a_format(void **state)
{
	static const char *const rows[] = {
		"",    "1",   "1:7",  "1:7:x", "2:7:",  "0:7:", "1:2:",   "1:-7:",
		"1::", ":7:", "x:7:", "1:7 :", "1:7::", "17:",  "11:70:", "1:4294967303:"
	};

	(void)state;
	assert_int_equal(handover_parse_file("1:7:", 1), 7);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (handover_parse_file(rows[i], 1) != -1)
			fail_msg("\"%s\" was accepted", rows[i]);
}

static void
without_another_master_nothing_is_said(void **state)
{
	(void)state;
	unsetenv("PREFORKD_HANDOVER");
	setenv("PREFORKD_FIGURES", "1:2000000000:", 1);
	handover_init();
	assert_int_equal(handover_fd(), -1);
	assert_int_equal(handover_figures_fd(), -1);
	assert_null(getenv("PREFORKD_FIGURES"));
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START), HANDOVER_NONE);
	assert_false(handover_is_drained("a"));
	handover_tell("ready %s", "1");
	handover_end();
	setenv("PREFORKD_HANDOVER", "1:1000000:o", 1); /* no such descriptor */
	handover_init();
	assert_int_equal(handover_fd(), -1);
	assert_null(getenv("PREFORKD_HANDOVER"));
}

#define PLACES 500 /* where nothing else is */

static void
each_socket_has_its_kind_and_each_word_is_a_line(void **state)
{
	char text[64], line[2 * HANDOVER_LINE_BYTES], big[2 * HANDOVER_LINE_BYTES];
	int pair[2];
	ssize_t n;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	snprintf(text, sizeof(text), "1:%d:oic", pair[1]);
	setenv("PREFORKD_HANDOVER", text, 1);
	setenv("PREFORKD_DRAINED", "a:web:mail", 1);
	snprintf(text, sizeof(text), "1:%d:", pair[0]);
	setenv("PREFORKD_FIGURES", text, 1);
	setenv("PREFORKD_PAST", text, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fcntl(pair[0], F_DUPFD, PLACES + i), PLACES + i);
	snprintf(text, sizeof(text), "1:%d:a:b\nc:web:none", PLACES);
	setenv("PREFORKD_PLACES", text, 1);
	handover_init();
	assert_null(getenv("PREFORKD_PLACES"));
	assert_int_equal(handover_last_fd(), PLACES + 2);
	assert_int_equal(fcntl(PLACES + 1, F_GETFD), FD_CLOEXEC);
	assert_int_equal(handover_take_places("c"), -1);
	assert_int_equal(handover_take_places("none"), -1); /* there is no such descriptor */
	assert_int_equal(handover_take_places("b:c"), PLACES + 1);
	assert_int_equal(handover_take_places("b:c"), -1);
	assert_int_equal(handover_take_places("web"), PLACES + 2);
	assert_null(getenv("PREFORKD_FIGURES"));
	assert_null(getenv("PREFORKD_PAST"));
	assert_int_equal(handover_past_fd(), pair[0]);
	assert_int_equal(handover_figures_fd(), pair[0]);
	assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	assert_null(getenv("PREFORKD_HANDOVER"));
	assert_int_equal(handover_fd(), pair[1]);
	assert_int_equal(fcntl(pair[1], F_GETFD), FD_CLOEXEC);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START), HANDOVER_OWN);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START + 1), HANDOVER_INHERITED);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START + 2), HANDOVER_CONTROL);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START + 3), HANDOVER_NONE);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START - 1), HANDOVER_NONE);
	assert_int_equal(handover_kind(NOTIFY_SOCKETS_START + 100000000), HANDOVER_NONE);
	assert_null(getenv("PREFORKD_DRAINED"));
	assert_true(handover_is_drained("web"));
	assert_true(handover_is_drained("a"));
	assert_true(handover_is_drained("mail"));
	assert_false(handover_is_drained("we"));
	assert_false(handover_is_drained("webb"));
	assert_false(handover_is_drained("eb"));

	handover_tell("failed %s", "a\nb");
	n = read(pair[0], line, sizeof(line));
	assert_int_equal(n, 11);
	assert_memory_equal(line, "failed a b\n", 11);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	handover_tell("failed %s", big);
	n = read(pair[0], line, sizeof(line));
	assert_in_range(n, 1, HANDOVER_LINE_BYTES);
	assert_int_equal(line[n - 1], '\n');

	handover_end();
	assert_int_equal(handover_fd(), -1);
	assert_int_equal(read(pair[0], line, 1), 0);
	assert_int_equal(handover_take_places("a"), -1);
	assert_int_equal(fcntl(PLACES, F_GETFD), -1);
	assert_int_equal(close(PLACES + 1), 0); /* those belong to who has taken them */
	assert_int_equal(close(PLACES + 2), 0);
	close(pair[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_value_is_read),
		cmocka_unit_test(a_bad_value_is_refused_and_changes_nothing),
		cmocka_unit_test(a_number_that_does_not_fit_is_not_taken_for_another_one),
		cmocka_unit_test(there_is_a_limit_to_the_sockets),
		cmocka_unit_test(the_file_of_figures_has_a_format),
		cmocka_unit_test(without_another_master_nothing_is_said),
		cmocka_unit_test(each_socket_has_its_kind_and_each_word_is_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
