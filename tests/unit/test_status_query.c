/* What a load balancer is told, from documents that are made by hand. */
#include "status_query.h"

#include "status_lines.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define DAEMON       "daemon\tversion=1\tstate=running"
#define POOL(fields) "pool\tname=www\tservice=http\tstate=running\tmax_workers=10\t" fields

static void
check(const char *daemon, const char *pool, const char *not_ready, bool draining, int percent)
{
	const char *lines[] = { daemon, pool, NULL };
	struct status_doc *doc = status_lines_document(lines);
	char *why;

	assert_int_equal(status_is_ready(doc, &why), not_ready == NULL);
	if (not_ready)
		assert_string_equal(why, not_ready);
	else
		assert_null(why);
	assert_int_equal(status_is_draining(doc), draining);
	assert_int_equal(status_idle_percent(doc), percent);
	free(why);
	status_doc_free(doc);
}

static void
ready_is_who_has_its_least_number_of_workers(void **state)
{
	(void)state;
	check(DAEMON, POOL("idle=3\tbusy=2\tmin_ready=5"), NULL, false, 80);
	check(DAEMON, POOL("idle=2\tbusy=2\tmin_ready=5"), "pool www has 4 of 5 workers", false,
	      80);
	check(DAEMON, POOL("idle=0\tbusy=0\tmin_ready=0"), NULL, false, 100);
	check(DAEMON, NULL, NULL, false, 100);
}

static void
who_is_about_to_end_is_not_ready(void **state)
{
	(void)state;
	check("daemon\tversion=1\tstate=stopping", NULL, "preforkd is stopping", true, 100);
	check("daemon\tversion=1\tstate=starting", NULL, "preforkd is starting", false, 100);
	check(DAEMON, "pool\tname=p\tstate=draining\tidle=9\tmax_workers=9", "pool p is draining",
	      true, 100);
	check(DAEMON, "pool\tname=p\tstate=drained\tmax_workers=9", "pool p is drained", true, 100);
	check("daemon\tversion=1\tstate=stopping", "pool\tname=p\tstate=stopping",
	      "preforkd is stopping", true, 100);
	check(DAEMON, "pool\tname=p\tstate=backed off\tmax_workers=9", "pool p is backed off",
	      false, 100);
}

/* Its last workers may have hours to go, and nobody is sent to it any more. */
static void
a_pool_that_a_reload_has_dropped_does_not_count(void **state)
{
	(void)state;
	check(DAEMON, "pool\tname=p\tstate=stopping\tbusy=1\tmin_ready=1", NULL, false, 100);
}

static void
who_is_saturated_has_a_little_left(void **state)
{
	(void)state;
	check(DAEMON, POOL("busy=10\tmin_ready=5"), NULL, false, 1);
	check(DAEMON, POOL("busy=12\tmin_ready=5"), NULL, false, 1);
	check(DAEMON, "pool\tname=p\tservice=http\tstate=running\tbusy=0\tmax_workers=0", NULL,
	      false, 100);
}

static void
a_pool_that_tells_the_status_does_not_count(void **state)
{
	(void)state;
	check(DAEMON, "pool\tname=s\tservice=status\tstate=running\tbusy=2\tmax_workers=2", NULL,
	      false, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ready_is_who_has_its_least_number_of_workers),
		cmocka_unit_test(who_is_about_to_end_is_not_ready),
		cmocka_unit_test(a_pool_that_a_reload_has_dropped_does_not_count),
		cmocka_unit_test(who_is_saturated_has_a_little_left),
		cmocka_unit_test(a_pool_that_tells_the_status_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
