/*
 * Time limits of requests: who is told, who is ended, and that nothing wakes the master
 * while nobody is busy.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "worker.h"

#include <netinet/in.h>
#include <string.h>

static struct pool *
limited_pool(int64_t workers, int64_t slow, int64_t timeout)
{
	struct generation *gen = new_generation(new_listener(), workers, 0, 0, 0);

	gen->conf->slow_request = slow;
	gen->conf->request_timeout = timeout;
	return new_pool(gen, 1000);
}

/* Whether who goes busy would ring because of the limits. */
static bool
is_armed(const struct pool *pool)
{
	return pool->scoreboard->alarm & ALARM_LIMITS;
}

/* A request begins, and the master looks if the worker rings; returns whether it did. */
static bool
begin(struct pool *pool, size_t slot, int64_t now)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	bool rang =
	    scoreboard_begin(pool->scoreboard, slot, (struct sockaddr *)&peer, sizeof(peer), true);

	pool->scoreboard->slots[slot].since_ms = now;
	if (rang)
		pool_look(pool, now);
	return rang;
}

static void
finish(struct pool *pool, size_t slot)
{
	scoreboard_change(pool->scoreboard, slot, ACTIVITY_IDLE);
}

/* All that comes by the clock, until then. */
static int
pass(struct pool *pool, int64_t until)
{
	int looks = 0;

	while (world.wake_at != 0 && world.wake_at <= until) {
		int64_t now = world.wake_at;

		pool_look(pool, now);
		assert_true(world.wake_at == 0 || world.wake_at > now);
		looks++;
	}
	return looks;
}

static void
without_limits_there_is_neither_alarm_nor_timer(void **state)
{
	struct pool *pool = limited_pool(4, 0, 0);

	(void)state;
	assert_false(is_armed(pool));
	assert_true(begin(pool, 0, 2000)); /* for the history */
	assert_false(begin(pool, 1, 2000));
	pool->scoreboard->alarm = ALARM_LIMITS; /* a worker may write what it likes */
	pool_look(pool, 2000);
	assert_int_equal(world.wake_at, 0);
	assert_false(is_armed(pool));
	end_pool(pool);
}

static void
only_the_first_one_of_a_quiet_pool_rings(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 0);

	(void)state;
	assert_true(is_armed(pool));
	assert_int_equal(world.wake_at, 0);
	assert_true(begin(pool, 0, 2000));
	assert_false(is_armed(pool));
	assert_int_equal(world.wake_at, 12000);
	assert_false(begin(pool, 1, 3000));
	finish(pool, 0);
	assert_false(begin(pool, 0, 4000));
	finish(pool, 0);
	finish(pool, 1);
	assert_int_equal(pass(pool, 1000000), 1);
	assert_true(is_armed(pool));
	assert_int_equal(world.wake_at, 0);
	assert_true(begin(pool, 2, 2000000));
	assert_int_equal(world.wake_at, 2010000);
	end_pool(pool);
}

static void
looks_for_other_reasons_do_not_move_the_limit(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 0);

	(void)state;
	begin(pool, 0, 2000);
	for (int64_t now = 2001; now < 12000; now += 100) {
		pool_look(pool, now);
		assert_int_equal(pool->limits_at, 12000);
		assert_in_range(world.wake_at, now + 1, 12000);
	}
	end_pool(pool);
}

static void
a_slow_request_is_told_once(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 0);

	(void)state;
	logged_begin(LOG_WARNING);
	begin(pool, 0, 2000);
	scoreboard_say(&pool->scoreboard->slots[0], "GET\t/x", strlen("GET\t/x"));
	pass(pool, 11999);
	assert_int_equal(logged_lines("slow_request"), 0);
	pass(pool, 60000);
	assert_int_equal(logged_lines("slow_request"), 1);
	assert_int_equal(logged_lines("pool test: worker 1001, client *:0: request 1 "
				      "GET\\x09/x runs for 10.0 s (slow_request): "),
			 1);
	finish(pool, 0);
	begin(pool, 0, 60000);
	pass(pool, 69999);
	assert_int_equal(logged_lines("slow_request"), 1);
	pass(pool, 75000);
	assert_int_equal(logged_lines("request 2 runs for 10.0 s (slow_request)"), 1);
	assert_int_equal(world.sent[1], 0);
	logged_end();
	end_pool(pool);
}

static void
a_request_that_takes_too_long_is_ended_once(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 30000);

	(void)state;
	logged_begin(LOG_WARNING);
	pool->scoreboard->slots[2].requests = 0x100000006;
	begin(pool, 2, 2000);
	pass(pool, 31999);
	assert_int_equal(world.sent[3], 0);
	assert_int_equal(pool->scoreboard->slots[2].expired, 0);
	pass(pool, 32000);
	assert_int_equal(world.signals[3], WORKER_SIGNAL_EXPIRE);
	assert_int_equal(pool->scoreboard->slots[2].expired, 7);
	pass(pool, 41999);
	assert_int_equal(world.sent[3], 1);
	assert_int_equal(pool->slots[2].state, SLOT_RUNNING);
	assert_int_equal(logged_lines("slow_request"), 1);
	assert_int_equal(logged_lines("runs for 30.0 s (request_timeout): "), 1);
	assert_int_equal(logged_lines(": TERM"), 1);
	pass(pool, 42000);
	assert_int_equal(world.signals[3], SIGKILL);
	assert_int_equal(world.sent[3], 2);
	assert_int_equal(pool->slots[2].state, SLOT_KILLED);
	assert_int_equal(logged_lines("worker 1003, request 4294967303 still runs"), 1);
	for (size_t i = 0; i < 4; i++)
		if (i != 2)
			assert_int_equal(world.sent[i + 1], 0);
	logged_end();
	end_pool(pool);
}

static void
who_ends_its_request_in_time_works_on(void **state)
{
	struct pool *pool = limited_pool(4, 0, 30000);

	(void)state;
	begin(pool, 0, 2000);
	pass(pool, 32000);
	assert_int_equal(world.sent[1], 1);
	finish(pool, 0);
	begin(pool, 0, 33000);
	pass(pool, 62999);
	assert_int_equal(world.sent[1], 1);
	assert_int_equal(pool->slots[0].state, SLOT_RUNNING);
	pass(pool, 63000);
	assert_int_equal(world.sent[1], 2);
	assert_int_equal(pool->scoreboard->slots[0].expired, 2);
	end_pool(pool);
}

static void
a_worker_that_its_limit_ends_is_no_crash_and_is_replaced(void **state)
{
	struct pool *pool = limited_pool(4, 0, 30000);

	(void)state;
	begin(pool, 0, 2000);
	pass(pool, 32000);
	reap(pool, 0, ended, 32001);
	assert_int_equal(pool->crashes, 0);
	assert_int_equal(pool->policy.failures, 0);
	assert_int_equal(pool_active(pool), 4);
	assert_null(pool->last_failure);
	end_pool(pool);
}

static void
who_takes_over_its_slot_has_the_same_limits(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 30000);

	(void)state;
	logged_begin(LOG_WARNING);
	begin(pool, 0, 2000);
	pass(pool, 32000);
	reap(pool, 0, ended, 32001);
	say(pool, 0, ACTIVITY_IDLE);
	pool_look(pool, 32002);
	assert_int_equal(pool->slots[0].pid, 1005);
	begin(pool, 0, 40000);
	pass(pool, 70000);
	assert_int_equal(logged_lines("worker 1005, client *:0: request 1 runs for 10.0 s"), 1);
	assert_int_equal(world.signals[5], WORKER_SIGNAL_EXPIRE);
	assert_int_equal(pool->slots[0].state, SLOT_RUNNING);
	logged_end();
	end_pool(pool);
}

static void
one_that_only_a_kill_ends_is_no_crash_either(void **state)
{
	struct pool *pool = limited_pool(4, 0, 30000);

	(void)state;
	begin(pool, 0, 2000);
	pass(pool, 42000);
	assert_int_equal(world.signals[1], SIGKILL);
	reap(pool, 0, killed, 42001);
	assert_int_equal(pool_active(pool), 4);
	assert_int_equal(pool->policy.failures, 0);
	assert_int_equal(pool->crashes, 0);
	assert_null(pool->last_failure);
	end_pool(pool);
}

static void
a_pool_whose_requests_are_all_killed_is_whole_at_once(void **state)
{
	struct pool *pool = limited_pool(12, 0, 30000);

	(void)state;
	for (size_t i = 0; i < 12; i++)
		begin(pool, i, 2000);
	pass(pool, 42000);
	assert_int_equal(pool->counts[SLOT_KILLED], 12);
	for (size_t i = 0; i < 12; i++)
		pool_reaped(pool, pool->slots[i].pid, killed, 42001);
	pool_look(pool, 42001);
	assert_in_range(pool_active(pool), 10, 12);
	end_pool(pool);
}

static void
idle_workers_have_no_limit(void **state)
{
	struct pool *pool = limited_pool(4, 1000, 2000);

	(void)state;
	begin(pool, 0, 2000);
	for (size_t i = 1; i < 4; i++)
		pool->scoreboard->slots[i].since_ms = 1;
	say(pool, 1, ACTIVITY_CHANGING);
	pass(pool, 60000);
	for (int i = 2; i <= 4; i++)
		assert_int_equal(world.sent[i], 0);
	end_pool(pool);
}

static void
a_beginning_that_cannot_be_keeps_nobody_awake(void **state)
{
	const int64_t nonsense[] = { INT64_MIN, -1, 1, INT64_MAX - 10, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nonsense); i++) {
		struct pool *pool = limited_pool(4, 10000, 30000);

		begin(pool, 0, 2000);
		pool->scoreboard->slots[0].since_ms = nonsense[i];
		assert_in_range(pass(pool, 40000), 1, 8); /* which asserts that time goes on */
		end_pool(pool);
	}
}

static void
workers_on_their_way_out_have_limits_too(void **state)
{
	struct pool *pool = limited_pool(4, 0, 10000);

	(void)state;
	begin(pool, 0, 2000);
	pool_end_worker(pool, 1001, false, 3000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_RETIRE);
	pass(pool, 12000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_EXPIRE);
	pass(pool, 22000);
	assert_int_equal(pool->slots[0].state, SLOT_KILLED);
	end_pool(pool);
}

static void
requests_of_an_old_generation_keep_their_limit(void **state)
{
	struct listener *l = new_listener();
	struct generation *gen = new_generation(l, 2, 0, 0, 0);
	struct pool *pool;

	(void)state;
	gen->conf->request_timeout = 10000;
	pool = new_pool(gen, 1000);
	begin(pool, 0, 2000);
	replace_generation(pool, new_generation(l, 2, 0, 0, 0), 3000);
	pass(pool, 12000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_EXPIRE);
	reap(pool, 0, ended, 12001);
	reap(pool, 1, left, 12001);
	assert_null(pool->old);
	pool_look(pool, 13000);
	assert_int_equal(world.wake_at, 0);
	end_pool(pool);
}

/* While the last one that was told is busy, others may still take from the queue. */
static void
requests_that_begin_while_a_pool_drains_have_limits_too(void **state)
{
	struct pool *pool = limited_pool(4, 10000, 0);

	(void)state;
	logged_begin(LOG_WARNING);
	begin(pool, 0, 2000);
	world.queue = 1;
	pool_stop(pool, false, 3000);
	pass(pool, 12500);
	assert_int_equal(logged_lines("slow_request"), 1);
	begin(pool, 1, 13000);
	world.queue = 0;
	pass(pool, 26000);
	assert_int_equal(logged_lines("slow_request"), 2);
	logged_end();
	end_pool(pool);
}

static struct conf_pool *
with_limits(const struct pool *pool, int64_t slow, int64_t timeout)
{
	struct conf_pool *conf = conf_pool_copy(pool->current->conf);

	conf->slow_request = slow;
	conf->request_timeout = timeout;
	return conf;
}

static void
limits_that_change_hold_for_requests_under_way(void **state)
{
	struct pool *pool = limited_pool(4, 0, 60000);

	(void)state;
	begin(pool, 0, 2000);
	pool_resize(pool, with_limits(pool, 0, 5000));
	pool_look(pool, 3000);
	assert_int_equal(world.wake_at, 7000);
	pass(pool, 7000);
	assert_int_equal(world.signals[1], WORKER_SIGNAL_EXPIRE);
	end_pool(pool);
}

static void
limits_that_come_and_go_take_the_alarm_with_them(void **state)
{
	struct pool *pool = limited_pool(4, 0, 0);

	(void)state;
	begin(pool, 0, 2000);
	pool_resize(pool, with_limits(pool, 5000, 0));
	pool_look(pool, 3000);
	assert_int_equal(world.wake_at, 7000);
	pool_resize(pool, with_limits(pool, 0, 0));
	pool_look(pool, 4000);
	assert_int_equal(world.wake_at, 0);
	finish(pool, 0);
	pool_resize(pool, with_limits(pool, 5000, 0));
	pool_look(pool, 5000);
	assert_true(is_armed(pool));
	pool_resize(pool, with_limits(pool, 0, 0));
	pool_look(pool, 6000);
	assert_false(is_armed(pool));
	end_pool(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_limits_there_is_neither_alarm_nor_timer),
		cmocka_unit_test(only_the_first_one_of_a_quiet_pool_rings),
		cmocka_unit_test(looks_for_other_reasons_do_not_move_the_limit),
		cmocka_unit_test(a_slow_request_is_told_once),
		cmocka_unit_test(a_request_that_takes_too_long_is_ended_once),
		cmocka_unit_test(who_ends_its_request_in_time_works_on),
		cmocka_unit_test(a_worker_that_its_limit_ends_is_no_crash_and_is_replaced),
		cmocka_unit_test(who_takes_over_its_slot_has_the_same_limits),
		cmocka_unit_test(one_that_only_a_kill_ends_is_no_crash_either),
		cmocka_unit_test(a_pool_whose_requests_are_all_killed_is_whole_at_once),
		cmocka_unit_test(idle_workers_have_no_limit),
		cmocka_unit_test(a_beginning_that_cannot_be_keeps_nobody_awake),
		cmocka_unit_test(workers_on_their_way_out_have_limits_too),
		cmocka_unit_test(requests_of_an_old_generation_keep_their_limit),
		cmocka_unit_test(requests_that_begin_while_a_pool_drains_have_limits_too),
		cmocka_unit_test(limits_that_change_hold_for_requests_under_way),
		cmocka_unit_test(limits_that_come_and_go_take_the_alarm_with_them),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
