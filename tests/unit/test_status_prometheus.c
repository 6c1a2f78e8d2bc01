#include "unit.h"

#include "status_lines.h"
#include "status_prometheus.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS 1764000000000 /* 2025-11-24 16:00:00 UTC */

static void
print(const struct status_doc *doc, FILE *out)
{
	status_prometheus_print(doc, NOW_MS, out);
}

static void
assert_lines(const char *const *lines, const char *const *wanted)
{
	char *text = status_lines_printed(print, lines);

	for (; *wanted; wanted++) {
		char *line = util_format("\n%s\n", *wanted);

		if (!strstr(text, line))
			fail_msg("no line %s in:\n%s", *wanted, text);
		free(line);
	}
	free(text);
}

static void
the_daemon_is_told(void **state)
{
	(void)state;
	assert_lines((const char *[]){ "daemon\tversion=0.1.0\tuptime_ms=65321\tgeneration=2\t"
				       "max_workers=1000\treload_state=refused\treload_ago_ms=1499",
				       NULL },
		     (const char *[]){ "preforkd_build_info{version=\"0.1.0\"} 1",
				       "preforkd_start_time_seconds 1763999935",
				       "preforkd_generation 2", "preforkd_max_workers 1000",
				       "preforkd_last_reload_successful 0",
				       "preforkd_last_reload_timestamp_seconds 1763999999", NULL });
}

/* Whatever was done since, such as a recycling of what is in force. */
static void
a_refused_file_stays_refused_until_it_is_taken_over(void **state)
{
	(void)state;
	assert_lines(
	    (const char *[]){ "daemon\tversion=0\tconfig_refused=1\treload_state=done", NULL },
	    (const char *[]){ "preforkd_last_reload_successful 0", NULL });
	assert_lines(
	    (const char *[]){ "daemon\tversion=0\tconfig_refused=0\treload_state=refused", NULL },
	    (const char *[]){ "preforkd_last_reload_successful 1", NULL });
}

static void
without_a_reload_none_has_failed(void **state)
{
	static const char *const lines[] = { "daemon\tversion=0\treload_state=none", NULL };
	char *text = status_lines_printed(print, lines);

	(void)state;
	assert_lines(lines, (const char *[]){ "preforkd_last_reload_successful 1", NULL });
	assert_null(strstr(text, "last_reload_timestamp"));
	free(text);
}

static void
the_figures_of_a_pool_are_told(void **state)
{
	(void)state;
	assert_lines(
	    (const char *[]){
		"daemon\tversion=0",
		"pool\tname=www\tservice=http\tlisten=*:80\tstate=backed off\tmax_workers=150\t"
		"accepted=48213\tqueue_length=3\tqueue_limit=511\tcrashes=20\trespawns=6\tshed=7\t"
		"next_try_ms=2500\tsaturated_ms=12000\trequests=51002\tbytes_in=4\tbytes_out=5\t"
		"given_way=8\ttimed_out=9\trefused_times=10\tdied_oom=11\tdied_signal=6",
		NULL },
	    (const char *[]){ "preforkd_pool_info{pool=\"www\",service=\"http\",listen=\"*:80\"} 1",
			      "preforkd_pool_state{pool=\"www\",state=\"running\"} 0",
			      "preforkd_pool_state{pool=\"www\",state=\"backed off\"} 1",
			      "preforkd_workers_limit{pool=\"www\"} 150",
			      "preforkd_accept_queue_length{pool=\"www\"} 3",
			      "preforkd_accept_queue_limit{pool=\"www\"} 511",
			      "preforkd_saturated_seconds{pool=\"www\"} 12",
			      "preforkd_backoff_seconds{pool=\"www\"} 2.5",
			      "preforkd_connections_total{pool=\"www\"} 48213",
			      "preforkd_requests_total{pool=\"www\"} 51002",
			      "preforkd_request_timeouts_total{pool=\"www\"} 9",
			      "preforkd_received_bytes_total{pool=\"www\"} 4",
			      "preforkd_sent_bytes_total{pool=\"www\"} 5",
			      "preforkd_keepalives_given_way_total{pool=\"www\"} 8",
			      "preforkd_worker_respawns_total{pool=\"www\"} 6",
			      "preforkd_refused_total{pool=\"www\",reason=\"access\"} 0",
			      "preforkd_refused_total{pool=\"www\",reason=\"times\"} 10",
			      "preforkd_refused_total{pool=\"www\",reason=\"queue_wait\"} 7",
			      "preforkd_worker_deaths_total{pool=\"www\",reason=\"exit\"} 0",
			      "preforkd_worker_deaths_total{pool=\"www\",reason=\"signal\"} 6",
			      "preforkd_worker_deaths_total{pool=\"www\",reason=\"oom\"} 11",
			      "preforkd_worker_deaths_total{pool=\"www\",reason=\"unknown\"} 3",
			      NULL });
}

static void
workers_are_counted_by_state(void **state)
{
	(void)state;
	assert_lines((const char *[]){ "daemon\tversion=0", "pool\tname=a",
				       "worker\tpool=a\tstate=idle", "worker\tpool=a\tstate=idle",
				       "worker\tpool=a\tstate=writing",
				       "worker\tpool=a\tstate=dancing", "pool\tname=b", NULL },
		     (const char *[]){ "preforkd_workers{pool=\"a\",state=\"idle\"} 2",
				       "preforkd_workers{pool=\"a\",state=\"writing\"} 1",
				       "preforkd_workers{pool=\"a\",state=\"unknown\"} 1",
				       "preforkd_workers{pool=\"a\",state=\"busy\"} 0",
				       "preforkd_workers{pool=\"b\",state=\"idle\"} 0", NULL });
}

/* A pool that was dropped and has come back, while workers of its first life still work. */
static void
pools_of_one_name_are_one(void **state)
{
	char *text = status_lines_printed(
	    print, (const char *[]){
		       "daemon\tversion=0", "pool\tname=a\tstate=stopping\taccepted=7",
		       "worker\tpool=a\tstate=draining", "pool\tname=a\tstate=stopping\taccepted=7",
		       "worker\tpool=a\tstate=draining",
		       "pool\tname=a\tstate=running\taccepted=7\tmax_workers=3",
		       "worker\tpool=a\tstate=idle", "worker\tpool=a\tstate=draining",
		       "pool\tname=b\tstate=stopping", "pool\tname=b\tstate=stopping",
		       "worker\tpool=b\tstate=killed", NULL });
	static const char *const once[] = {
		"preforkd_pool_info{pool=\"a\"",
		"preforkd_pool_state{pool=\"a\",state=\"running\"} 1\n",
		"preforkd_connections_total{pool=\"a\"} 7\n",
		"preforkd_workers_limit{pool=\"a\"} 3\n",
		"preforkd_workers{pool=\"a\",state=\"idle\"} 1\n",
		"preforkd_workers{pool=\"a\",state=\"draining\"} 3\n",
		"preforkd_workers{pool=\"b\",state=\"killed\"} 1\n",
		"preforkd_connections_total{pool=\"b\"} ",
		"preforkd_worker_deaths_total{pool=\"b\",reason=\"exit\"} ",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(once); i++) {
		const char *first = strstr(text, once[i]);

		if (!first || strstr(first + 1, once[i]))
			fail_msg("not once: %s in\n%s", once[i], text);
	}
	free(text);
}

static void
what_is_not_known_has_no_series(void **state)
{
	char *text = status_lines_printed(
	    print, (const char *[]){ "daemon\tversion=0", "pool\tname=a", NULL });

	(void)state;
	assert_null(strstr(text, "preforkd_accept_queue_length{"));
	assert_null(strstr(text, "preforkd_request_duration_seconds_count{"));
	free(text);
}

static void
durations_are_a_histogram(void **state)
{
	(void)state;
	assert_lines((const char *[]){ "daemon\tversion=0",
				       "pool\tname=a\tdurations=1000:1,2500:5,60000000:8,inf:9\t"
				       "duration_sum_us=90000001",
				       NULL },
		     (const char *[]){
			 "# TYPE preforkd_request_duration_seconds histogram",
			 "preforkd_request_duration_seconds_bucket{pool=\"a\",le=\"0.001\"} 1",
			 "preforkd_request_duration_seconds_bucket{pool=\"a\",le=\"0.0025\"} 5",
			 "preforkd_request_duration_seconds_bucket{pool=\"a\",le=\"60\"} 8",
			 "preforkd_request_duration_seconds_bucket{pool=\"a\",le=\"+Inf\"} 9",
			 "preforkd_request_duration_seconds_sum{pool=\"a\"} 90.000001",
			 "preforkd_request_duration_seconds_count{pool=\"a\"} 9", NULL });
}

static void
labels_are_escaped(void **state)
{
	static const struct {
		const char *name, *label;
	} rows[] = {
		{ "say \"hi\"", "say \\\"hi\\\"" },
		{ "a\\x5cb", "a\\\\b" },
		{ "a\\x5c", "a\\\\" },
		{ "a\\x0ab", "a\\\\x0ab" },
		{ "<script>alert('1')</script>&", "<script>alert('1')</script>&" },
		{ "\xff\xc3", "\\\\xff\\\\xc3" },
		{ "\xc2\x9b", "\\\\xc2\\\\x9b" },
		{ "m\xc3\xbcll", "m\xc3\xbcll" },
		{ "} 1 {", "} 1 {" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *pool = util_format("pool\tname=%s\tservice=%s\tlisten=%s", rows[i].name,
					 rows[i].name, rows[i].name);
		char *series =
		    util_format("preforkd_connections_total{pool=\"%s\"} 0", rows[i].label);
		char *info =
		    util_format("preforkd_pool_info{pool=\"%s\",service=\"%s\",listen=\"%s\"} 1",
				rows[i].label, rows[i].label, rows[i].label);

		assert_lines((const char *[]){ "daemon\tversion=0", pool, NULL },
			     (const char *[]){ series, info, NULL });
		free(pool);
		free(series);
		free(info);
	}
}

/* Its name, and where it ends. */
static size_t
name_of(const char *line)
{
	size_t n = 0;

	while (isalnum((unsigned char)line[n]) || line[n] == '_')
		n++;
	return n;
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

static void
every_family_stands_together_behind_its_help_and_type(void **state)
{
	char *text = status_lines_printed(
	    print, (const char *[]){
		       "daemon\tversion=0\treload_state=done",
		       "pool\tname=a\tqueue_length=1\tqueue_limit=2\tdurations=1000:1,inf:2",
		       "pool\tname=b\tqueue_length=1\tqueue_limit=2\tdurations=inf:2", NULL });
	char *rest = text, *line, family[128] = "";
	size_t lines = 0;

	(void)state;
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(occurrences(text, "# HELP "), occurrences(text, "# TYPE "));
	for (char *p = text; (p = strstr(p, "# TYPE ")); p++) {
		char *mark = util_format("%.*s ", (int)(7 + name_of(p + 7)), p);

		assert_int_equal(occurrences(text, mark), 1);
		memcpy(mark, "# HELP ", 7);
		assert_int_equal(occurrences(text, mark), 1);
		free(mark);
	}
	while ((line = strsep(&rest, "\n")) && *line) {
		lines++;
		if (strncmp(line, "# HELP ", 7) == 0)
			snprintf(family, sizeof(family), "%.*s", (int)name_of(line + 7), line + 7);
		else if (line[0] != '#' && strncmp(line, family, strlen(family)) != 0)
			fail_msg("%s stands in family %s", line, family);
	}
	assert_true(lines > 100);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_daemon_is_told),
		cmocka_unit_test(a_refused_file_stays_refused_until_it_is_taken_over),
		cmocka_unit_test(without_a_reload_none_has_failed),
		cmocka_unit_test(the_figures_of_a_pool_are_told),
		cmocka_unit_test(workers_are_counted_by_state),
		cmocka_unit_test(pools_of_one_name_are_one),
		cmocka_unit_test(what_is_not_known_has_no_series),
		cmocka_unit_test(durations_are_a_histogram),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(every_family_stands_together_behind_its_help_and_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
