#include "unit.h"

#include "status_html.h"
#include "status_lines.h"
#include "status_page.h"
#include "status_units.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1764000000 /* 2025-11-24 16:00:00 UTC */

static void
print_once(const struct status_doc *doc, FILE *out)
{
	status_page_print(doc, NOW, STATUS_PAGE_ONCE, out);
}

static void
print_live(const struct status_doc *doc, FILE *out)
{
	status_page_print(doc, NOW, STATUS_PAGE_LIVE, out);
}

static size_t
occurrences(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text++;
	}
	return n;
}

/* That the page of these lines, as a file, has each of the texts. */
static void
assert_has(const char *const *lines, const char *const *wanted)
{
	char *text = status_lines_printed(print_once, lines);

	for (; *wanted; wanted++)
		if (!strstr(text, *wanted))
			fail_msg("no %s in:\n%s", *wanted, text);
	free(text);
}

static const char *const one_pool[] = {
	"daemon\tversion=0.1.0\tpid=812\tuptime_ms=65321\tgeneration=2\tstate=running\tworkers="
	"1234\t"
	"max_workers=5000\treload_state=done\treload_ago_ms=1500\treload_text=kept www",
	"pool\tname=www\tservice=http\tlisten=*:80\tstate=running\tbusy=3\tkept=2\tmax_workers=12\t"
	"queue_length=64\tqueue_limit=128\taccepted=48213\trequests=51002\tbytes_out=1104822134\t"
	"refused_times=2\tshed=1200\tcrashes=5\tdied_oom=5\tp50_us=1240\tmax_us=2104000\t"
	"history=3;1,0,10;4,2,41",
	"worker\tpool=www\tpid=900\tstate=writing\trequests=1\tage_ms=7262500\tsince_ms=1250\t"
	"client=192.0.2.1:4711\trequest=GET /x",
	"worker\tpool=www\tpid=901\tstate=idle\tage_ms=9999", NULL
};

static void
a_page_has_the_figures(void **state)
{
	(void)state;
	assert_has(
	    one_pool,
	    (const char *[]){
		"<title>preforkd 0.1.0</title>",
		"<dd data-f=\"up\">1m05s</dd>",
		"<span data-f=\"workers\">1,234</span> of <span "
		"data-f=\"max_workers\">5,000</span>",
		"<dd data-f=\"reload\">done 1.5s ago: kept www</dd>",
		"<span class=\"good\">1 pool, all in order</span>",
		">on *:80<",
		"<b data-f=\"busy\">3</b>",
		">, 2 kept alive<",
		"width=\"25\"",
		"<b data-f=\"queue_length\">64</b>",
		"width=\"50\"",
		"<b data-f=\"rate\">4.1</b>",
		"busiest 10 s: 4 with a request",
		"at most 2 in 10 min",
		"busiest 10 s: 4.1",
		"d=\"M58 100V75H59V0H60V100Z\"",
		">1.2 ms<",
		">2.1 s<",
		">48,213<",
		">1.1 GB<",
		">1,202 (times 2, queue_wait 1,200)<",
		">5 (oom 5)<",
		">1 idle, 1 writing<",
		"<li class=\"writing\" title=\"worker 900: writing an answer for 1.2s, 1 request, "
		"192.0.2.1:4711, GET /x\">W</li>",
		"<li class=\"idle young\" title=\"worker 901: idle for 0.0s, 0 requests\">I</li>",
		"<td>192.0.2.1:4711</td>",
		"datetime=\"2025-11-24T16:00:00Z\"",
		"No worker has died, no reload was refused.",
		NULL });
}

static void
what_is_not_known_is_a_dash(void **state)
{
	(void)state;
	assert_has((const char *[]){ "daemon\tversion=0", "pool\tname=a", NULL },
		   (const char *[]){ "<b data-f=\"queue_length\">-</b>", "<b data-f=\"rate\">-</b>",
				     "<dd data-f=\"p50_s\">-</dd>", "no history yet",
				     "not listening", "There is no worker.", "No worker is busy.",
				     "<dd data-f=\"reload\">none</dd>", NULL });
	assert_has(
	    (const char *[]){ "daemon\tversion=0\treload_state=under way\treload_ago_ms=5200",
			      NULL },
	    (const char *[]){ "<dd data-f=\"reload\">under way for 5.2s</dd>", NULL });
}

static void
trouble_is_named_at_the_top(void **state)
{
	(void)state;
	assert_has(
	    (const char *[]){ "daemon\tversion=0\treload_state=refused\treload_text=f:1: <no>",
			      "pool\tname=a\tstate=running\tsaturated_ms=5000",
			      "pool\tname=b\tstate=running",
			      "pool\tname=c\tstate=backed off\tlast_failure=status 1", NULL },
	    (const char *[]){ "<title>2 in trouble: preforkd 0</title>",
			      "2 of 3 pools in trouble</span>: <a href=\"#pool-1\">a</a> "
			      "saturated, <a href=\"#pool-3\">c</a> backed off",
			      "id=\"pool-3\"", "data-word=\"saturated\"",
			      "<li>backed off: next attempt now; last failure: status 1</li>",
			      "<li class=\"off\" title=\"backed off\">!</li>",
			      "The last reload was refused: f:1: &#60;no&#62;", NULL });
}

static void
the_longest_requests_come_first(void **state)
{
	const char *lines[16] = { "daemon\tversion=0", "pool\tname=a" };
	char *text, *workers[12], *row;

	(void)state;
	for (int i = 0; i < 12; i++) {
		workers[i] = util_format("worker\tpool=a\tpid=%d\tstate=%s\tsince_ms=%d", 100 + i,
					 i == 5 ? "keepalive" : "busy", 1000 * (i * 5 % 12));
		lines[2 + i] = workers[i];
	}
	text = status_lines_printed(print_once, lines);
	row = strstr(text, "<table id=\"requests\">");
	for (int since = 11; since >= 0; since--) {
		int i = since * 5 % 12; /* 5 is its own inverse */
		char *cell = util_format("<td class=\"number\">%d</td>", 100 + i);

		if (i == 5 || since == 0)
			assert_null(strstr(row, cell));
		else
			row = strstr(row, cell);
		assert_non_null(row);
		free(cell);
		free(workers[i]);
	}
	free(text);
}

static void
the_newest_event_comes_first(void **state)
{
	char *text = status_lines_printed(
	    print_once,
	    (const char *[]){ "daemon\tversion=0", "event\tago_ms=9000\ttext=older",
			      "event\tago_ms=100\ttext=newer\tkind=death\tpool=w", NULL });

	(void)state;
	assert_true(strstr(text, "newer") < strstr(text, "older"));
	assert_non_null(strstr(text, "<td>w</td><td>death</td><td class=\"wide\">newer</td>"));
	free(text);
}

/* As a value of a record, and as it must stand in the page. */
static const struct {
	const char *value, *shown;
} odd[] = {
	{ "<script>alert(1)</script>", "&#60;script&#62;alert(1)&#60;/script&#62;" },
	{ "\" onload=\"x", "&#34; onload=&#34;x" },
	{ "' onload='x", "&#39; onload=&#39;x" },
	{ "&lt;b&gt;", "&#38;lt;b&#38;gt;" },
	{ "\\x1b[2J\\x0a\\x09\\x5c", "\\x1b[2J\\x0a\\x09\\" },
	{ "\xff\xc3(\xed\xa0\x80", "\\xff\\xc3(\\xed\\xa0\\x80" },
	{ "\xc2\x9b", "\\xc2\\x9b" },
	{ "%{css}%{pools}", "%{css}%{pools}" },
	{ "m\xc3\xbcll", "m\xc3\xbcll" },
};

/* How often a value stands in the page when everything that is text has it. */
static void
check_odd(const char *value, const char *shown, void (*print)(const struct status_doc *, FILE *))
{
	char *daemon = util_format("daemon\tversion=%s\tstate=%s\treload_state=refused\t"
				   "reload_text=%s",
				   value, value, value);
	char *pool = util_format("pool\tname=%s\tservice=%s\tlisten=%s\tstate=%s\tlast_failure=%s\t"
				 "history=%s",
				 value, value, value, value, value, value);
	char *worker =
	    util_format("worker\tpool=%s\tstate=busy\tclient=%s\trequest=%s", value, value, value);
	char *other = util_format("worker\tpool=%s\tstate=%s", value, value);
	char *event = util_format("event\tpool=%s\tkind=%s\ttext=%s", value, value, value);
	char *text = status_lines_printed(
	    print, (const char *[]){ daemon, event, pool, worker, other, NULL });

	/*
	 * version 2, state, reload; pool: name, service, listen, state 2, failure; worker: 2 in
	 * its title, 2 among all, 3 among the longest; the state of the other; event: 3
	 */
	if (occurrences(text, shown) < 4 + 6 + 7 + 1 + 3)
		fail_msg("%s stands %zu times in:\n%s", shown, occurrences(text, shown), text);
	if (strcmp(value, shown) != 0)
		assert_null(strstr(text, value));
	for (const char *p = text; *p; p += utf8_char(p))
		if (utf8_char(p) == 0 || ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t'))
			fail_msg("a byte that no page has: %s", p);
	free(daemon);
	free(pool);
	free(worker);
	free(other);
	free(event);
	free(text);
}

static void
what_comes_from_outside_is_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		check_odd(odd[i].value, odd[i].shown, print_once);
		check_odd(odd[i].value, odd[i].shown, print_live);
	}
}

static void
every_place_is_filled(void **state)
{
	char *text = status_lines_printed(print_live, one_pool);

	(void)state;
	assert_null(strstr(text, "%{"));
	free(text);
}

static void
only_a_live_page_has_a_script(void **state)
{
	char *live = status_lines_printed(print_live, one_pool);
	char *once = status_lines_printed(print_once, one_pool);

	(void)state;
	assert_int_equal(occurrences(live, "<script>"), 1);
	assert_int_equal(occurrences(live, "<noscript>"), 1);
	assert_int_equal(occurrences(live, "<template "), 1);
	assert_null(strstr(once, "<script"));
	assert_null(strstr(once, "<noscript"));
	assert_null(strstr(once, "<template"));
	free(live);
	free(once);
}

/* The hashes are right if a browser takes them: tests/functional/test_status_page.py. */
static void
the_policy_allows_its_own_style_and_script_only(void **state)
{
	const char *policy = status_page_policy();
	char *text = status_lines_printed(print_once, one_pool), *in_text;

	(void)state;
	assert_non_null(strstr(policy, "default-src 'none'; style-src 'sha256-"));
	assert_non_null(strstr(policy, "script-src 'sha256-"));
	assert_non_null(strstr(policy, "; frame-ancestors 'none'"));
	assert_null(strstr(policy, "unsafe"));
	in_text = util_format("content=\"%.*s\"",
			      (int)(strstr(policy, "; frame-ancestors") - policy), policy);
	assert_non_null(strstr(text, in_text));
	free(in_text);
	free(text);
}

static void
put_name(FILE *out, const char *name, const void *of)
{
	fprintf(out, "[%s%s]", name, (const char *)of);
}

static void
a_template_is_filled(void **state)
{
	static const struct {
		const char *template, *filled;
	} rows[] = {
		{ "", "" },
		{ "a%{b}c", "a[b!]c" },
		{ "%{a}%{b}", "[a!][b!]" },
		{ "100 % {a} %", "100 % {a} %" },
		{ "%{open", "%{open" },
		{ "%{}", "[!]" },
		{ "%{a-name-that-is-longer-than-any-place-has}",
		  "[a-name-that-is-longer-than-any-!]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		status_html_fill(out, rows[i].template, put_name, "!");
		fclose(out);
		assert_string_equal(text, rows[i].filled);
		free(text);
	}
}

static void
assert_shown(char *text, const char *wanted)
{
	assert_string_equal(text, wanted);
	free(text);
}

static void
figures_are_short(void **state)
{
	(void)state;
	assert_shown(status_units_count(0), "0");
	assert_shown(status_units_count(999), "999");
	assert_shown(status_units_count(1000), "1,000");
	assert_shown(status_units_count(1234567), "1,234,567");
	assert_shown(status_units_count(-1), "-");
	assert_shown(status_units_bytes(-5), "0 B");
	assert_shown(status_units_bytes(999), "999 B");
	assert_shown(status_units_bytes(1000), "1.0 kB");
	assert_shown(status_units_bytes(9999), "9.9 kB");
	assert_shown(status_units_bytes(10000), "10 kB");
	assert_shown(status_units_bytes(999999), "999 kB");
	assert_shown(status_units_bytes(1000000), "1.0 MB");
	assert_shown(status_units_bytes(INT64_C(3200000000000)), "3.2 TB");
	assert_shown(status_units_bytes(INT64_MAX), "9223 PB");
	assert_shown(status_units_duration(-1), "0.0 ms");
	assert_shown(status_units_duration(340), "0.3 ms");
	assert_shown(status_units_duration(45999), "45 ms");
	assert_shown(status_units_duration(1000000), "1.0 s");
	assert_shown(status_units_duration(59999999), "59 s");
	assert_shown(status_units_duration(60000000), "1m00s");
	assert_shown(status_units_tenths(0), "0.0");
	assert_shown(status_units_tenths(412), "41.2");
	assert_shown(status_units_tenths(4129), "412");
	assert_shown(status_units_tenths(123456), "12,345");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_has_the_figures),
		cmocka_unit_test(what_is_not_known_is_a_dash),
		cmocka_unit_test(trouble_is_named_at_the_top),
		cmocka_unit_test(the_longest_requests_come_first),
		cmocka_unit_test(the_newest_event_comes_first),
		cmocka_unit_test(what_comes_from_outside_is_text),
		cmocka_unit_test(every_place_is_filled),
		cmocka_unit_test(only_a_live_page_has_a_script),
		cmocka_unit_test(the_policy_allows_its_own_style_and_script_only),
		cmocka_unit_test(a_template_is_filled),
		cmocka_unit_test(figures_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
