/*
 * A chunked body that is read whole first: what stays in memory, what goes to a file that
 * nobody else can see, and what ends it before.
 */
#include "http_upload.h"

#include "http_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOMEBODY 65534
#define MOST     150000 /* bytes of a body here */

static char directory[64];
static char data[MOST];

static int
make_directory(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 >> 3);
	strcpy(directory, "/tmp/test_http_spool.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

/* Which shows that nothing is left in it. */
static int
remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

/* Reads a body of so many bytes, sent in chunks of that size. */
static int
spool(struct http_spool *s, size_t len, size_t chunk, int64_t limit, char **err)
{
	static const char next[] = "GET";
	struct http_upload u;
	int status;

	http_upload_begin(&u, HTTP_CHUNKED, 0);
	http_upload_send_chunks(&u, data, len, chunk);
	http_upload_send(&u, next, 3);
	status = http_spool_read(s, &u.body, directory, limit, err);
	if (status == 0) {
		assert_true(u.body.ended);
		while (u.conn.len - u.conn.at < 3)
			assert_int_equal(http_conn_fill(&u.conn, util_now_ms() + 10000), 1);
		assert_memory_equal(u.conn.buf + u.conn.at, next, 3);
	}
	http_upload_end(&u);
	return status;
}

static void
drop(struct http_spool *s)
{
	if (s->fd >= 0)
		close(s->fd);
}

static const size_t chunks[] = { 100, 65536, MOST };

static void
up_to_64_kib_a_body_stays_in_memory(void **state)
{
	static const size_t sizes[] = { 0, 1, 65535, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(chunks); i++) {
		size_t size = sizes[i / ARRAY_LEN(chunks)];
		struct http_spool s;

		assert_int_equal(spool(&s, size, chunks[i % ARRAY_LEN(chunks)], MOST, NULL), 0);
		assert_int_equal(s.size, size);
		assert_int_equal(s.fd, -1);
		assert_non_null(s.memory.at);
		assert_int_equal(s.memory.len, size);
		assert_memory_equal(s.memory.at, data, size);
	}
}

static void
a_longer_one_goes_to_a_file_without_a_name(void **state)
{
	static const size_t sizes[] = { 65537, 2 * 65536, MOST };
	char *got = util_calloc(1, MOST);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(chunks); i++) {
		size_t size = sizes[i / ARRAY_LEN(chunks)];
		struct http_spool s;
		struct stat st;

		assert_int_equal(spool(&s, size, chunks[i % ARRAY_LEN(chunks)], MOST, NULL), 0);
		assert_int_equal(s.size, size);
		assert_null(s.memory.at);
		assert_int_equal(s.memory.len, 0);
		assert_int_equal(fstat(s.fd, &st), 0);
		assert_int_equal(st.st_size, size);
		assert_int_equal(st.st_nlink, 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		assert_int_equal(fcntl(s.fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(read(s.fd, got, MOST), size);
		assert_memory_equal(got, data, size);
		drop(&s);
	}
	free(got);
}

static void
a_byte_above_the_limit_is_413(void **state)
{
	static const size_t limits[] = { 1, 1000, 65535, 65536, 65537, 100000 };
	struct http_spool s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits) * ARRAY_LEN(chunks); i++) {
		size_t limit = limits[i / ARRAY_LEN(chunks)], chunk = chunks[i % ARRAY_LEN(chunks)];

		assert_int_equal(spool(&s, limit, chunk, (int64_t)limit, NULL), 0);
		drop(&s);
		assert_int_equal(spool(&s, limit + 1, chunk, (int64_t)limit, NULL), 413);
		drop(&s);
	}
	assert_int_equal(spool(&s, 0, 1, 0, NULL), 0);
	assert_int_equal(spool(&s, 1, 1, 0, NULL), 413);
}

static void
a_directory_that_cannot_be_written_is_500_with_a_reason(void **state)
{
	struct http_spool s;
	char *err = NULL, *expected = NULL;
	int status;

	(void)state;
	assert_int_equal(chmod(directory, 0500), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(SOMEBODY), 0);
	status = spool(&s, 65537, 65536, MOST, &err);
	drop(&s);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(status, 500);
	expected = util_format("a request body, in a file in %s: %s", directory, strerror(EACCES));
	assert_string_equal(err, expected);
	free(err);
	free(expected);
	assert_int_equal(spool(&s, 65536, 65536, MOST, NULL), 0); /* which it does not need */
	assert_int_equal(chmod(directory, 0700), 0);
}

/* What http_spool_read() makes of a body that has no end, which the client closes or not. */
static int
spool_raw(const char *raw, size_t filler, bool closes)
{
	struct http_spool s;
	struct http_upload u;
	int status;

	http_upload_begin(&u, HTTP_CHUNKED, 0);
	http_upload_send(&u, raw, strlen(raw));
	http_upload_send(&u, data, filler);
	if (closes)
		http_upload_close(&u);
	else
		u.body.timeout = 30 - (int64_t)(strlen(raw) + filler);
	status = http_spool_read(&s, &u.body, directory, MOST, NULL);
	drop(&s);
	http_upload_end(&u);
	return status;
}

static void
a_body_without_an_end_has_a_status_if_its_client_is_there(void **state)
{
	(void)state;
	assert_int_equal(spool_raw("x\r\n", 0, false), 400);
	assert_int_equal(spool_raw("x\r\n", 0, true), 400);
	assert_int_equal(spool_raw("", 0, false), 408);
	assert_int_equal(spool_raw("5\r\nhell", 0, false), 408);
	assert_int_equal(spool_raw("186a0\r\n", 80000, false), 408);
	assert_int_equal(spool_raw("", 0, true), -1);
	assert_int_equal(spool_raw("5\r\nhell", 0, true), -1);
	assert_int_equal(spool_raw("186a0\r\n", 80000, true), -1);
}

static void
a_client_that_waits_for_100_gets_it(void **state)
{
	char got[64] = "";
	struct http_spool s;
	struct http_upload u;

	(void)state;
	http_upload_begin(&u, HTTP_CHUNKED, 0);
	u.body.expects_100 = true;
	http_upload_send_chunks(&u, data, 5, 5);
	assert_int_equal(http_spool_read(&s, &u.body, directory, MOST, NULL), 0);
	assert_true(recv(u.client, got, sizeof(got) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
	http_upload_end(&u);

	http_upload_begin(&u, HTTP_CHUNKED, 0);
	u.body.expects_100 = true;
	http_upload_close(&u);
	assert_int_equal(http_spool_read(&s, &u.body, directory, MOST, NULL), -1);
	assert_int_equal(s.fd, -1);
	http_upload_end(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(up_to_64_kib_a_body_stays_in_memory),
		cmocka_unit_test(a_longer_one_goes_to_a_file_without_a_name),
		cmocka_unit_test(a_byte_above_the_limit_is_413),
		cmocka_unit_test(a_directory_that_cannot_be_written_is_500_with_a_reason),
		cmocka_unit_test(a_body_without_an_end_has_a_status_if_its_client_is_there),
		cmocka_unit_test(a_client_that_waits_for_100_gets_it),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
