/* Which workers `preforkctl top` shows, and in which order. */
#include "top_rows.h"

#include "status_lines.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define WORKER(pool, pid, state, requests, age, since, request)                                   \
	"worker\tpool=" pool "\tpid=" pid "\tstate=" state "\trequests=" requests "\tage_ms=" age \
	"\tsince_ms=" since "\tclient=192.0.2.1:4711\trequest=" request

static const char *const lines[] = {
	"daemon\tversion=1",
	"pool\tname=www\taccepted=100",
	WORKER("www", "30", "idle", "5", "900", "900", ""),
	WORKER("www", "10", "writing", "7", "800", "20", "GET /Slow"),
	WORKER("www", "20", "reading", "6", "700", "300", "GET /fast"),
	"pool\tname=mail\taccepted=50",
	WORKER("mail", "5", "busy", "1", "1000", "100", "/usr/sbin/smtpd"),
	NULL,
};

/* The pids in the order of the rows. */
static void
check(struct top_choice choice, const char *pids)
{
	struct status_doc *doc = status_lines_document(lines);
	char text[100] = "";
	size_t n, len = 0;
	struct top_row *rows;

	if (!choice.filter)
		choice.filter = "";
	rows = top_rows(doc, &choice, &n);
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, " %lld",
					(long long)rows[i].worker->pid);
	assert_string_equal(text, pids);
	free(rows);
	status_doc_free(doc);
}

static void
each_order_has_its_own(void **state)
{
	(void)state;
	check((struct top_choice){ .order = TOP_BY_TIME, .idle = true }, " 20 5 10 30");
	check((struct top_choice){ .order = TOP_BY_REQUESTS, .idle = true }, " 10 20 30 5");
	check((struct top_choice){ .order = TOP_BY_AGE, .idle = true }, " 5 30 10 20");
	check((struct top_choice){ .order = TOP_BY_PID, .idle = true }, " 5 10 20 30");
	check((struct top_choice){ .order = TOP_BY_POOL, .idle = true }, " 5 10 20 30");
	check((struct top_choice){ .order = TOP_BY_PID, .idle = true, .reverse = true },
	      " 30 20 10 5");
	for (int i = 0; i < TOP_ORDERS; i++)
		assert_non_null(top_order_name((enum top_order)i));
}

static void
idle_ones_only_if_they_are_wanted(void **state)
{
	(void)state;
	check((struct top_choice){ .order = TOP_BY_TIME }, " 20 5 10");
}

static void
a_filter_looks_into_all_texts(void **state)
{
	(void)state;
	check((struct top_choice){ .order = TOP_BY_PID, .filter = "slow" }, " 10");
	check((struct top_choice){ .order = TOP_BY_PID, .filter = "MAIL" }, " 5");
	check((struct top_choice){ .order = TOP_BY_PID, .filter = "ing" }, " 10 20");
	check((struct top_choice){ .order = TOP_BY_PID, .filter = "192.0.2", .idle = true },
	      " 5 10 20 30");
	check((struct top_choice){ .order = TOP_BY_PID, .filter = "nothing" }, "");
}

static void
a_rate_is_what_has_come_since(void **state)
{
	static const char *const then[] = { "daemon\tversion=1", "pool\tname=www\taccepted=80",
					    NULL };
	struct status_doc *now = status_lines_document(lines),
			  *before = status_lines_document(then);

	(void)state;
	assert_true(top_rate(&now->pools[0], before, 2000) == 10);
	assert_true(top_rate(&now->pools[1], before, 2000) < 0); /* it was not there */
	assert_true(top_rate(&before->pools[0], now, 2000) < 0); /* it began anew */
	assert_true(top_rate(&now->pools[0], NULL, 2000) < 0);
	assert_true(top_rate(&now->pools[0], before, 0) < 0);
	status_doc_free(now);
	status_doc_free(before);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_order_has_its_own),
		cmocka_unit_test(idle_ones_only_if_they_are_wanted),
		cmocka_unit_test(a_filter_looks_into_all_texts),
		cmocka_unit_test(a_rate_is_what_has_come_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
