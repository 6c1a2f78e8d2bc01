#include "unit.h"

#include "status_doc.h"
#include "status_json.h"
#include "status_lines.h"
#include "status_text.h"
#include "utf8.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char daemon_line[] =
    "daemon\tversion=0.1.0\tpid=812\tuptime_ms=65321\tgeneration=2\t"
    "config_file=/etc/preforkd/preforkd.conf\tstate=running\tworkers=12\tmax_workers=1000\t"
    "reload_state=none\treload_text=\treload_ago_ms=0";
static const char pool_line[] =
    "pool\tname=www\tservice=exec\tlisten=*:80\tstate=running\tidle=1\tbusy=2\tstarting=3\t"
    "draining=4\ttotal=10\tmax_workers=150\taccepted=48213\tqueue_length=0\tqueue_limit=511\t"
    "crashes=5\trespawns=6\tgeneration=7\tshed=0\tnext_try_ms=0\tlast_failure=\t"
    "saturated_ms=0\textra=0";
static const char worker_line[] =
    "worker\tpool=www\tpid=900\tslot=3\tgeneration=7\tstate=busy\trequests=45\tage_ms=7262500\t"
    "since_ms=1250\tclient=192.0.2.1:4711\trequest=/usr/bin/git\tprogram=901";

static void
assert_printed(void (*print)(const struct status_doc *, FILE *), const char *const *lines,
	       const char *wanted)
{
	char *text = status_lines_printed(print, lines);

	assert_string_equal(text, wanted);
	free(text);
}

static json_t *
document_json(const char *const *lines)
{
	struct status_doc *doc = status_lines_document(lines);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *root;

	assert_int_equal(status_json_print(doc, out), 0);
	fclose(out);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	free(text);
	status_doc_free(doc);
	return root;
}

static void
every_field_of_the_records_arrives(void **state)
{
	struct status_doc *doc =
	    status_lines_document((const char *[]){ daemon_line, pool_line, worker_line, NULL });
	const struct status_pool *pool = &doc->pools[0];
	const struct status_worker *worker = &pool->workers[0];

	(void)state;
	assert_string_equal(doc->version, "0.1.0");
	assert_int_equal(doc->pid, 812);
	assert_int_equal(doc->uptime_ms, 65321);
	assert_string_equal(doc->config_file, "/etc/preforkd/preforkd.conf");
	assert_int_equal(doc->max_workers, 1000);
	assert_string_equal(doc->reload_state, "none");
	assert_int_equal(doc->n, 1);
	assert_string_equal(pool->name, "www");
	assert_string_equal(pool->listen, "*:80");
	assert_int_equal(pool->idle, 1);
	assert_int_equal(pool->draining, 4);
	assert_int_equal(pool->accepted, 48213);
	assert_int_equal(pool->respawns, 6);
	assert_int_equal(pool->n, 1);
	assert_int_equal(worker->pid, 900);
	assert_int_equal(worker->since_ms, 1250);
	assert_string_equal(worker->client, "192.0.2.1:4711");
	assert_int_equal(worker->program, 901);
	status_doc_free(doc);
}

static void
figures_and_events_arrive(void **state)
{
	struct status_doc *doc = status_lines_document((const char *[]){
	    daemon_line, "event\tago_ms=1500\tpool=www\tkind=death\ttext=killed by signal 9",
	    "event\tago_ms=90000\tkind=reload\ttext=/f:3: no", pool_line,
	    "pool\tname=b\trequests=1\tbytes_in=2\tbytes_out=3\tgiven_way=4\trefused_access=5\t"
	    "refused_source=6\trefused_times=7\trefused_load=8\tdelayed=9\trefused_proxy=10\t"
	    "timed_out=11\tdied_exit=12\tdied_signal=13\tdied_oom=14\tdied_boot=15\tp50_us=16\t"
	    "p90_us=17\tp99_us=18\tmax_us=19\tduration_sum_us=20\tdurations=inf:1\t"
	    "history=0;1,2,3",
	    "worker\tpool=b\tbytes_in=21\tbytes_out=22", NULL });
	const struct status_pool *p = &doc->pools[1];

	(void)state;
	assert_int_equal(doc->n_events, 2);
	assert_int_equal(doc->events[0].ago_ms, 1500);
	assert_string_equal(doc->events[0].pool, "www");
	assert_string_equal(doc->events[0].kind, "death");
	assert_string_equal(doc->events[0].text, "killed by signal 9");
	assert_string_equal(doc->events[1].pool, "");
	assert_int_equal(doc->pools[0].requests, 0);
	assert_string_equal(doc->pools[0].history, "");
	assert_int_equal(p->requests, 1);
	assert_int_equal(p->bytes_in, 2);
	assert_int_equal(p->bytes_out, 3);
	assert_int_equal(p->given_way, 4);
	assert_int_equal(p->refused_access, 5);
	assert_int_equal(p->refused_source, 6);
	assert_int_equal(p->refused_times, 7);
	assert_int_equal(p->refused_load, 8);
	assert_int_equal(p->delayed, 9);
	assert_int_equal(p->refused_proxy, 10);
	assert_int_equal(p->timed_out, 11);
	assert_int_equal(p->died_exit, 12);
	assert_int_equal(p->died_signal, 13);
	assert_int_equal(p->died_oom, 14);
	assert_int_equal(p->died_boot, 15);
	assert_int_equal(p->p50_us, 16);
	assert_int_equal(p->p90_us, 17);
	assert_int_equal(p->p99_us, 18);
	assert_int_equal(p->max_us, 19);
	assert_int_equal(p->duration_sum_us, 20);
	assert_string_equal(p->durations, "inf:1");
	assert_string_equal(p->history, "0;1,2,3");
	assert_int_equal(p->workers[0].bytes_in, 21);
	assert_int_equal(p->workers[0].bytes_out, 22);
	status_doc_free(doc);
}

static void
what_a_newer_daemon_says_beyond_is_ignored(void **state)
{
	struct status_doc *doc = status_lines_document((const char *[]){
	    "daemon\tversion=9\tmoon=full", "weather\train=1", "pool\tname=a\tcolour=red", NULL });

	(void)state;
	assert_string_equal(doc->version, "9");
	assert_int_equal(doc->n, 1);
	status_doc_free(doc);
}

static void
what_an_older_daemon_does_not_say_is_empty_or_unknown(void **state)
{
	struct status_doc *doc =
	    status_lines_document((const char *[]){ "daemon\tversion=0", "pool\tname=a", NULL });

	(void)state;
	assert_string_equal(doc->reload_text, "");
	assert_string_equal(doc->pools[0].state, "");
	assert_int_equal(doc->pools[0].busy, 0);
	assert_int_equal(doc->pools[0].queue_length, -1);
	assert_int_equal(doc->pools[0].queue_limit, -1);
	status_doc_free(doc);
}

static void
a_worker_stands_behind_its_pool(void **state)
{
	static const char *const before[] = { "daemon\tversion=0", "pool\tname=www",
					      "pool\tname=b" };
	struct status_doc *doc = status_doc_new();
	char *err = NULL;

	(void)state;
	assert_int_equal(status_lines_add(doc, "worker\tpool=b\tpid=1", &err), -1);
	assert_non_null(err);
	free(err);
	err = NULL;
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		assert_int_equal(status_lines_add(doc, before[i], &err), 0);
	assert_int_equal(status_lines_add(doc, "worker\tpool=b\tpid=1", &err), 0);
	assert_int_equal(status_lines_add(doc, worker_line, &err), -1);
	assert_int_equal(doc->n_workers, 1);
	free(err);
	status_doc_free(doc);
}

static void
there_is_no_document_without_a_daemon(void **state)
{
	struct status_doc *doc = status_doc_new();
	char *err = NULL;

	(void)state;
	assert_int_equal(status_lines_add(doc, pool_line, &err), 0);
	assert_int_equal(status_doc_check(doc, &err), -1);
	assert_non_null(err);
	free(err);
	status_doc_free(doc);
}

static void
the_number_of_parts_is_bounded(void **state)
{
	struct status_doc *doc = status_doc_new();
	char *err = NULL;

	(void)state;
	for (int i = 0; i < STATUS_POOLS; i++)
		assert_int_equal(status_lines_add(doc, "pool\tname=a", &err), 0);
	assert_int_equal(status_lines_add(doc, "pool\tname=a", &err), -1);
	assert_non_null(strstr(err, "more than"));
	free(err);
	err = NULL;
	for (int i = 0; i < STATUS_WORKERS; i++)
		assert_int_equal(status_lines_add(doc, "worker\tpool=a", &err), 0);
	assert_int_equal(status_lines_add(doc, "worker\tpool=a", &err), -1);
	assert_non_null(strstr(err, "more than"));
	free(err);
	err = NULL;
	for (int i = 0; i < STATUS_EVENTS; i++)
		assert_int_equal(status_lines_add(doc, "event\ttext=a", &err), 0);
	assert_int_equal(status_lines_add(doc, "event\ttext=a", &err), -1);
	assert_non_null(strstr(err, "more than"));
	free(err);
	status_doc_free(doc);
}

static void
the_json_document_has_its_order_and_its_units(void **state)
{
	struct status_doc *doc = status_lines_document(
	    (const char *[]){ daemon_line, "event\tago_ms=1500\tpool=www\tkind=death\ttext=killed",
			      "pool\tname=www\tlast_failure=status 1\textra=1\tp99_us=1500\t"
			      "duration_sum_us=7200000001\thistory=0;1,2,3",
			      worker_line, NULL });
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(status_json_print(doc, out), 0);
	fclose(out);
	assert_string_equal(
	    text, "{\n  \"version\": \"0.1.0\",\n  \"pid\": 812,\n  \"uptime_s\": 65.321,\n"
		  "  \"generation\": 2,\n"
		  "  \"config_file\": \"/etc/preforkd/preforkd.conf\",\n"
		  "  \"config_refused\": -1,\n"
		  "  \"state\": \"running\",\n  \"workers\": 12,\n"
		  "  \"max_workers\": 1000,\n  \"log_lost\": 0,\n"
		  "  \"log_lost_ago_s\": 0.0,\n  \"log_lost_why\": \"\",\n"
		  "  \"last_reload\": {\n    \"what\": \"\",\n"
		  "    \"state\": \"none\",\n    \"text\": \"\",\n    \"ago_s\": null\n"
		  "  },\n  \"events\": [\n    {\n      \"ago_s\": 1.5,\n"
		  "      \"pool\": \"www\",\n      \"kind\": \"death\",\n"
		  "      \"text\": \"killed\"\n    }\n  ],\n  \"pools\": [\n    {\n"
		  "      \"name\": \"www\",\n      \"service\": \"\",\n"
		  "      \"listen\": \"\",\n      \"state\": \"\",\n      \"idle\": 0,\n"
		  "      \"busy\": 0,\n      \"kept\": 0,\n      \"starting\": 0,\n      "
		  "\"draining\": 0,\n"
		  "      \"total\": 0,\n      \"max_workers\": 0,\n      \"accepted\": 0,\n"
		  "      \"queue_length\": -1,\n      \"queue_limit\": -1,\n"
		  "      \"crashes\": 0,\n      \"respawns\": 0,\n"
		  "      \"generation\": 0,\n      \"shed\": 0,\n"
		  "      \"refused_access\": 0,\n      \"refused_times\": 0,\n"
		  "      \"refused_load\": 0,\n      \"refused_source\": 0,\n"
		  "      \"refused_proxy\": 0,\n      \"delayed\": 0,\n"
		  "      \"next_try_ms\": 0,\n      \"last_failure\": \"status 1\",\n"
		  "      \"saturated_ms\": 0,\n      \"extra\": 1,\n"
		  "      \"min_ready\": 0,\n"
		  "      \"requests\": 0,\n      \"bytes_in\": 0,\n"
		  "      \"bytes_out\": 0,\n      \"given_way\": 0,\n"
		  "      \"timed_out\": 0,\n      \"died_exit\": 0,\n"
		  "      \"died_signal\": 0,\n      \"died_oom\": 0,\n"
		  "      \"died_boot\": 0,\n      \"p50_s\": 0.0,\n      \"p90_s\": 0.0,\n"
		  "      \"p99_s\": 0.0015,\n      \"max_s\": 0.0,\n"
		  "      \"durations\": \"\",\n      \"duration_sum_s\": 7200.000001,\n"
		  "      \"history\": \"0;1,2,3\",\n      \"notes\": [\n"
		  "        \"last failure: status 1\",\n"
		  "        \"scaled by +1 until the next reload\"\n      ],\n"
		  "      \"workers\": [\n        {\n          \"pid\": 900,\n"
		  "          \"slot\": 3,\n          \"generation\": 7,\n"
		  "          \"state\": \"busy\",\n          \"requests\": 45,\n"
		  "          \"age_s\": 7262.5,\n          \"state_since_ms\": 1250,\n"
		  "          \"client\": \"192.0.2.1:4711\",\n"
		  "          \"request\": \"/usr/bin/git\",\n          \"program\": 901,\n"
		  "          \"bytes_in\": 0,\n          \"bytes_out\": 0\n        }\n"
		  "      ]\n    }\n  ]\n}\n");
	free(text);
	status_doc_free(doc);
}

static void
the_json_document_is_valid_whatever_the_bytes(void **state)
{
	json_t *root = document_json((const char *[]){
	    "daemon\tversion=0", "pool\tname=\xff\\x09\\x5c\"\xc3\xa4\xed\xa0\x80", NULL });
	const char *name;

	(void)state;
	assert_int_equal(json_unpack(root, "{s:[{s:s}]}", "pools", "name", &name), 0);
	assert_string_equal(name, "\xef\xbf\xbd\t\\\"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	json_decref(root);
}

static void
a_reload_has_an_age_in_the_json_document(void **state)
{
	json_t *root = document_json((const char *[]){
	    "daemon\tversion=0\treload_state=refused\treload_text=f:1: no\treload_ago_ms=1500",
	    NULL });
	const char *outcome, *text;
	double ago;

	(void)state;
	assert_int_equal(json_unpack(root, "{s:{s:s,s:s,s:f}}", "last_reload", "state", &outcome,
				     "text", &text, "ago_s", &ago),
			 0);
	assert_string_equal(outcome, "refused");
	assert_string_equal(text, "f:1: no");
	assert_true(ago == 1.5);
	json_decref(root);
}

static void
the_table_lines_up_and_nothing_is_said_of_what_is_in_order(void **state)
{
	(void)state;
	assert_printed(
	    status_text_print,
	    (const char *[]){ daemon_line, pool_line,
			      "pool\tname=m\xc3\xbcll\tservice=echo\tstate=drained", NULL },
	    "preforkd 0.1.0, pid 812, up 1m05s, generation 2, 12 of 1000 workers, no reload yet\n"
	    "\n"
	    "POOL  SERVICE  LISTEN  STATE    IDLE  BUSY  STARTING  DRAINING  TOTAL/MAX  QUEUE"
	    "  ACCEPTED  CRASHES\n"
	    "www   exec     *:80    running     1     2         3         4     10/150  0/511"
	    "     48213        5\n"
	    "m\xc3\xbcll  echo     -       drained     0     0         0         0        0/0"
	    "    -/-         0        0\n");
}

static void
the_last_reload_is_told_with_its_outcome(void **state)
{
	(void)state;
	assert_printed(status_text_print,
		       (const char *[]){ "daemon\tversion=0\tpid=1\tstate=stopping\t"
					 "reload_state=refused\treload_text=/f:3: no such option\t"
					 "reload_ago_ms=303000",
					 NULL },
		       "preforkd 0, pid 1, up 0.0s, stopping, generation 0, 0 of 0 workers, "
		       "last reload 5m03s ago: refused\n"
		       "  /f:3: no such option\n");
}

static void
a_reload_under_way_has_no_outcome_yet(void **state)
{
	(void)state;
	assert_printed(status_text_print,
		       (const char *[]){ "daemon\tversion=0\tpid=1\tstate=running\t"
					 "reload_state=under way\treload_what=recycle\t"
					 "reload_ago_ms=5200",
					 NULL },
		       "preforkd 0, pid 1, up 0.0s, generation 0, 0 of 0 workers, "
		       "recycle under way for 5.2s\n");
}

static void
what_keeps_a_full_pool_busy_and_who_does_not_leave_is_named(void **state)
{
	char *text = status_lines_printed(
	    status_text_print,
	    (const char *[]){
		"daemon\tversion=0\tlog_lost=2\tlog_lost_ago_ms=3000\tlog_lost_why=No space",
		"event\tago_ms=9000\tpool=a\ttext=older", "event\tago_ms=500\ttext=newer\\x1b",
		"pool\tname=a\tbusy=2\tmax_workers=2",
		"worker\tpool=a\tpid=1\tstate=busy\tsince_ms=10\tclient=c:1\trequest=GET /1",
		"worker\tpool=a\tpid=2\tstate=writing\tsince_ms=42000\tclient=c:2\trequest=GET /2",
		"worker\tpool=a\tpid=3\tstate=draining\tsince_ms=999\tclient=c:3",
		"worker\tpool=a\tpid=4\tstate=draining\tsince_ms=4000\tclient=c:4",
		"worker\tpool=a\tpid=5\tstate=killed\tsince_ms=65000\trequest=x",
		"pool\tname=b\tidle=1\tbusy=1\tmax_workers=2",
		"worker\tpool=b\tpid=6\tstate=busy\tsince_ms=99000", NULL });
	const char *wanted =
	    "\n\npool a: longest request: worker 2, client c:2, for 42s: GET /2\n"
	    "pool a: 2 old workers are still at work; longest: worker 5 (killed for 1m05s), "
	    "client -: x\n"
	    "the log lacks 2 lines, the last one 3.0s ago: No space\n"
	    "\nlast events:\n"
	    "    0.5s ago  newer\\x1b\n"
	    "    9.0s ago  pool a: older\n";

	(void)state;
	assert_non_null(strstr(text, wanted));
	free(text);
}

static void
the_last_upgrade_is_none_of_the_reloads(void **state)
{
	char *text = status_lines_printed(
	    status_text_print, (const char *[]){ "daemon\tversion=0\treload_what=upgrade\t"
						 "reload_state=refused\treload_text=no\t"
						 "reload_ago_ms=1000",
						 NULL });

	(void)state;
	assert_non_null(strstr(text, "last upgrade 1.0s ago: refused\n  no\n"));
	free(text);
}

static void
what_is_out_of_the_ordinary_is_said_in_words(void **state)
{
	static const struct {
		const char *fields, *note;
	} rows[] = {
		{ "saturated_ms=12000\tqueue_length=7",
		  "saturated for 12s: all workers are busy and 7 connections wait\n" },
		{ "saturated_ms=12000\tqueue_length=1",
		  "saturated for 12s: all workers are busy and 1 connection waits\n" },
		{ "saturated_ms=12000", "saturated for 12s: all workers are busy\n" },
		{ "busy=4\tkept=3\tmax_workers=4\textra=2",
		  "3 of 4 busy workers keep a connection without a request, and give way to "
		  "others\n"
		  "pool a: scaled by +2 until the next reload\n" },
		{ "idle=1\tbusy=3\tkept=3\tmax_workers=4\tshed=1",
		  "1 connection closed unserved after more than max_queue_wait\n" },
		{ "state=backed off\tnext_try_ms=3001\tlast_failure=status 1",
		  "backed off: next attempt in 4 s; last failure: status 1\n" },
		{ "state=backed off", "backed off: next attempt now\n" },
		{ "state=running\tlast_failure=signal 11", "last failure: signal 11\n" },
		{ "shed=1", "1 connection closed unserved after more than max_queue_wait\n" },
		{ "refused_access=1", "1 connection refused: 1 by allow and deny\n" },
		{ "refused_access=1\trefused_times=2\trefused_load=3\trefused_source=4\t"
		  "refused_proxy=5",
		  "15 connections refused: 1 by allow and deny, 2 by access_times, 3 by max_load, "
		  "4 by the limits of a source, 5 by proxy_protocol\n" },
		{ "delayed=1", "1 connection delayed by rate limits\n" },
		{ "refused_load=2\tdelayed=7", "2 connections refused: 2 by max_load\n"
					       "pool a: 7 connections delayed by rate limits\n" },
		{ "extra=-2", "scaled by -2 until the next reload\n" },
		{ "shed=2\textra=2",
		  "2 connections closed unserved after more than max_queue_wait\n"
		  "pool a: scaled by +2 until the next reload\n" },
		{ "extra=2", "scaled by +2 until the next reload\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *pool = util_format("pool\tname=a\t%s", rows[i].fields);
		char *note = util_format("\n\npool a: %s", rows[i].note);
		char *text = status_lines_printed(
		    status_text_print, (const char *[]){ "daemon\tversion=0", pool, NULL });

		if (strlen(text) < strlen(note) ||
		    strcmp(text + strlen(text) - strlen(note), note) != 0)
			fail_msg("%s gives:\n%s", rows[i].fields, text);
		free(text);
		free(note);
		free(pool);
	}
}

static void
workers_have_a_row_each(void **state)
{
	(void)state;
	assert_printed(
	    status_text_print_workers,
	    (const char *[]){ "daemon\tversion=0", "pool\tname=empty", pool_line, worker_line,
			      "worker\tpool=www\tpid=7\tstate=idle",
			      "worker\tpool=www\tpid=8\tstate=running\trequests=-1", NULL },
	    "POOL  PID  STATE    SINCE    AGE  REQUESTS  PROGRAM  CLIENT          REQUEST\n"
	    "www   900  busy      1.2s  2h01m        45      901  192.0.2.1:4711  /usr/bin/git\n"
	    "www     7  idle      0.0s   0.0s         0        -  -               -\n"
	    "www     8  running   0.0s   0.0s         -        -  -               -\n");
}

static void
nothing_from_outside_commands_the_terminal(void **state)
{
	char *text = status_lines_printed(
	    status_text_print_workers,
	    (const char *[]){ "daemon\tversion=0", "pool\tname=a",
			      "worker\tpool=a\trequest=\\x1b[2J\\x0a\xc2\x9b\x9b", NULL });

	(void)state;
	assert_non_null(strstr(text, "\\x1b[2J\\x0a\\xc2\\x9b\\x9b\n"));
	free(text);
}

static void
a_time_span_is_short(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{ -5999, "0.0s" },         { 0, "0.0s" },
		{ 9999, "9.9s" },          { 10000, "10s" },
		{ 59999, "59s" },          { 60000, "1m00s" },
		{ 3599999, "59m59s" },     { 3600000, "1h00m" },
		{ 86399999, "23h59m" },    { 86400000, "1d00h" },
		{ 8640000000, "100d00h" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = status_text_span(rows[i].ms);

		assert_string_equal(text, rows[i].text);
		free(text);
	}
}

static void
utf8_is_told_from_other_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
	} rows[] = {
		{ "", 0 },
		{ "a", 1 },
		{ "\x7f", 1 },
		{ "\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xc2\x80", 2 },
		{ "\xc3", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 0 },
		{ "\xef\xbf", 0 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(utf8_char(rows[i].text), rows[i].bytes);
	assert_int_equal(utf8_length("m\xc3\xbcll"), 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_the_records_arrives),
		cmocka_unit_test(figures_and_events_arrive),
		cmocka_unit_test(what_a_newer_daemon_says_beyond_is_ignored),
		cmocka_unit_test(what_an_older_daemon_does_not_say_is_empty_or_unknown),
		cmocka_unit_test(a_worker_stands_behind_its_pool),
		cmocka_unit_test(there_is_no_document_without_a_daemon),
		cmocka_unit_test(the_number_of_parts_is_bounded),
		cmocka_unit_test(the_json_document_has_its_order_and_its_units),
		cmocka_unit_test(the_json_document_is_valid_whatever_the_bytes),
		cmocka_unit_test(a_reload_has_an_age_in_the_json_document),
		cmocka_unit_test(the_table_lines_up_and_nothing_is_said_of_what_is_in_order),
		cmocka_unit_test(the_last_reload_is_told_with_its_outcome),
		cmocka_unit_test(a_reload_under_way_has_no_outcome_yet),
		cmocka_unit_test(what_keeps_a_full_pool_busy_and_who_does_not_leave_is_named),
		cmocka_unit_test(the_last_upgrade_is_none_of_the_reloads),
		cmocka_unit_test(what_is_out_of_the_ordinary_is_said_in_words),
		cmocka_unit_test(workers_have_a_row_each),
		cmocka_unit_test(nothing_from_outside_commands_the_terminal),
		cmocka_unit_test(a_time_span_is_short),
		cmocka_unit_test(utf8_is_told_from_other_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
