/*
 * A request's body: where it ends, how long its client may take, and what becomes of one
 * that nobody wants.
 */
#include "http_upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char next_request[] = "GET / HTTP/1.1\r\n";

/* All of the body, as it comes; the result of the end. */
static enum http_parse
read_all(struct http_upload *u, char *out, size_t *len)
{
	enum http_parse result;

	*len = 0;
	do {
		struct http_text piece;

		result = http_body_next(&u->body, &piece);
		if (piece.len > 0)
			memcpy(out + *len, piece.at, piece.len);
		*len += piece.len;
		if (result == HTTP_MORE && piece.len == 0)
			assert_int_equal(http_body_fill(&u->body), 1);
	} while (result == HTTP_MORE);
	return result;
}

static void
must_be_at_next_request(struct http_upload *u)
{
	while (u->conn.len - u->conn.at < strlen(next_request))
		assert_int_equal(http_conn_fill(&u->conn, util_now_ms() + 10000), 1);
	assert_memory_equal(u->conn.buf + u->conn.at, next_request, strlen(next_request));
}

static void
a_request_without_a_body_has_ended(void **state)
{
	static const struct http_head heads[] = {
		{ .framing = HTTP_NO_BODY },
		{ .framing = HTTP_LENGTH, .content_length = 0, .expect_continue = true },
	};
	struct http_text piece;
	struct http_body body;

	(void)state;
	http_body_init(&body, NULL, NULL, 10000, 1000);
	assert_true(body.ended);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		http_body_init(&body, NULL, &heads[i], 10000, 1000);
		assert_true(body.ended);
		assert_false(body.expects_100);
		assert_int_equal(http_body_next(&body, &piece), HTTP_DONE);
		assert_int_equal(piece.len, 0);
		assert_true(http_body_is_droppable(&body));
		assert_true(http_body_drop(&body));
	}
}

static void
a_body_ends_where_its_framing_says(void **state)
{
	static const size_t sizes[] = { 1, 100, HTTP_UPLOAD_BUFFER, 50000 };
	char *data = util_calloc(1, 50000), *got = util_calloc(1, 50000);

	(void)state;
	for (size_t i = 0; i < 50000; i++)
		data[i] = (char)(i * 7 >> 3);
	for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
		bool chunked = i % 2 == 1;
		size_t size = sizes[i / 2], len;
		struct http_upload u;

		http_upload_begin(&u, chunked ? HTTP_CHUNKED : HTTP_LENGTH,
				  chunked ? 0 : (int64_t)size);
		if (chunked)
			http_upload_send_chunks(&u, data, size, 1000);
		else
			http_upload_send(&u, data, size);
		http_upload_send(&u, next_request, strlen(next_request));
		assert_int_equal(read_all(&u, got, &len), HTTP_DONE);
		assert_int_equal(len, size);
		assert_memory_equal(got, data, size);
		assert_true(u.body.ended);
		assert_true(chunked ? u.body.taken > (int64_t)size : u.body.taken == (int64_t)size);
		must_be_at_next_request(&u);
		http_upload_end(&u);
	}
	free(data);
	free(got);
}

static void
a_body_may_come_byte_by_byte(void **state)
{
	static const struct {
		enum http_framing framing;
		int64_t length;
		const char *raw;
	} rows[] = {
		{ HTTP_LENGTH, 5, "hello" },
		{ HTTP_CHUNKED, 0, "2\r\nhe\r\n003;a=b\r\nllo\r\n0\r\nX: y\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum http_parse result = HTTP_MORE;
		size_t len = strlen(rows[i].raw), got = 0;
		struct http_upload u;
		char text[6] = "";

		http_upload_begin(&u, rows[i].framing, rows[i].length);
		for (size_t k = 0; k < len; k++) {
			struct http_text piece;

			assert_int_equal(http_body_next(&u.body, &piece), HTTP_MORE);
			assert_int_equal(piece.len, 0);
			http_upload_send(&u, rows[i].raw + k, 1);
			assert_int_equal(http_body_fill(&u.body), 1);
			result = http_body_next(&u.body, &piece);
			assert_true(got + piece.len < sizeof(text));
			memcpy(text + got, piece.len > 0 ? piece.at : "", piece.len);
			got += piece.len;
			assert_int_equal(u.body.taken, k + 1);
			assert_int_equal(result, k + 1 < len ? HTTP_MORE : HTTP_DONE);
		}
		assert_string_equal(text, "hello");
		http_upload_end(&u);
	}
}

static void
chunks_that_are_none_are_bad(void **state)
{
	static const char *const rows[] = { "x\r\n", "5\nhello", "5\r\nhello!", "-1\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_upload u;
		char got[16];
		size_t len;

		http_upload_begin(&u, HTTP_CHUNKED, 0);
		http_upload_send(&u, rows[i], strlen(rows[i]));
		assert_int_equal(read_all(&u, got, &len), HTTP_BAD);
		assert_false(u.body.ended);
		assert_false(http_body_drop(&u.body));
		http_upload_end(&u);
	}
}

/* ---- time ---- */

static void
patience_is_a_timeout_and_the_time_of_the_bytes_at_the_least_rate(void **state)
{
	struct http_upload u;

	(void)state;
	http_upload_begin(&u, HTTP_LENGTH, 1000000);
	assert_int_equal(http_body_patience(&u.body), 10000);
	u.body.waited_ms = 4000;
	assert_int_equal(http_body_patience(&u.body), 6000);
	u.body.taken = 3500;
	assert_int_equal(http_body_patience(&u.body), 9500);
	u.body.waited_ms = 13501;
	assert_int_equal(http_body_patience(&u.body), -1);
	u.body.taken = (int64_t)1 << 40;
	assert_int_equal(http_body_patience(&u.body), 10000 + ((int64_t)1 << 40) - 13501);
	http_upload_end(&u);
}

static void
bytes_that_are_taken_give_time(void **state)
{
	struct http_upload u;
	struct http_text piece;

	(void)state;
	http_upload_begin(&u, HTTP_LENGTH, 10);
	http_upload_send(&u, "hello", 5);
	assert_int_equal(http_body_fill(&u.body), 1);
	assert_int_equal(http_body_next(&u.body, &piece), HTTP_MORE);
	assert_true(u.body.waited_ms >= 0);
	assert_int_equal(http_body_patience(&u.body), 10000 + 5 - u.body.waited_ms);
	http_upload_end(&u);
}

static void
who_sends_nothing_is_waited_for_so_long(void **state)
{
	struct http_upload u;

	(void)state;
	http_upload_begin(&u, HTTP_LENGTH, 10);
	u.body.timeout = 30;
	assert_int_equal(http_body_fill(&u.body), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(u.body.waited_ms >= 30);
	assert_true(http_body_patience(&u.body) <= 0);
	/* And no longer, but what is there is still taken. */
	assert_int_equal(http_body_fill(&u.body), -1);
	assert_int_equal(errno, ETIMEDOUT);
	http_upload_send(&u, "hello", 5);
	assert_int_equal(http_body_fill(&u.body), 1);
	http_upload_close(&u);
	assert_int_equal(http_body_fill(&u.body), 0);
	http_upload_end(&u);
}

/* ---- 100 ---- */

static void
a_client_gets_its_100_once(void **state)
{
	char got[64] = "";
	struct http_upload u;

	(void)state;
	http_upload_begin(&u, HTTP_LENGTH, 5);
	assert_true(http_body_continue(&u.body));
	assert_int_equal(recv(u.client, got, sizeof(got), MSG_DONTWAIT), -1);
	u.head.expect_continue = true;
	http_body_init(&u.body, &u.conn, &u.head, 10000, 1000);
	assert_false(http_body_is_droppable(&u.body));
	assert_true(http_body_continue(&u.body));
	assert_true(http_body_continue(&u.body));
	assert_int_equal(recv(u.client, got, sizeof(got), MSG_DONTWAIT), 25);
	assert_string_equal(got, "HTTP/1.1 100 Continue\r\n\r\n");
	assert_true(http_body_is_droppable(&u.body));
	http_upload_end(&u);
}

static void
a_client_that_has_gone_gets_no_100(void **state)
{
	struct http_upload u;

	(void)state;
	http_upload_begin(&u, HTTP_CHUNKED, 0);
	u.head.expect_continue = true;
	http_body_init(&u.body, &u.conn, &u.head, 10000, 1000);
	http_upload_close(&u);
	assert_false(http_body_continue(&u.body));
	http_upload_end(&u);
}

/* ---- what nobody wants ---- */

static void
a_small_rest_is_read_for_the_sake_of_the_connection(void **state)
{
	static const struct {
		enum http_framing framing;
		int64_t sent, missing; /* bytes */
		bool droppable, dropped;
	} rows[] = {
		{ HTTP_LENGTH, 1, 0, true, true },         { HTTP_LENGTH, 65536, 0, true, true },
		{ HTTP_LENGTH, 65536, 1, false, false },   { HTTP_LENGTH, 1, 65535, true, false },
		{ HTTP_LENGTH, 1, 1000000, false, false }, { HTTP_CHUNKED, 1, 0, true, true },
		{ HTTP_CHUNKED, 60000, 0, true, true },    { HTTP_CHUNKED, 70000, 0, true, false },
	};
	char *data = util_calloc(1, 70000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool chunked = rows[i].framing == HTTP_CHUNKED;
		struct http_upload u;

		http_upload_begin(&u, rows[i].framing,
				  chunked ? 0 : rows[i].sent + rows[i].missing);
		if (chunked)
			http_upload_send_chunks(&u, data, (size_t)rows[i].sent, 1000);
		else
			http_upload_send(&u, data, (size_t)rows[i].sent);
		if (rows[i].missing == 0)
			http_upload_send(&u, next_request, strlen(next_request));
		else
			http_upload_close(&u);
		assert_int_equal(http_body_is_droppable(&u.body), rows[i].droppable);
		if (http_body_drop(&u.body) != rows[i].dropped)
			fail_msg("row %zu", i);
		if (rows[i].dropped)
			must_be_at_next_request(&u);
		http_upload_end(&u);
	}
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_a_body_has_ended),
		cmocka_unit_test(a_body_ends_where_its_framing_says),
		cmocka_unit_test(a_body_may_come_byte_by_byte),
		cmocka_unit_test(chunks_that_are_none_are_bad),
		cmocka_unit_test(patience_is_a_timeout_and_the_time_of_the_bytes_at_the_least_rate),
		cmocka_unit_test(bytes_that_are_taken_give_time),
		cmocka_unit_test(who_sends_nothing_is_waited_for_so_long),
		cmocka_unit_test(a_client_gets_its_100_once),
		cmocka_unit_test(a_client_that_has_gone_gets_no_100),
		cmocka_unit_test(a_small_rest_is_read_for_the_sake_of_the_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
