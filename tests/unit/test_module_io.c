/*
 * What a module reads and writes, over a socket pair whose other end is the client.
 */
#include "unit.h"

#include "module_api.h"
#include "module_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SHORT_MS 20

static struct service_setup setup;
static volatile sig_atomic_t leaving;
static unsigned requests;
static struct conn conn;
static struct figures_slot figures;
static struct preforkd_pool served = { .api = &module_api, .name = "test" };
static struct preforkd_conn *c;
static int client;

static void
count_request(void)
{
	requests++;
}

static void
count_end(void)
{
}

static int
begin(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	client = pair[0];
	leaving = 0;
	requests = 0;
	setup = (struct service_setup){
		.pool = "test",
		.scoreboard = scoreboard_new(1),
		.give_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE),
		.leaving = &leaving,
		.next_request = count_request,
		.request_done = count_end,
	};
	setup.slot = &setup.scoreboard->slots[0];
	conn = (struct conn){ .fd = pair[1],
			      .peer = &(struct sockaddr){ .sa_family = AF_UNIX },
			      .peer_len = sizeof(sa_family_t),
			      .figures = &figures };
	module_api_start(&setup);
	c = module_api_begin(&conn, &served, &setup);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	module_api_end();
	close(conn.fd);
	close(client);
	close(setup.give_fd);
	scoreboard_free(setup.scoreboard, 1);
	return 0;
}

static void
client_says(const char *text)
{
	assert_int_equal(write(client, text, strlen(text)), strlen(text));
}

static void
client_ends(void)
{
	shutdown(client, SHUT_WR);
}

/* What the client has got so far. */
static const char *
client_got(void)
{
	static char text[200000];
	ssize_t n = 0, len = 0;

	while ((n = recv(client, text + len, sizeof(text) - 1 - (size_t)len, MSG_DONTWAIT)) > 0)
		len += n;
	text[len] = '\0';
	return text;
}

static void
expect_line(const char *wanted)
{
	char line[100] = "?";

	assert_int_equal(preforkd_read_line(c, line, sizeof(line)), strlen(wanted));
	assert_string_equal(line, wanted);
}

static void
expect_no_line(size_t size, int error)
{
	char line[100];

	errno = -1;
	assert_int_equal(preforkd_read_line(c, line, size), -1);
	assert_int_equal(errno, error);
}

/* ---- reading ------------------------------------------------------------------------- */

static void
lines_lose_their_end(void **state)
{
	(void)state;
	client_says("one\ntwo\r\n\n\r\n\rthree\r\r\nfour five\n");
	client_ends();
	expect_line("one");
	expect_line("two");
	expect_line("");
	expect_line("");
	expect_line("\rthree\r");
	expect_line("four five");
	expect_no_line(100, 0);
	expect_no_line(100, 0);
}

static void
a_line_without_an_end_is_none(void **state)
{
	(void)state;
	client_says("delete all\ndelete");
	client_ends();
	expect_line("delete all");
	expect_no_line(100, 0);
}

static void
a_line_has_a_limit(void **state)
{
	(void)state;
	client_says("12345\n1234\n123456789\n");
	expect_no_line(5, EMSGSIZE);
	expect_line("12345");
	expect_no_line(0, EMSGSIZE);
	expect_line("1234");
	expect_no_line(9, EMSGSIZE);
}

static void
a_line_may_be_longer_than_the_buffer(void **state)
{
	enum { LEN = 50000 };
	char *sent = malloc(LEN + 2), *got = malloc(LEN + 1);

	(void)state;
	memset(sent, 'x', LEN);
	strcpy(sent + LEN, "\n");
	client_says(sent);
	client_says("next\n");
	assert_int_equal(preforkd_read_line(c, got, LEN + 1), LEN);
	assert_memory_equal(sent, got, LEN);
	assert_int_equal(got[LEN], '\0');
	expect_line("next");
	free(sent);
	free(got);
}

static void
lines_and_bytes_may_be_mixed(void **state)
{
	char data[20] = "";

	(void)state;
	client_says("put 5\nab\ncdget\n");
	expect_line("put 5");
	assert_int_equal(preforkd_read_all(c, data, 5), 1);
	assert_memory_equal(data, "ab\ncd", 5);
	expect_line("get");
	client_says("xyz");
	assert_int_equal(preforkd_read(c, data, sizeof(data)), 3);
	client_says("xyz");
	client_ends();
	assert_int_equal(preforkd_read_all(c, data, 4), 0);
	assert_int_equal(preforkd_read(c, data, sizeof(data)), 0);
}

static void
large_reads_do_not_go_through_the_buffer_out_of_order(void **state)
{
	static char data[65536];

	(void)state;
	client_says("line\nrest");
	expect_line("line");
	client_says("more");
	assert_int_equal(preforkd_read(c, data, sizeof(data)), 4);
	assert_memory_equal(data, "rest", 4);
	assert_int_equal(preforkd_read(c, data, sizeof(data)), 4);
	assert_memory_equal(data, "more", 4);
}

/* ---- writing ------------------------------------------------------------------------- */

static void
what_is_written_waits_until_it_must_go(void **state)
{
	(void)state;
	assert_int_equal(preforkd_write(c, "a", 1), 0);
	assert_int_equal(preforkd_print(c, "%d%s", 12, "b"), 0);
	assert_string_equal(client_got(), "");
	assert_int_equal(preforkd_flush(c), 0);
	assert_string_equal(client_got(), "a12b");
	assert_int_equal(preforkd_flush(c), 0);

	client_says("one\ntwo\n");
	expect_line("one");
	preforkd_print(c, "1");
	expect_line("two"); /* it was there already */
	preforkd_print(c, "2");
	assert_string_equal(client_got(), "");
	client_ends();
	expect_no_line(100, 0);
	assert_string_equal(client_got(), "12");
}

static void
pieces_of_any_size_come_in_order(void **state)
{
	static const size_t sizes[] = { 1, 8191, 8192, 8193, 3, 20000, 1, 8190, 2, 1 };
	static char data[20000], wanted[100000];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		memset(data, 'a' + (int)i, sizes[i]);
		memcpy(wanted + len, data, sizes[i]);
		len += sizes[i];
		if (i % 2)
			assert_int_equal(preforkd_write(c, data, sizes[i]), 0);
		else
			assert_int_equal(preforkd_print(c, "%.*s", (int)sizes[i], data), 0);
	}
	preforkd_flush(c);
	assert_string_equal(client_got(), wanted);
}

static void
after_a_failure_all_writes_fail(void **state)
{
	static char data[20000];

	(void)state;
	close(client);
	client = -1;
	assert_int_equal(preforkd_write(c, data, sizeof(data)), -1);
	assert_int_equal(errno, EPIPE);
	errno = 0;
	assert_int_equal(preforkd_write(c, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(preforkd_print(c, "x"), -1);
	assert_int_equal(preforkd_flush(c), -1);
}

/* ---- time ---------------------------------------------------------------------------- */

static void
an_idle_timeout_limits_each_wait(void **state)
{
	static char data[4000000];

	(void)state;
	preforkd_idle_timeout(c, SHORT_MS);
	client_says("one\nt");
	expect_line("one");
	expect_no_line(100, ETIMEDOUT);
	assert_int_equal(preforkd_write(c, data, sizeof(data)), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

static void
a_deadline_limits_all_waits_together(void **state)
{
	struct pollfd none = { .fd = -1 };
	char byte;
	int n = 0;

	(void)state;
	preforkd_idle_timeout(c, 60000);
	preforkd_deadline(c, 300);
	do {
		client_says("x");
		poll(&none, 1, 10);
	} while (preforkd_read(c, &byte, 1) == 1 && ++n < 100);
	assert_int_equal(errno, ETIMEDOUT);
	assert_in_range(n, 1, 31);
	preforkd_deadline(c, 60000);
	assert_int_equal(preforkd_read(c, &byte, 1), 1);
	preforkd_deadline(c, SHORT_MS);
	assert_int_equal(preforkd_read(c, &byte, 1), -1);
	preforkd_deadline(c, 0);
	client_says("y");
	assert_int_equal(preforkd_read(c, &byte, 1), 1);
}

static void
more_time_than_any_clock_counts_is_for_ever(void **state)
{
	(void)state;
	preforkd_idle_timeout(c, INT64_MAX);
	preforkd_deadline(c, INT64_MAX);
	client_says("1\n");
	assert_true(preforkd_next_request(c));
	expect_line("1");
	client_says("2\n");
	assert_true(preforkd_next_request(c));
	expect_line("2");
	preforkd_deadline(c, INT64_MIN);
	preforkd_idle_timeout(c, INT64_MIN);
	client_says("3\n");
	expect_line("3");
}

/* ---- one request after the other -------------------------------------------------------- */

static void
each_request_but_the_first_is_counted(void **state)
{
	(void)state;
	client_says("1\n2\n");
	assert_true(preforkd_next_request(c));
	assert_int_equal(requests, 0); /* that one was, when it was accepted */
	expect_line("1");
	assert_true(preforkd_next_request(c));
	expect_line("2");
	client_says("3\n");
	assert_true(preforkd_next_request(c));
	expect_line("3");
	assert_int_equal(requests, 2);
	client_ends();
	assert_false(preforkd_next_request(c));
	assert_int_equal(requests, 2);
}

static void
answers_go_before_the_wait(void **state)
{
	(void)state;
	client_says("1\n");
	assert_true(preforkd_next_request(c));
	expect_line("1");
	preforkd_print(c, "one");
	preforkd_idle_timeout(c, SHORT_MS);
	assert_false(preforkd_next_request(c));
	assert_string_equal(client_got(), "one");
}

static void
between_requests_it_is_kept_and_afterwards_busy(void **state)
{
	(void)state;
	client_says("1\n");
	assert_true(preforkd_next_request(c));
	expect_line("1");
	preforkd_deadline(c, SHORT_MS);
	assert_false(preforkd_next_request(c));
	assert_int_equal(setup.slot->activity, ACTIVITY_CLOSING);
	preforkd_deadline(c, 0);
	client_says("2\n");
	assert_true(preforkd_next_request(c));
	assert_int_equal(setup.slot->activity, ACTIVITY_BUSY);
}

static void
a_worker_that_leaves_takes_no_further_request_but_what_has_come(void **state)
{
	(void)state;
	client_says("1\n");
	leaving = 1;
	assert_true(preforkd_next_request(c));
	expect_line("1");
	client_says("2\n");
	assert_true(preforkd_next_request(c));
	expect_line("2");
	client_says("3\n");
	assert_false(preforkd_next_request(c));
}

static void
an_idle_connection_gives_way_once(void **state)
{
	uint64_t one = 1;

	(void)state;
	client_says("1\n");
	assert_true(preforkd_next_request(c));
	expect_line("1");
	assert_int_equal(write(setup.give_fd, &one, sizeof(one)), sizeof(one));
	assert_false(preforkd_next_request(c));
	client_says("2\n");
	assert_true(preforkd_next_request(c));
	expect_line("2");
	setup.scoreboard->crowded = 1;
	assert_false(preforkd_next_request(c));
}

/* The daemon's buffer ends in the middle of each line. */
static void
who_always_sends_gets_no_more_than_has_come(void **state)
{
	enum { LINE = 8, LINES = 10000 };
	static char text[LINE * LINES + 1];
	int most = 2 * MODULE_BUFFER_BYTES / LINE, n = 0;

	(void)state;
	for (size_t i = 0; i < LINES; i++)
		memcpy(text + i * LINE, "1234567\n", LINE + 1);
	client_says("1\n");
	client_says(text);
	assert_true(preforkd_next_request(c));
	expect_line("1");
	setup.scoreboard->crowded = 1;
	for (; preforkd_next_request(c) && n <= most; n++)
		expect_line("1234567");
	assert_in_range(n, MODULE_BUFFER_BYTES / LINE + 100, most);

	client_says("1234567\n");
	setup.scoreboard->crowded = 0;
	assert_true(preforkd_next_request(c));
	expect_line("1234567");
	setup.scoreboard->crowded = 1;
	assert_true(preforkd_next_request(c)); /* another crowd, and more has come by then */
}

static void
behind_its_end_a_connection_is_none(void **state)
{
	char byte;

	(void)state;
	client_says("1\n");
	module_api_end();
	conn.io_limit_ms = -1;
	preforkd_idle_timeout(c, SHORT_MS);
	assert_int_equal(preforkd_write(c, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(preforkd_read(c, &byte, 1), 0);
	assert_false(preforkd_next_request(c));
	assert_string_equal(preforkd_peer(c), preforkd_peer(c));
	assert_int_equal(conn.io_limit_ms, -1); /* it may not be there any more */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lines_lose_their_end),
		TEST(a_line_without_an_end_is_none),
		TEST(a_line_has_a_limit),
		TEST(a_line_may_be_longer_than_the_buffer),
		TEST(lines_and_bytes_may_be_mixed),
		TEST(large_reads_do_not_go_through_the_buffer_out_of_order),
		TEST(what_is_written_waits_until_it_must_go),
		TEST(pieces_of_any_size_come_in_order),
		TEST(after_a_failure_all_writes_fail),
		TEST(an_idle_timeout_limits_each_wait),
		TEST(a_deadline_limits_all_waits_together),
		TEST(more_time_than_any_clock_counts_is_for_ever),
		TEST(each_request_but_the_first_is_counted),
		TEST(answers_go_before_the_wait),
		TEST(between_requests_it_is_kept_and_afterwards_busy),
		TEST(a_worker_that_leaves_takes_no_further_request_but_what_has_come),
		TEST(an_idle_connection_gives_way_once),
		TEST(who_always_sends_gets_no_more_than_has_come),
		TEST(behind_its_end_a_connection_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
