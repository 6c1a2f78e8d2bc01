/*
 * The last events, the newest first.
 */
#include "unit.h"

#include "events.h"

#include <stdbool.h>
#include <stdio.h>

static void
assert_event(size_t i, const char *pool, enum event_kind kind, const char *text)
{
	const struct events_entry *event = events_get(i);

	assert_non_null(event);
	assert_string_equal(event->pool, pool);
	assert_int_equal(event->kind, kind);
	assert_string_equal(event->text, text);
}

static void
at_first_there_are_none(void **state)
{
	(void)state;
	assert_null(events_get(0));
}

static void
the_newest_comes_first(void **state)
{
	(void)state;
	events_add("a", EVENT_DEATH, "worker %d", 1);
	events_add(NULL, EVENT_RELOAD, "done");
	assert_event(0, "", EVENT_RELOAD, "done");
	assert_event(1, "a", EVENT_DEATH, "worker 1");
	assert_null(events_get(2));
	assert_string_equal(events_word(EVENT_TIMEOUT), "timeout");
}

static void
many_of_one_kind_at_once_are_one(void **state)
{
	(void)state;
	events_add("b", EVENT_BACKOFF, "before");
	for (int i = 0; i < 100; i++)
		events_add("b", EVENT_DEATH, "worker %d", i);
	assert_event(0, "b", EVENT_DEATH, "worker 99");
	assert_int_equal(events_get(0)->more, 99);
	assert_event(1, "b", EVENT_BACKOFF, "before");
	events_add("c", EVENT_DEATH, "another pool");
	assert_event(0, "c", EVENT_DEATH, "another pool");
	assert_int_equal(events_get(0)->more, 0);
	assert_event(1, "b", EVENT_DEATH, "worker 99");
}

static void
one_that_comes_later_is_one_of_its_own(void **state)
{
	int64_t end = util_now_ms() + 1000;

	(void)state;
	events_add("d", EVENT_DEATH, "first");
	while (util_now_ms() <= end)
		;
	events_add("d", EVENT_DEATH, "second");
	assert_event(0, "d", EVENT_DEATH, "second");
	assert_event(1, "d", EVENT_DEATH, "first");
}

static void
what_differs_in_its_numbers_only_is_the_same_again(void **state)
{
	(void)state;
	events_warn("e", "worker 12, client 10.0.0.1:80: cannot open /a", 0);
	events_warn("e", "cannot open /b", 2);
	events_add("e", EVENT_DEATH, "worker 12 killed");
	events_warn("e", "worker 7, client [fe80::1]:8080: cannot open /a", 3);
	assert_event(0, "e", EVENT_WARNING, "worker 7, client [fe80::1]:8080: cannot open /a");
	assert_event(1, "e", EVENT_DEATH, "worker 12 killed");
	events_warn("e", "worker 9, client 192.0.2.99:4711: cannot open /a", 3);
	assert_event(0, "e", EVENT_WARNING, "worker 9, client 192.0.2.99:4711: cannot open /a");
	assert_int_equal(events_get(0)->more, 4);
	assert_event(3, "e", EVENT_WARNING, "cannot open /b");
	assert_int_equal(events_get(3)->more, 2);
	events_warn("f", "cannot open /b", 0);
	assert_int_equal(events_get(0)->more, 0);
}

static void
only_the_last_ones_are_kept(void **state)
{
	char name[2] = "a";

	(void)state;
	for (int i = 0; i < 3 * EVENTS; i++) {
		name[0] = (char)('a' + i % 2);
		events_add(name, EVENT_RELOAD, "reload %d", i);
	}
	assert_event(0, "b", EVENT_RELOAD, "reload 59");
	assert_event(EVENTS - 1, "a", EVENT_RELOAD, "reload 40");
	assert_null(events_get(EVENTS));
}

static void
inherit(int64_t at, const char *text)
{
	char pool[] = "old", copy[16];
	struct events_entry entry = { .at = at, .pool = pool, .kind = EVENT_DEATH, .text = copy };

	snprintf(copy, sizeof(copy), "%s", text);
	events_inherit(&entry);
}

static void
those_of_the_master_before_are_in_their_place(void **state)
{
	int64_t oldest = events_get(EVENTS - 1)->at;

	(void)state;
	inherit(oldest - 1, "too old"); /* of twenty that are there */
	assert_event(EVENTS - 1, "a", EVENT_RELOAD, "reload 40");
	inherit(INT64_MAX - 2, "first");
	inherit(INT64_MAX, "third");
	inherit(INT64_MAX - 1, "second");
	assert_event(0, "old", EVENT_DEATH, "third");
	assert_event(1, "old", EVENT_DEATH, "second");
	assert_event(2, "old", EVENT_DEATH, "first");
	assert_event(3, "b", EVENT_RELOAD, "reload 59");
	assert_event(EVENTS - 1, "b", EVENT_RELOAD, "reload 43");
	assert_null(events_get(EVENTS));
	assert_int_equal(events_kind("backoff"), EVENT_BACKOFF);
	assert_int_equal(events_kind("nonsense"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_first_there_are_none),
		cmocka_unit_test(the_newest_comes_first),
		cmocka_unit_test(many_of_one_kind_at_once_are_one),
		cmocka_unit_test(one_that_comes_later_is_one_of_its_own),
		cmocka_unit_test(what_differs_in_its_numbers_only_is_the_same_again),
		cmocka_unit_test(only_the_last_ones_are_kept),
		cmocka_unit_test(those_of_the_master_before_are_in_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
