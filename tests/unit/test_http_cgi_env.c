/*
 * The environment of a CGI script, RFC 3875 4.1: the whole of it for some requests, and for
 * the others what is special in it.
 */
#include "http_heads.h"

#include "address.h"
#include "http_cgi_env.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST " HTTP/1.1\r\nHost: a\r\n"

static const struct sockaddr unix_socket = { .sa_family = AF_UNIX };
static char *no_fixed[] = { NULL };

static struct address peer, local;
static struct http_target target;
static struct http_cgi_request request;
static char *const *environment;

static const struct sockaddr *
address(const char *text, struct address *out)
{
	char *err = NULL;

	if (address_parse(text, out, &err) < 0)
		fail_msg("%s", err);
	return (const struct sockaddr *)&out->sa;
}

/* A request as the service would make it of that head, for a script at "/cgi-bin/x". */
static void
given(const char *raw)
{
	const struct parsed_head *parsed = heads_of(raw);

	if (parsed->parse != HTTP_DONE)
		fail_msg("%s: %s", raw, parsed->why);
	assert_int_equal(http_target_parse(parsed->head.origin, &target), 0);
	request = (struct http_cgi_request){
		.head = &parsed->head,
		.target = &target,
		.method = parsed->head.method_text,
		.uri = parsed->head.origin,
		.script_name_len = target.len < 10 ? target.len : 10,
		.script_filename = "/srv/cgi/x",
		.document_root = "/srv/www",
		.content_length =
		    parsed->head.framing == HTTP_NO_BODY ? -1 : parsed->head.content_length,
		.peer = address("192.0.2.1:4711", &peer),
		.local = address("198.51.100.2:8080", &local),
	};
}

static void
make(char *const *fixed)
{
	environment = http_cgi_env(fixed, &request);
	assert_non_null(environment);
}

/* The environment of the request, one variable a line. */
static void
must_be(const char *wanted)
{
	static char said[65536];
	size_t len = 0;

	said[0] = '\0';
	make(no_fixed);
	for (char *const *at = environment; *at; at++)
		len += (size_t)snprintf(said + len, sizeof(said) - len, "%s\n", *at);
	assert_string_equal(said, wanted);
}

static const char *
value_of(const char *name)
{
	size_t len = strlen(name);
	const char *value = NULL;

	for (char *const *at = environment; *at; at++)
		if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
			assert_null(value);
			value = *at + len + 1;
		}
	return value;
}

static void
must_have(const char *name, const char *wanted)
{
	const char *value = value_of(name);

	if (!value)
		fail_msg("there is no %s", name);
	assert_string_equal(value, wanted);
}

static void
must_not_have(const char *name)
{
	if (value_of(name))
		fail_msg("there is %s=%s", name, value_of(name));
}

static void
a_get_has_this_environment(void **state)
{
	(void)state;
	given("GET /cgi-bin/x?a=%20b&c=/ HTTP/1.1\r\nHost: www.example.org:8080\r\n"
	      "User-Agent: curl/7.88\r\nAccept: */*\r\n\r\n");
	must_be("GATEWAY_INTERFACE=CGI/1.1\n"
		"SERVER_SOFTWARE=preforkd/" PACKAGE_VERSION "\n"
		"REDIRECT_STATUS=200\n"
		"REMOTE_ADDR=192.0.2.1\n"
		"REMOTE_HOST=192.0.2.1\n"
		"REMOTE_PORT=4711\n"
		"SERVER_ADDR=198.51.100.2\n"
		"SERVER_PORT=8080\n"
		"SERVER_NAME=www.example.org\n"
		"REQUEST_METHOD=GET\n"
		"REQUEST_URI=/cgi-bin/x?a=%20b&c=/\n"
		"QUERY_STRING=a=%20b&c=/\n"
		"SERVER_PROTOCOL=HTTP/1.1\n"
		"REQUEST_SCHEME=http\n"
		"SCRIPT_NAME=/cgi-bin/x\n"
		"SCRIPT_FILENAME=/srv/cgi/x\n"
		"DOCUMENT_ROOT=/srv/www\n"
		"HTTP_ACCEPT=*/*\n"
		"HTTP_HOST=www.example.org:8080\n"
		"HTTP_USER_AGENT=curl/7.88\n");
}

static void
a_post_of_a_proven_user_has_this_environment(void **state)
{
	(void)state;
	given("POST /cgi-bin/x/a%20b HTTP/1.0\r\nContent-Length: 7\r\n"
	      "Content-Type: text/plain\r\nAuthorization: Basic YTpi\r\n\r\n");
	request.user = (struct http_text){ "ann lee", 3 };
	request.server_admin = "webmaster@example.org";
	must_be("GATEWAY_INTERFACE=CGI/1.1\n"
		"SERVER_SOFTWARE=preforkd/" PACKAGE_VERSION "\n"
		"SERVER_ADMIN=webmaster@example.org\n"
		"REDIRECT_STATUS=200\n"
		"REMOTE_ADDR=192.0.2.1\n"
		"REMOTE_HOST=192.0.2.1\n"
		"REMOTE_PORT=4711\n"
		"SERVER_ADDR=198.51.100.2\n"
		"SERVER_PORT=8080\n"
		"SERVER_NAME=198.51.100.2\n"
		"REQUEST_METHOD=POST\n"
		"REQUEST_URI=/cgi-bin/x/a%20b\n"
		"QUERY_STRING=\n"
		"SERVER_PROTOCOL=HTTP/1.0\n"
		"REQUEST_SCHEME=http\n"
		"CONTENT_LENGTH=7\n"
		"CONTENT_TYPE=text/plain\n"
		"AUTH_TYPE=Basic\n"
		"REMOTE_USER=ann\n"
		"SCRIPT_NAME=/cgi-bin/x\n"
		"SCRIPT_FILENAME=/srv/cgi/x\n"
		"DOCUMENT_ROOT=/srv/www\n"
		"PATH_INFO=/a b\n"
		"PATH_TRANSLATED=/srv/www/a b\n");
}

static void
the_length_is_that_of_the_body(void **state)
{
	(void)state;
	given("POST /cgi-bin/x" HOST "Content-Length: 0\r\n\r\n");
	make(no_fixed);
	must_have("CONTENT_LENGTH", "0");
	must_not_have("CONTENT_TYPE");
	must_not_have("HTTP_CONTENT_LENGTH");

	/* Chunked: the caller knows, once all is there. */
	given("POST /cgi-bin/x" HOST "Transfer-Encoding: chunked\r\nTrailer: X\r\n"
	      "Content-Type:\r\n\r\n");
	request.content_length = INT64_MAX;
	make(no_fixed);
	must_have("CONTENT_LENGTH", "9223372036854775807");
	must_have("CONTENT_TYPE", "");
	must_not_have("HTTP_TRANSFER_ENCODING");
	must_not_have("HTTP_TRAILER");
	must_not_have("HTTP_CONTENT_TYPE");

	given("GET /cgi-bin/x" HOST "Content-Type: a/b\r\nContent-Type: c/d\r\n\r\n");
	make(no_fixed);
	must_not_have("CONTENT_LENGTH");
	must_have("CONTENT_TYPE", "a/b");
}

static void
a_path_is_split_at_the_end_of_the_script(void **state)
{
	static const struct {
		const char *origin;
		size_t script;
		const char *root, *name, *info, *translated, *query;
	} rows[] = {
		{ "/cgi-bin/x", 10, "/w", "/cgi-bin/x", NULL, NULL, "" },
		{ "/cgi-bin/x?", 10, "/w", "/cgi-bin/x", NULL, NULL, "" },
		{ "/cgi-bin/x/", 10, "/w", "/cgi-bin/x", "/", "/w/", "" },
		{ "/cgi-bin/x//./a%3Fb%0a/?q%2F", 10, "/w//", "/cgi-bin/x", "/a?b\n/", "/w/a?b\n/",
		  "q%2F" },
		{ "/cgi%2Dbin/x/.git", 10, "/", "/cgi-bin/x", "/.git", "/.git", "" },
		{ "/git/r/info/refs?service=a", 4, "/w", "/git", "/r/info/refs", "/w/r/info/refs",
		  "service=a" },
		{ "/a/b", 0, "/w", "", "/a/b", "/w/a/b", "" },
		{ "/", 0, "/w", "", "/", "/w/", "" },
	};
	char raw[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(raw, sizeof(raw), "GET %s" HOST "\r\n", rows[i].origin);
		given(raw);
		request.script_name_len = rows[i].script;
		request.document_root = rows[i].root;
		make(no_fixed);
		must_have("SCRIPT_NAME", rows[i].name);
		must_have("REQUEST_URI", rows[i].origin);
		must_have("QUERY_STRING", rows[i].query);
		must_have("DOCUMENT_ROOT", rows[i].root);
		if (!rows[i].info) {
			must_not_have("PATH_INFO");
			must_not_have("PATH_TRANSLATED");
			continue;
		}
		must_have("PATH_INFO", rows[i].info);
		must_have("PATH_TRANSLATED", rows[i].translated);
	}
}

static void
after_a_local_redirect_only_the_uri_is_the_first_one(void **state)
{
	(void)state;
	given("POST /cgi-bin/y/z?q" HOST "\r\n");
	assert_int_equal(http_target_parse((struct http_text){ "/cgi-bin/x?r", 12 }, &target), 0);
	request.method = (struct http_text){ "GET", 3 };
	make(no_fixed);
	must_have("REQUEST_METHOD", "GET");
	must_have("REQUEST_URI", "/cgi-bin/y/z?q");
	must_have("SCRIPT_NAME", "/cgi-bin/x");
	must_have("QUERY_STRING", "r");
	must_not_have("PATH_INFO");
}

static void
addresses_are_those_of_the_connection(void **state)
{
	static const struct {
		const char *peer, *local, *remote, *server, *name;
	} rows[] = {
		{ "127.0.0.1:1", "127.0.0.2:2", "127.0.0.1", "127.0.0.2", "127.0.0.2" },
		{ "[2001:db8::1]:1", "[::1]:2", "2001:db8::1", "::1", "[::1]" },
		{ "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2", "192.0.2.1", "192.0.2.2",
		  "192.0.2.2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		given("GET /cgi-bin/x HTTP/1.0\r\n\r\n");
		request.peer = address(rows[i].peer, &peer);
		request.local = address(rows[i].local, &local);
		make(no_fixed);
		must_have("REMOTE_ADDR", rows[i].remote);
		must_have("REMOTE_HOST", rows[i].remote);
		must_have("REMOTE_PORT", "1");
		must_have("SERVER_ADDR", rows[i].server);
		must_have("SERVER_PORT", "2");
		must_have("SERVER_NAME", rows[i].name);
	}
}

static void
a_unix_socket_has_no_port(void **state)
{
	(void)state;
	given("GET /cgi-bin/x HTTP/1.0\r\n\r\n");
	request.peer = request.local = &unix_socket;
	make(no_fixed);
	must_have("REMOTE_ADDR", "unix:");
	must_have("REMOTE_HOST", "unix:");
	must_not_have("REMOTE_PORT");
	must_have("SERVER_ADDR", "unix:");
	must_have("SERVER_PORT", "80");
	must_have("SERVER_NAME", "localhost");
}

static void
only_a_harmless_host_becomes_the_name_of_the_server(void **state)
{
	char *alias[] = { (char[]){ "other_name" }, (char[]){ "*.example.org" }, NULL };
	static const struct {
		const char *host, *server_name, *said;
	} rows[] = {
		{ "www.example.org", NULL, "www.example.org" },
		{ "WWW.example.org.", "a", "WWW.example.org." },
		{ "192.0.2.7:80", "a", "192.0.2.7" },
		{ "[2001:DB8::1]:80", "a", "[2001:DB8::1]" },
		{ "xn--bcher-kva.example:1", "a", "xn--bcher-kva.example" },
		{ "my_host", "MY_HOST", "my_host" },
		{ "OTHER_name", NULL, "OTHER_name" },
		{ "", "www", "www" },
		{ "my_host", "www", "www" },
		{ "*.example.org", "www", "www" },
		{ "a%2fb", "www", "www" },
		{ "a'b", "www", "www" },
		{ "a;b", "www", "www" },
		{ "a&b", "www", "www" },
		{ "$(b)", "www", "www" },
		{ "a,b", NULL, "198.51.100.2" },
		{ ".", "www", "www" },
		{ "..", "www", "www" },
		{ ".www", "a", "a" },
		{ "www..example.org", "a", "a" },
		{ "www.example.org..", "a", "a" },
		{ "-rf", "www", "www" },
		{ "www.-rf", "a", "a" },
		{ "a-b.example-", "www", "a-b.example-" },
		{ "", NULL, "198.51.100.2" },
	};
	char raw[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(raw, sizeof(raw), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", rows[i].host);
		given(raw);
		request.server_name = rows[i].server_name;
		request.server_alias = alias;
		make(no_fixed);
		must_have("SERVER_NAME", rows[i].said);
		must_have("HTTP_HOST", rows[i].host);
	}
}

static void
the_host_of_an_absolute_form_counts(void **state)
{
	(void)state;
	given("GET http://b.example:81/cgi-bin/x?q" HOST "\r\n");
	make(no_fixed);
	must_have("SERVER_NAME", "b.example");
	must_have("HTTP_HOST", "b.example:81");
	must_have("REQUEST_URI", "/cgi-bin/x?q");
	must_have("QUERY_STRING", "q");

	given("GET HTTPS://[::1]?q" HOST "\r\n");
	make(no_fixed);
	must_have("SERVER_NAME", "[::1]");
	must_have("HTTP_HOST", "[::1]");
	must_have("REQUEST_URI", "/?q");
	must_have("SCRIPT_NAME", "/");

	given("GET http://b HTTP/1.0\r\n\r\n");
	make(no_fixed);
	must_have("SERVER_NAME", "b");
	must_not_have("HTTP_HOST");
	must_have("REQUEST_URI", "/");
}

static void
fields_that_are_none_of_the_scripts_stay_out(void **state)
{
	static const char *const never[] = {
		"Proxy",
		"Connection",
		"Keep-Alive",
		"Proxy-Connection",
		"Upgrade",
		"Trailer",
		"Proxy-Authorization",
		"TE",
		"Authorization",
		"content-TYPE",
		"pROXY",
		/* They would clash with X-A, or are no name of a variable. */
		"X_A",
		"X-A_",
		"_",
		"X.A",
		"X!",
		"X~A",
		"X'",
		"X|A",
	};
	char raw[256];
	size_t n;

	(void)state;
	given("GET /cgi-bin/x" HOST "\r\n");
	make(no_fixed);
	n = util_list_len(environment);
	for (size_t i = 0; i < ARRAY_LEN(never); i++) {
		snprintf(raw, sizeof(raw), "GET /cgi-bin/x" HOST "%s: y\r\n\r\n", never[i]);
		given(raw);
		make(no_fixed);
		if (util_list_len(environment) > n && strcmp(never[i], "content-TYPE") != 0)
			fail_msg("%s", never[i]);
	}
	given("GET /cgi-bin/x" HOST "X_A: 1\r\nX-A: 2\r\nX_A: 3\r\nProxy: p\r\nProxy-X: q\r\n"
	      "Expect: 100-continue\r\n\r\n");
	make(no_fixed);
	must_have("HTTP_X_A", "2");
	must_have("HTTP_PROXY_X", "q");
	must_not_have("HTTP_PROXY");
	must_not_have("HTTP_EXPECT");
}

static void
a_password_is_passed_if_it_shall_be(void **state)
{
	(void)state;
	given("GET /cgi-bin/x" HOST "Authorization: Bearer x\r\nProxy-Authorization: y\r\n\r\n");
	make(no_fixed);
	must_not_have("HTTP_AUTHORIZATION");
	request.pass_authorization = true;
	make(no_fixed);
	must_have("HTTP_AUTHORIZATION", "Bearer x");
	must_not_have("HTTP_PROXY_AUTHORIZATION");
	must_not_have("AUTH_TYPE");
	must_not_have("REMOTE_USER");
}

static void
fields_of_one_name_are_one_variable(void **state)
{
	(void)state;
	given("GET /cgi-bin/x" HOST "Accept: a\r\nX: 1\r\nCookie: a=b\r\nACCEPT: b\r\naccept:\r\n"
	      "XX: 0\r\nx: 2\r\ncookie: c=d\r\nX-1: 3\r\nAccep: z\r\nAccept: c, d\r\n\r\n");
	make(no_fixed);
	must_have("HTTP_ACCEPT", "a, b, , c, d");
	must_have("HTTP_X", "1, 2");
	must_have("HTTP_XX", "0");
	must_have("HTTP_X_1", "3");
	must_have("HTTP_ACCEP", "z");
	must_have("HTTP_COOKIE", "a=b; c=d");
}

static void
a_client_that_speaks_tls_with_a_proxy_is_told(void **state)
{
	(void)state;
	given("GET /cgi-bin/x" HOST "\r\n");
	request.tls = true;
	make(no_fixed);
	must_have("REQUEST_SCHEME", "https");
	must_have("HTTPS", "on");
}

static void
the_fixed_part_stands_first_and_wins(void **state)
{
	char *fixed[] = { (char[]){ "PATH=/bin" },
			  (char[]){ "HTTPS=on" },
			  (char[]){ "REQUEST_SCHEME=https" },
			  (char[]){ "DOCUMENT_ROOT=/d" },
			  (char[]){ "SERVER_ADMIN=" },
			  (char[]){ "HTTP_X=fixed" },
			  (char[]){ "SCRIPT_FILENAME=/s=t" },
			  (char[]){ "SERVER=mine" },
			  NULL };

	(void)state;
	given("GET /cgi-bin/x/y" HOST "X: field\r\nX-Y: other\r\n\r\n");
	request.server_admin = "root";
	make(fixed);
	for (size_t i = 0; fixed[i]; i++)
		assert_ptr_equal(environment[i], fixed[i]);
	must_have("HTTPS", "on");
	must_have("REQUEST_SCHEME", "https");
	must_have("DOCUMENT_ROOT", "/d");
	must_have("SERVER_ADMIN", "");
	must_have("SCRIPT_FILENAME", "/s=t");
	must_have("HTTP_X", "fixed");
	must_have("HTTP_X_Y", "other");
	must_have("SERVER", "mine");
	must_have("SERVER_NAME", "a");
	/* The daemon's view stays what it is. */
	must_have("PATH_TRANSLATED", "/srv/www/y");
}

static void
too_many_fixed_ones_have_no_room(void **state)
{
	static char *fixed[HTTP_CGI_ENV_FIXED_MAX + 2];

	(void)state;
	for (size_t i = 0; i <= HTTP_CGI_ENV_FIXED_MAX; i++)
		fixed[i] = util_format("V%zu=", i);
	given("GET /cgi-bin/x" HOST "\r\n");
	assert_null(http_cgi_env(fixed, &request));
	free(fixed[HTTP_CGI_ENV_FIXED_MAX]);
	fixed[HTTP_CGI_ENV_FIXED_MAX] = NULL;
	make(fixed);
	must_have("V1023", "");
	must_have("SERVER_NAME", "a");
	for (size_t i = 0; fixed[i]; i++)
		free(fixed[i]);
}

static void
what_execve_does_not_take_is_refused(void **state)
{
	static char value[131071 - sizeof("HTTP_X=") + 2];
	struct http_field field = { { "X", 1 }, { value, sizeof(value) - 1 } };
	struct http_head head;

	(void)state;
	memset(value, 'v', sizeof(value));
	given("GET /cgi-bin/x" HOST "\r\n");
	head = *request.head;
	head.fields = &field;
	head.nfields = 1;
	request.head = &head;
	make(no_fixed);
	assert_int_equal(strlen(value_of("HTTP_X")), sizeof(value) - 1);
	field.value.len++;
	assert_null(http_cgi_env(no_fixed, &request));
	field.value.len--;
	make(no_fixed);
}

/* 1000 fields, request line and paths as long as they may be. */
static void
the_largest_head_has_room(void **state)
{
	static char text[65536], name[65536];
	static struct http_field fields[HTTP_FIELDS_MAX];
	const struct http_text all = { text, sizeof(text) };
	struct http_head head;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++) {
		char *at = name + 5 * i;

		snprintf(at, 6, "%05zu", i);
		fields[i] = (struct http_field){ { at, 5 }, { text, 262144 / 1000 - 5 - 3 } };
	}
	given("GET /cgi-bin/x" HOST "\r\n");
	head = *request.head;
	head.fields = fields;
	head.nfields = HTTP_FIELDS_MAX;
	head.authority = head.target = all;
	fields[0].name = (struct http_text){ "Host", 4 };
	memset(target.path, '/', HTTP_PATH_BYTES - 1);
	target.len = HTTP_PATH_BYTES - 1;
	target.query = request.method = request.uri = all;
	text[0] = 'h';
	request.head = &head;
	request.script_name_len = 0;
	request.script_filename = request.document_root = "/srv";
	make(no_fixed);
	assert_int_equal(strlen(value_of("HTTP_HOST")), sizeof(text));
	assert_int_equal(strlen(value_of("SERVER_NAME")), sizeof(text));
	assert_int_equal(strlen(value_of("PATH_INFO")), HTTP_PATH_BYTES - 1);
	assert_int_equal(strlen(value_of("HTTP_00999")), 262144 / 1000 - 8);
}

static void
what_a_request_sets_is_reserved(void **state)
{
	static const char *const free_ones[] = {
		"DOCUMENT_ROOT",  "SCRIPT_FILENAME", "SERVER_ADMIN=x",  "HTTPS=on",
		"REQUEST_SCHEME", "PATH=/bin",       "HTTP=",           "SERVER",
		"AUTH_TYPES=x",   "=SERVER_NAME",    "LANG=SERVER_NAME"
	};
	static const char *const more[] = { "AUTH_TYPE",     "REMOTE_IDENT=x", "REMOTE_USER",
					    "HTTP_",         "HTTP_PROXY",     "HTTP_X=y",
					    "CONTENT_LENGTH" };
	size_t may = 0;

	(void)state;
	given("POST /cgi-bin/x/y" HOST "Content-Length: 1\r\nContent-Type: a/b\r\n\r\n");
	request.user = (struct http_text){ "a", 1 };
	request.server_admin = "root";
	make(no_fixed);
	for (char *const *at = environment; *at; at++)
		may += !http_cgi_env_is_reserved(*at);
	assert_int_equal(may, 4); /* and HTTPS, which is not set here */
	for (size_t i = 0; i < ARRAY_LEN(free_ones); i++)
		if (http_cgi_env_is_reserved(free_ones[i]))
			fail_msg("%s is reserved", free_ones[i]);
	for (size_t i = 0; i < ARRAY_LEN(more); i++)
		if (!http_cgi_env_is_reserved(more[i]))
			fail_msg("%s is not reserved", more[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_has_this_environment),
		cmocka_unit_test(a_post_of_a_proven_user_has_this_environment),
		cmocka_unit_test(the_length_is_that_of_the_body),
		cmocka_unit_test(a_path_is_split_at_the_end_of_the_script),
		cmocka_unit_test(after_a_local_redirect_only_the_uri_is_the_first_one),
		cmocka_unit_test(addresses_are_those_of_the_connection),
		cmocka_unit_test(a_unix_socket_has_no_port),
		cmocka_unit_test(only_a_harmless_host_becomes_the_name_of_the_server),
		cmocka_unit_test(the_host_of_an_absolute_form_counts),
		cmocka_unit_test(fields_that_are_none_of_the_scripts_stay_out),
		cmocka_unit_test(a_password_is_passed_if_it_shall_be),
		cmocka_unit_test(fields_of_one_name_are_one_variable),
		cmocka_unit_test(a_client_that_speaks_tls_with_a_proxy_is_told),
		cmocka_unit_test(the_fixed_part_stands_first_and_wins),
		cmocka_unit_test(too_many_fixed_ones_have_no_room),
		cmocka_unit_test(what_execve_does_not_take_is_refused),
		cmocka_unit_test(the_largest_head_has_room),
		cmocka_unit_test(what_a_request_sets_is_reserved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
