/*
 * Lines of the access log, and what the bytes of a request can do to them.
 */
#include "unit.h"

#include "http_log.h"
#include "http_log_text.h"
#include "util.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 8192
#define TEXT(s)                    \
	{                          \
		(s), sizeof(s) - 1 \
	}

static const char reply[] = "HTTP/1.1 200 OK\r\nServer: preforkd\r\nContent-Type:  text/html\r\n"
			    "X-Empty:\r\n\r\n";

static struct http_field fields[] = {
	{ TEXT("Referer"), TEXT("http://a.example/\"x\"") },
	{ TEXT("User-Agent"), TEXT("curl/8 (a b)") },
	{ TEXT("X-Twice"), TEXT("one") },
	{ TEXT("x-twice"), TEXT("two") },
	{ TEXT("X-Empty"), TEXT("") },
};

static struct http_head head = {
	.method_text = TEXT("GET"),
	.request_line = TEXT("GET /a%20b?x=1 HTTP/1.1"),
	.target = TEXT("/a%20b?x=1"),
	.authority = TEXT("www.example.org"),
	.origin = TEXT("/a%20b?x=1"),
	.minor = 1,
	.fields = fields,
	.nfields = ARRAY_LEN(fields),
};

static const struct http_log_entry entry = {
	.head = &head,
	.reply = TEXT(reply),
	.client = TEXT("192.0.2.1"),
	.local = TEXT("2001:db8::1"),
	.server = TEXT("example.org"),
	.user = TEXT("alice"),
	.port = 8080,
	.pid = 4711,
	.status = 200,
	.began_us = 1000000000123456, /* 2001-09-09 01:46:40 UTC */
	.took_us = 2500042,
	.body = 1024,
	.received = 80,
	.sent = 1200,
	.nth = 3,
	.connection = '+',
};

static struct http_log_format *
compile(const char *text)
{
	char *err = NULL;
	struct http_log_format *format = http_log_format_new(text, &err);

	if (!format)
		fail_msg("\"%s\": %s", text, err);
	return format;
}

/* The line without its LF; buf has LINE_BYTES. */
static const char *
line_of(const char *format_text, const struct http_log_entry *e, char *buf)
{
	struct http_log_format *format = compile(format_text);
	size_t len = http_log_format_line(format, e, buf, LINE_BYTES);

	http_log_format_free(format);
	assert_true(len > 0 && len <= LINE_BYTES);
	assert_ptr_equal(memchr(buf, '\n', len), buf + len - 1);
	buf[len - 1] = '\0';
	return buf;
}

static int
set_zone(void **state)
{
	(void)state;
	setenv("TZ", "EET-2", 1);
	return 0;
}

/* ---- formats ------------------------------------------------------------------------------ */

static void
each_letter_says_what_apaches_does(void **state)
{
	static const struct {
		const char *format, *line;
	} rows[] = {
		{ "%% %a", "% 192.0.2.1" },
		{ "%A %b %B", "2001:db8::1 1024 1024" },
		{ "%D %T %{s}T %{ms}T %{us}T", "2500042 2 2 2500 2500042" },
		{ "%h %H %I %k %l", "192.0.2.1 HTTP/1.1 80 3 -" },
		{ "%m %O %p %P", "GET 1200 8080 4711" },
		{ "%U%q|%q|%r", "/a%20b?x=1|?x=1|GET\\x20/a%20b?x=1\\x20HTTP/1.1" },
		{ "\"%r\"", "\"GET /a%20b?x=1 HTTP/1.1\"" },
		{ "%s %>s %<s %u %v %V %X", "200 200 200 alice example.org www.example.org +" },
		{ "%t", "[09/Sep/2001:03:46:40 +0200]" },
		{ "%{%Y-%m-%d %H:%M}t", "2001-09-09 03:46" },
		{ "%{sec}t %{msec}t %{usec}t", "1000000000 1000000000123 1000000000123456" },
		{ "%{%T}t.%{msec_frac}t.%{usec_frac}t", "03:46:40.123.123456" },
		{ "%{x-TWICE}i %{X-Empty}i \"%{X-Empty}i\" %{No}i", "one - \"\" -" },
		{ "%{server}o %{Content-type}o %{X-Empty}o %{HTTP/1.1 200 OK}t %{Type}o %{Serve}o",
		  "preforkd text/html - HTTP/1.1 200 OK - -" },
		{ "a\\\"%a\\\"\\\\\\t%a", "a\"192.0.2.1\"\\\t192.0.2.1" },
		{ "common", "192.0.2.1 - alice [09/Sep/2001:03:46:40 +0200] "
			    "\"GET /a%20b?x=1 HTTP/1.1\" 200 1024" },
		{ "combined", "192.0.2.1 - alice [09/Sep/2001:03:46:40 +0200] "
			      "\"GET /a%20b?x=1 HTTP/1.1\" 200 1024 "
			      "\"http://a.example/\\\"x\\\"\" \"curl/8 (a b)\"" },
	};
	char buf[LINE_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(line_of(rows[i].format, &entry, buf), rows[i].line);
}

static void
what_is_not_known_is_a_dash(void **state)
{
	static const struct http_log_entry nothing = { .connection = '-' };
	static struct http_head broken = { .request_line = TEXT("\x16\x03\x01 HTTP/1.1") };
	static struct http_head plain = { .target = TEXT("/x") };
	struct http_log_entry no_query = nothing,
			      unreadable = { .head = &broken, .connection = 'X' };
	char buf[LINE_BYTES];

	(void)state;
	assert_string_equal(
	    line_of("%a %A %b %B %H %m %q %r %s %U %u %v %V %X %{A}i %{A}o", &nothing, buf),
	    "- - - 0 - - - - - - - - - - - -");
	no_query.head = &plain;
	assert_string_equal(line_of("%U%q %q|", &no_query, buf), "/x |");
	assert_string_equal(line_of("%m %H %U \"%r\" %X", &unreadable, buf),
			    "- - - \"\\x16\\x03\\x01 HTTP/1.1\" X");
}

static void
a_line_has_the_time_of_its_own_second(void **state)
{
	struct http_log_format *format = compile("%t %{%S}t");
	struct http_log_entry e = entry;
	char buf[LINE_BYTES];
	size_t len;

	(void)state;
	for (int i = 0; i < 3; i++) {
		static const char *const lines[] = { "[09/Sep/2001:03:46:40 +0200] 40\n",
						     "[09/Sep/2001:03:46:41 +0200] 41\n",
						     "[01/Jan/1970:01:59:59 +0200] 59\n" };
		static const int64_t times[] = { 1000000000999999, 1000000001000000, -1 };

		e.began_us = times[i];
		len = http_log_format_line(format, &e, buf, sizeof(buf));
		buf[len] = '\0';
		assert_string_equal(buf, lines[i]);
	}
	http_log_format_free(format);
}

static void
a_wrong_format_is_refused_with_the_place(void **state)
{
	static const struct {
		const char *format, *why;
	} rows[] = {
		{ "commons", "neither common" },
		{ "", "neither common" },
		{ "%h %f %b", "at byte 4: \"%f %b\": there is no such letter" },
		{ "%h %", "at byte 4: \"%\": a letter is missing" },
		{ "%{Referer", "at byte 1: \"%{Referer\": the } is missing" },
		{ "%{Referer}", "a letter is missing" },
		{ "%i", "needs the name of a field" },
		{ "%{}i", "needs the name of a field" },
		{ "%{a b}o", "needs the name of a field" },
		{ "%{x}a", "this letter has no name" },
		{ "%{min}T", "the unit is s, ms or us" },
		{ "%{begin:%T}t", "no begin: and end:" },
		{ "%{}t", "the time is empty" },
		{ "%{%c%c%c%c%c}t", "longer than 63 bytes" },
		{ "%{%n}t", "the time has a control character" },
		{ "%400{Referer}i", "there is no such letter" },
		{ "%h\n%r", "at byte 3: \"\n%r\": there is a control character" },
		{ "%h\\n", "after a backslash only" },
		{ "%h\\", "after a backslash only" },
	};
	char many[4096] = "", *err = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(http_log_format_new(rows[i].format, &err));
		if (!strstr(err, rows[i].why))
			fail_msg("\"%s\" was refused because: %s", rows[i].format, err);
		free(err);
		err = NULL;
	}
	for (int i = 0; i < 64; i++)
		strcat(many, "%r ");
	assert_null(http_log_format_new(many, &err));
	assert_string_equal(err, "the lines would be too long");
	free(err);
}

/* ---- bytes of a request ---------------------------------------------------------------------- */

/* All that a client chooses is this text. */
static struct http_log_entry
hostile(struct http_text text, struct http_head *h, struct http_field his[2])
{
	struct http_log_entry e = entry;

	*h = head;
	his[0] = (struct http_field){ TEXT("Referer"), text };
	his[1] = (struct http_field){ TEXT("User-Agent"), text };
	h->fields = his;
	h->nfields = 2;
	h->method_text = h->request_line = h->target = h->origin = h->authority = text;
	e.head = h;
	e.user = text;
	return e;
}

/* What the escape of a JSON string stands for when the bytes are not UTF-8: U+00hh. */
static void
check_json_text(const json_t *root, const char *key, unsigned char byte)
{
	const json_t *value = json_object_get(root, key);
	char want[8] = { 'a', 0 };

	if (byte < 0x80)
		snprintf(want, sizeof(want), "a%cz", byte);
	else
		snprintf(want, sizeof(want), "a%c%cz", 0xc0 | byte >> 6, 0x80 | (byte & 0x3f));
	assert_int_equal(json_string_length(value), byte < 0x80 ? 3 : 4);
	assert_memory_equal(json_string_value(value), want, json_string_length(value));
}

static void
json_is_valid_whatever_the_bytes_are(void **state)
{
	static const char *const keys[] = { "user",    "method",     "target",
					    "referer", "user_agent", "host" };
	char buf[LINE_BYTES];

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		char text[] = { 'a', (char)byte, 'z' };
		struct http_head h;
		struct http_field his[2];
		struct http_log_entry e = hostile((struct http_text){ text, 3 }, &h, his);
		json_error_t error;
		json_t *root = json_loads(line_of("json", &e, buf),
					  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);

		if (!root)
			fail_msg("byte %d: %s in %s", byte, error.text, buf);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			check_json_text(root, keys[i], (unsigned char)byte);
		json_decref(root);
	}
}

static void
json_has_every_fact(void **state)
{
	char buf[LINE_BYTES];

	(void)state;
	assert_string_equal(
	    line_of("json", &entry, buf),
	    "{\"time\":\"2001-09-09T01:46:40.123Z\",\"client\":\"192.0.2.1\",\"user\":\"alice\","
	    "\"method\":\"GET\",\"target\":\"/a%20b?x=1\",\"protocol\":\"HTTP/1.1\","
	    "\"status\":200,\"bytes\":1024,\"referer\":\"http://a.example/\\\"x\\\"\","
	    "\"user_agent\":\"curl/8 (a b)\",\"host\":\"www.example.org\","
	    "\"server\":\"example.org\",\"port\":8080,\"duration_us\":2500042,\"received\":80,"
	    "\"sent\":1200,\"connection\":\"+\",\"keepalive\":3,\"pid\":4711}");
}

static void
json_keeps_utf8_and_nothing_that_only_looks_like_it(void **state)
{
	static const struct {
		struct http_text text;
		const char *json;
	} rows[] = {
		{ TEXT("gr\xc3\xbc\xc3\x9f"), "\"gr\xc3\xbc\xc3\x9f\"" },
		{ TEXT("\xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xe2\x82\xac \xf0\x9f\x98\x80\"" },
		{ TEXT("\xc3"), "\"\\u00c3\"" },                       /* cut */
		{ TEXT("\xe2\x82"), "\"\\u00e2\\u0082\"" },            /* cut */
		{ TEXT("\xc0\xaf"), "\"\\u00c0\\u00af\"" },            /* longer than need be */
		{ TEXT("\xed\xa0\x80"), "\"\\u00ed\\u00a0\\u0080\"" }, /* a surrogate */
		{ TEXT("\xf4\x90\x80\x80"), "\"\\u00f4\\u0090\\u0080\\u0080\"" },
		{ TEXT("\xc2\x9b"), "\"\\u00c2\\u009b\"" }, /* CSI of 8 bits */
		{ TEXT("\x7f\x1b\0\b\t\n\v\f\r"),
		  "\"\\u007f\\u001b\\u0000\\b\\t\\n\\u000b\\f\\r\"" },
	};
	char buf[LINE_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_log_entry e = entry;

		e.user = rows[i].text;
		line_of("json", &e, buf);
		if (!strstr(buf, rows[i].json))
			fail_msg("%s is not in %s", rows[i].json, buf);
	}
}

/* A line of common as a reader takes it apart; true: it is one, and has that status. */
static bool
is_common(const char *line, const char *status)
{
	const char *p = line;

	for (int word = 0; word < 3; word++) { /* client, -, user */
		size_t len = strcspn(p, " ");

		if (len == 0 || p[len] != ' ')
			return false;
		p += len + 1;
	}
	if (strncmp(p, "[09/Sep/2001:03:46:40 +0200] \"", 30) != 0)
		return false;
	for (p += 30; *p && *p != '"'; p += *p == '\\' && p[1] ? 2 : 1)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return false;
	return *p == '"' && strcmp(p + 1, status) == 0;
}

static void
common_cannot_be_forged_by_any_byte(void **state)
{
	static const struct http_text attacks[] = {
		TEXT("x [01/Jan/2000:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1"),
		TEXT("x\" 404 0\n192.0.2.9 - - [09/Sep/2001:03:46:40 +0200] \"GET /"),
		TEXT("\\"),
		TEXT("\\\""),
		TEXT("a\\"),
		TEXT("\r\n"),
		TEXT(""),
		TEXT(" "),
		TEXT("\t"),
	};
	char buf[LINE_BYTES];

	(void)state;
	for (int i = 0; i < 256 + (int)ARRAY_LEN(attacks); i++) {
		char text[] = { (char)i, 'x', (char)i, (char)i };
		struct http_head h;
		struct http_field his[2];
		struct http_log_entry e =
		    hostile(i < 256 ? (struct http_text){ text, 4 } : attacks[i - 256], &h, his);

		if (!is_common(line_of("common", &e, buf), " 200 1024"))
			fail_msg("%d: %s", i, buf);
	}
}

static void
text_has_apaches_escapes(void **state)
{
	struct http_log_entry e = entry;
	char buf[LINE_BYTES];

	(void)state;
	e.user = (struct http_text)TEXT("\b\t\n\v\f\r\x1b\x7f\x80\xff\"\\ ~\0");
	assert_string_equal(line_of("\"%u\" %u", &e, buf),
			    "\"\\b\\t\\n\\v\\x0c\\r\\x1b\\x7f\\x80\\xff\\\"\\\\ ~\\x00\" "
			    "\\b\\t\\n\\v\\x0c\\r\\x1b\\x7f\\x80\\xff\\\"\\\\\\x20~\\x00");
}

/* ---- cutting ------------------------------------------------------------------------------------
 */

static void
a_long_text_is_cut_and_the_line_stays_whole(void **state)
{
	static char text[3 * LINE_BYTES];
	static const char fill[] = "a\x01\xc3\xbc\"";
	char buf[LINE_BYTES];
	struct http_log_entry e = entry;
	struct http_head h = head;
	struct http_log_format *format = compile("json"), *common = compile("common");

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = fill[i % (sizeof(fill) - 1)];
	e.head = &h;
	for (size_t n = 0; n < sizeof(text); n += n < 4096 ? 7 : 1009) {
		size_t sizes[] = { HTTP_LOG_LINE_MIN, LINE_BYTES - 64 };
		size_t len;
		json_t *root;

		h.target = h.request_line = (struct http_text){ text, n };
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			memset(buf, '#', sizeof(buf));
			len = http_log_format_line(format, &e, buf, sizes[i]);
			assert_true(len > 0 && len <= sizes[i]);
			assert_int_equal(buf[sizes[i]], '#');
			root = json_loadb(buf, len, JSON_REJECT_DUPLICATES, NULL);
			assert_non_null(root);
			assert_string_equal(json_string_value(json_object_get(root, "user_agent")),
					    "curl/8 (a b)");
			json_decref(root);
			/* A line that was cut is as long as it can be, but for a character. */
			assert_true(n < LINE_BYTES || len > sizes[i] - 10);
			len = http_log_format_line(common, &e, buf, sizes[i]);
			buf[len - 1] = '\0';
			assert_true(is_common(buf, " 200 1024"));
			assert_true(n < LINE_BYTES || strstr(buf, "...\" 200"));
		}
	}
	http_log_format_free(format);
	http_log_format_free(common);
}

static void
a_short_text_is_not_cut_for_a_long_one(void **state)
{
	static char text[2 * LINE_BYTES];
	struct http_log_entry e = entry;
	struct http_head h = head;
	char buf[LINE_BYTES];

	(void)state;
	memset(text, 'a', sizeof(text));
	e.head = &h;
	h.request_line = (struct http_text){ text, sizeof(text) };
	line_of("combined", &e, buf);
	assert_int_equal(strlen(buf), LINE_BYTES - 1);
	assert_non_null(
	    strstr(buf, "aaa...\" 200 1024 \"http://a.example/\\\"x\\\"\" \"curl/8 (a b)\""));
}

static void
a_text_is_cut_between_characters_with_a_mark(void **state)
{
	static const struct {
		struct http_text text;
		size_t max;
		const char *cut;
	} rows[] = {
		{ TEXT("abcdef"), 6, "abcdef" },      { TEXT("abcdefg"), 6, "abc..." },
		{ TEXT("abcdefg"), 3, "..." },        { TEXT("\n\n\n"), 6, "\\n\\n\\n" },
		{ TEXT("\n\n\n\n"), 6, "\\n..." },    { TEXT("abcd\x01"), 6, "abc..." },
		{ TEXT("abcd\x01"), 8, "abcd\\x01" }, { TEXT("\x01\x01\x01"), 8, "\\x01..." },
		{ TEXT("\x01\x01\x01"), 6, "..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[64] = "";
		struct http_log_line line = { buf, sizeof(buf), 0, rows[i].max };

		http_log_text(&line, rows[i].text, HTTP_LOG_QUOTED);
		buf[line.len] = '\0';
		assert_string_equal(buf, rows[i].cut);
	}
}

static void
nothing_is_written_behind_a_buffer_that_is_too_small(void **state)
{
	struct http_log_format *format = compile("combined");
	char *buf;

	(void)state;
	for (size_t size = 0; size < 256; size++) {
		buf = util_calloc(1, size + 1);
		buf[size] = '#';
		assert_true(http_log_format_line(format, &entry, buf, size) <= size);
		assert_int_equal(buf[size], '#');
		free(buf);
	}
	http_log_format_free(format);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_letter_says_what_apaches_does),
		cmocka_unit_test(what_is_not_known_is_a_dash),
		cmocka_unit_test(a_line_has_the_time_of_its_own_second),
		cmocka_unit_test(a_wrong_format_is_refused_with_the_place),
		cmocka_unit_test(json_is_valid_whatever_the_bytes_are),
		cmocka_unit_test(json_has_every_fact),
		cmocka_unit_test(json_keeps_utf8_and_nothing_that_only_looks_like_it),
		cmocka_unit_test(common_cannot_be_forged_by_any_byte),
		cmocka_unit_test(text_has_apaches_escapes),
		cmocka_unit_test(a_long_text_is_cut_and_the_line_stays_whole),
		cmocka_unit_test(a_short_text_is_not_cut_for_a_long_one),
		cmocka_unit_test(a_text_is_cut_between_characters_with_a_mark),
		cmocka_unit_test(nothing_is_written_behind_a_buffer_that_is_too_small),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
