/*
 * What the fields of a request head say together: Host (RFC 9112 3.2), the framing of the
 * body (6), persistence (9.3), expectations (RFC 9110 10.1.1).
 */
#include "http_heads.h"

#define GET(fields)  RAW("GET / HTTP/1.1\r\n" fields "\r\n\r\n")
#define GET0(fields) RAW("GET / HTTP/1.0\r\n" fields "\r\n\r\n")
#define POST(fields) RAW("POST / HTTP/1.1\r\nHost: a\r\n" fields "\r\n\r\n")

static void
host_is_the_authority(void **state)
{
	static const struct taken_head rows[] = {
		{ GET("Host: example.org"), "GET 1 example.org / none keep" },
		{ GET("host:EXAMPLE.org:8080"), "GET 1 EXAMPLE.org / none keep" },
		{ GET("HOST: a:"), "GET 1 a / none keep" },
		{ GET("Host: a:0"), "GET 1 a / none keep" },
		{ GET("Host: a:65535"), "GET 1 a / none keep" },
		{ GET("Host: 127.0.0.1:80"), "GET 1 127.0.0.1 / none keep" },
		{ GET("Host: [::1]"), "GET 1 [::1] / none keep" },
		{ GET("Host: [2001:db8::1]:80"), "GET 1 [2001:db8::1] / none keep" },
		{ GET("Host: [::ffff:1.2.3.4]"), "GET 1 [::ffff:1.2.3.4] / none keep" },
		{ GET("Host: a_b-c.~d!$&'()*+,;="), "GET 1 a_b-c.~d!$&'()*+,;= / none keep" },
		{ GET("Host: %61.org"), "GET 1 %61.org / none keep" },
		{ GET("Host:"), "GET 1  / none keep" },
		{ GET("Host: \t "), "GET 1  / none keep" },
		{ GET0("Host: a"), "GET 0 a / none" },
		{ GET0("X: y"), "GET 0  / none" },
	};

	(void)state;
	heads_must_be_taken(rows, ARRAY_LEN(rows));
	assert_null(heads_of("GET / HTTP/1.0\r\n\r\n")->head.authority.at);
	assert_non_null(heads_of("GET / HTTP/1.1\r\nHost:\r\n\r\n")->head.authority.at);
}

static void
a_host_that_is_missing_doubled_or_malformed_is_refused(void **state)
{
	static const struct refused_head rows[] = {
		{ RAW("GET / HTTP/1.1\r\n\r\n"), 400 },
		{ GET("X: y"), 400 },
		{ GET("Hos: a"), 400 },
		{ GET("Host2: a"), 400 },
		{ GET("Host: a\r\nHost: b"), 400 },
		{ GET("Host: a\r\nHost: a"), 400 },
		{ GET("Host: a\r\nHost:"), 400 },
		{ GET("Host:\r\nhost:"), 400 },
		{ GET0("Host: a\r\nHost: a"), 400 },
		{ GET0("Host: a b"), 400 },
		{ GET("Host: a, b"), 400 },
		{ GET("Host: a b"), 400 },
		{ GET("Host: a\tb"), 400 },
		{ GET("Host: a/"), 400 },
		{ GET("Host: a/b"), 400 },
		{ GET("Host: http://a"), 400 },
		{ GET("Host: u@a"), 400 },
		{ GET("Host: a?b"), 400 },
		{ GET("Host: a#b"), 400 },
		{ GET("Host: a\\b"), 400 },
		{ GET("Host: a\"b"), 400 },
		{ GET("Host: <a>"), 400 },
		{ GET("Host: a%"), 400 },
		{ GET("Host: a%4"), 400 },
		{ GET("Host: a%zz"), 400 },
		{ GET("Host: \xc3\xa9"), 400 },
		{ GET("Host: :80"), 400 },
		{ GET("Host: :"), 400 },
		{ GET("Host: a:b"), 400 },
		{ GET("Host: a:8 0"), 400 },
		{ GET("Host: a:-1"), 400 },
		{ GET("Host: a:65536"), 400 },
		{ GET("Host: a:99999999999999999999"), 400 },
		{ GET("Host: a:80:80"), 400 },
		{ GET("Host: ::1"), 400 },
		{ GET("Host: [::1"), 400 },
		{ GET("Host: ::1]"), 400 },
		{ GET("Host: []"), 400 },
		{ GET("Host: [a]"), 400 },
		{ GET("Host: [::1]x"), 400 },
		{ GET("Host: [::1]80"), 400 },
		{ GET("Host: [::1]:x"), 400 },
		{ GET("Host: [1.2.3.4]"), 400 },
		{ GET("Host: [fe80::1%25eth0]"), 400 },
		{ GET("Host: [v1.x]"), 400 },
		{ GET("Host: [0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"), 400 },
		/* It must be right even if the target has an authority. */
		{ RAW("GET http://a/ HTTP/1.1\r\n\r\n"), 400 },
		{ RAW("GET http://a/ HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
		{ RAW("CONNECT a:80 HTTP/1.1\r\n\r\n"), 400 },
	};

	(void)state;
	heads_must_be_refused(rows, ARRAY_LEN(rows));
}

static void
a_body_has_a_length_or_chunks(void **state)
{
	static const struct taken_head rows[] = {
		{ POST("Content-Length: 0"), "POST 1 a / length keep" },
		{ POST("content-length:5"), "POST 1 a / length keep" },
		{ POST("Content-Length: \t007 "), "POST 1 a / length keep" },
		{ POST("Content-Length: 9223372036854775807"), "POST 1 a / length keep" },
		{ POST("Transfer-Encoding: chunked"), "POST 1 a / chunked keep" },
		{ POST("TRANSFER-ENCODING:\tChunKED\t"), "POST 1 a / chunked keep" },
		{ POST("X: y"), "POST 1 a / none keep" },
		{ POST("Content-Lengt: x\r\nContent-Lengths: x"), "POST 1 a / none keep" },
		{ GET0("Content-Length: 3"), "GET 0  / length" },
	};
	static const struct {
		const char *raw;
		int64_t length;
	} lengths[] = {
		{ "GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 0 },
		{ "GET / HTTP/1.0\r\nContent-Length: 0042\r\n\r\n", 42 },
		{ "GET / HTTP/1.0\r\nContent-Length: 9223372036854775807\r\n\r\n", INT64_MAX },
		{ "GET / HTTP/1.0\r\n\r\n", 0 },
	};

	(void)state;
	heads_must_be_taken(rows, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
		assert_int_equal(heads_of(lengths[i].raw)->head.content_length, lengths[i].length);
}

static void
a_body_without_a_certain_end_is_refused(void **state)
{
	static const struct refused_head rows[] = {
		{ POST("Content-Length:"), 400 },
		{ POST("Content-Length: x"), 400 },
		{ POST("Content-Length: 1x"), 400 },
		{ POST("Content-Length: +1"), 400 },
		{ POST("Content-Length: -1"), 400 },
		{ POST("Content-Length: 1 2"), 400 },
		{ POST("Content-Length: 1,1"), 400 },
		{ POST("Content-Length: 1, 1"), 400 },
		{ POST("Content-Length: 0x1"), 400 },
		{ POST("Content-Length: 1.0"), 400 },
		{ POST("Content-Length: 1e3"), 400 },
		{ POST("Content-Length: \"1\""), 400 },
		{ POST("Content-Length: \xb2"), 400 },
		{ POST("Content-Length: 9223372036854775808"), 400 },
		{ POST("Content-Length: 18446744073709551616"), 400 },
		{ POST("Content-Length: 18446744073709551621"), 400 },
		{ POST("Content-Length: 99999999999999999999999999999999"), 400 },
		{ POST("Content-Length: 1\r\nContent-Length: 2"), 400 },
		{ POST("Content-Length: 1\r\ncontent-length: 1"), 400 },
		{ POST("Content-Length: 1\r\nTransfer-Encoding: chunked"), 400 },
		{ POST("Transfer-Encoding: chunked\r\nContent-Length: 1"), 400 },
		{ POST("Transfer-Encoding: chunked\r\nContent-Length: x"), 400 },
		{ POST("Transfer-Encoding: gzip\r\nContent-Length: 1"), 400 },
		{ GET0("Transfer-Encoding: chunked"), 400 },
		{ GET0("Transfer-Encoding: gzip"), 400 },
		{ POST("Transfer-Encoding:"), 400 },
		{ POST("Transfer-Encoding: ,"), 400 },
		{ POST("Transfer-Encoding: \"chunked\""), 400 },
		{ POST("Transfer-Encoding: chunked x"), 400 },
		{ POST("Transfer-Encoding: ;x"), 400 },
		{ POST("Transfer-Encoding: chunked\r\nTransfer-Encoding:"), 400 },
		{ POST("Transfer-Encoding: gzip"), 501 },
		{ POST("Transfer-Encoding: identity"), 501 },
		{ POST("Transfer-Encoding: gzip, chunked"), 501 },
		{ POST("Transfer-Encoding: chunked, gzip"), 501 },
		{ POST("Transfer-Encoding: chunked, chunked"), 501 },
		{ POST("Transfer-Encoding: chunked,"), 501 },
		{ POST("Transfer-Encoding: ,chunked"), 501 },
		{ POST("Transfer-Encoding: chunked;q=1"), 501 },
		{ POST("Transfer-Encoding: xchunked"), 501 },
		{ POST("Transfer-Encoding: chunkedx"), 501 },
		{ POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), 501 },
		{ POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), 501 },
		{ POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"), 501 },
	};

	(void)state;
	heads_must_be_refused(rows, ARRAY_LEN(rows));
}

static void
a_connection_stays_by_version_and_wish(void **state)
{
	static const struct taken_head rows[] = {
		{ GET("Host: a\r\nConnection: close"), "GET 1 a / none" },
		{ GET("Host: a\r\nconnection: CLOSE"), "GET 1 a / none" },
		{ GET("Host: a\r\nConnection: x, close ,y"), "GET 1 a / none" },
		{ GET("Host: a\r\nConnection: x\r\nConnection: close"), "GET 1 a / none" },
		{ GET("Host: a\r\nConnection: keep-alive, close"), "GET 1 a / none" },
		{ GET("Host: a\r\nConnection: closed"), "GET 1 a / none keep" },
		{ GET("Host: a\r\nConnection: xclose"), "GET 1 a / none keep" },
		{ GET("Host: a\r\nConnection:"), "GET 1 a / none keep" },
		{ GET("Host: a\r\nConnection: upgrade\r\nUpgrade: x"), "GET 1 a / none keep" },
		{ GET0("Connection: keep-alive"), "GET 0  / none keep" },
		{ GET0("Connection: x,Keep-Alive"), "GET 0  / none keep" },
		{ GET0("Connection: keep-alive, close"), "GET 0  / none" },
		{ GET0("Connection: close"), "GET 0  / none" },
		{ GET0("Keep-Alive: 5"), "GET 0  / none" },
	};

	(void)state;
	heads_must_be_taken(rows, ARRAY_LEN(rows));
}

static void
only_100_continue_can_be_expected(void **state)
{
	static const struct taken_head taken[] = {
		{ POST("Expect: 100-continue\r\nContent-Length: 1"),
		  "POST 1 a / length keep expect" },
		{ POST("Expect: 100-Continue\r\nTransfer-Encoding: chunked"),
		  "POST 1 a / chunked keep expect" },
		{ POST("Expect: 100-continue, 100-continue\r\nContent-Length: 1"),
		  "POST 1 a / length keep expect" },
		/* Nothing to wait for. */
		{ POST("Expect: 100-continue\r\nContent-Length: 0"), "POST 1 a / length keep" },
		{ POST("Expect: 100-continue"), "POST 1 a / none keep" },
		/* RFC 9110 10.1.1: to be ignored. */
		{ GET0("Expect: 100-continue\r\nContent-Length: 1"), "GET 0  / length" },
	};
	static const struct refused_head refused[] = {
		{ POST("Expect: 200-ok"), 417 },
		{ POST("Expect:"), 417 },
		{ POST("Expect: 100-continue;x"), 417 },
		{ POST("Expect: 100-continue, y"), 417 },
		{ POST("Expect: 100-continue\r\nExpect: y"), 417 },
		{ POST("Expect: 100-continuee"), 417 },
		{ GET0("Expect: y"), 417 },
	};

	(void)state;
	heads_must_be_taken(taken, ARRAY_LEN(taken));
	heads_must_be_refused(refused, ARRAY_LEN(refused));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_is_the_authority),
		cmocka_unit_test(a_host_that_is_missing_doubled_or_malformed_is_refused),
		cmocka_unit_test(a_body_has_a_length_or_chunks),
		cmocka_unit_test(a_body_without_a_certain_end_is_refused),
		cmocka_unit_test(a_connection_stays_by_version_and_wish),
		cmocka_unit_test(only_100_continue_can_be_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
