#include "unit.h"

#include "scoreboard.h"

#include <netinet/in.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 8 };

static int
setup(void **state)
{
	*state = scoreboard_new(SLOTS);
	return *state ? 0 : -1;
}

static int
teardown(void **state)
{
	scoreboard_free(*state, SLOTS);
	return 0;
}

static bool
all_alive(const void *arg, size_t slot)
{
	return arg != NULL && slot < SLOTS;
}

static void
idle_workers_are_counted(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_enter(sb, 1, ACTIVITY_IDLE);
	assert_int_equal(scoreboard_idle(sb), 2);
	scoreboard_change(sb, 0, ACTIVITY_BUSY);
	assert_int_equal(scoreboard_idle(sb), 1);
	scoreboard_change(sb, 0, ACTIVITY_IDLE);
	scoreboard_change(sb, 0, ACTIVITY_NONE);
	assert_int_equal(scoreboard_idle(sb), 1);
}

static void
the_bell_rings_once_until_it_is_hushed(void **state)
{
	struct scoreboard *sb = *state;

	assert_true(scoreboard_enter(sb, 0, ACTIVITY_IDLE));
	assert_false(scoreboard_enter(sb, 1, ACTIVITY_IDLE));
	scoreboard_hush(sb);
	scoreboard_set_bell(sb, 2, 100);
	assert_true(scoreboard_change(sb, 0, ACTIVITY_BUSY));
	assert_false(scoreboard_change(sb, 1, ACTIVITY_BUSY));
	scoreboard_hush(sb);
	scoreboard_set_bell(sb, 0, 1);
	assert_false(scoreboard_change(sb, 0, ACTIVITY_IDLE));
	assert_true(scoreboard_change(sb, 1, ACTIVITY_IDLE));
}

static void
who_becomes_ready_rings_also_beyond_the_upper_mark(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_set_bell(sb, 1, 0);
	assert_true(scoreboard_enter(sb, 0, ACTIVITY_IDLE));
}

static void
low_water_is_the_smallest_since_the_reset(void **state)
{
	struct scoreboard *sb = *state;

	for (size_t i = 0; i < 4; i++)
		scoreboard_enter(sb, i, ACTIVITY_IDLE);
	scoreboard_reset_low(sb);
	assert_int_equal(scoreboard_low(sb), 4);
	scoreboard_change(sb, 0, ACTIVITY_BUSY);
	scoreboard_change(sb, 1, ACTIVITY_BUSY);
	scoreboard_change(sb, 0, ACTIVITY_IDLE);
	scoreboard_change(sb, 1, ACTIVITY_IDLE);
	assert_int_equal(scoreboard_low(sb), 2);
}

static void
a_wrong_count_is_corrected_by_the_slots(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_enter(sb, 1, ACTIVITY_BUSY);
	sb->census += 41; /* as if killed between its two writes */
	assert_true(scoreboard_correct(sb, SLOTS, all_alive, sb));
	assert_int_equal(scoreboard_idle(sb), 1);
}

static void
nothing_is_corrected_while_a_worker_changes(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	sb->slots[1].activity = ACTIVITY_CHANGING;
	sb->census += 5;
	assert_false(scoreboard_correct(sb, SLOTS, all_alive, sb));
	assert_int_equal(scoreboard_idle(sb), 6);
}

static void
what_another_process_left_in_a_slot_is_not_believed(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_enter(sb, 0, ACTIVITY_BUSY);
	assert_int_equal(scoreboard_activity(sb, 0, getpid()), ACTIVITY_BUSY);
	assert_int_equal(scoreboard_activity(sb, 0, getpid() + 1), ACTIVITY_NONE);
	sb->slots[0].activity = 77;
	assert_int_equal(scoreboard_activity(sb, 0, getpid()), ACTIVITY_NONE);
}

/* Processes that change all the time, and a master that corrects all the time. */
static void
corrections_under_load_end_with_the_right_count(void **state)
{
	struct scoreboard *sb = *state;
	struct sockaddr_in peer = { .sin_family = AF_INET };
	pid_t pids[SLOTS];

	for (size_t i = 0; i < SLOTS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			scoreboard_enter(sb, i, ACTIVITY_IDLE);
			for (int k = 0; k < 20000; k++) {
				scoreboard_begin(sb, i, (struct sockaddr *)&peer, sizeof(peer));
				scoreboard_change(sb, i, ACTIVITY_IDLE);
			}
			_exit(0);
		}
	}
	for (int k = 0; k < 20000; k++)
		scoreboard_correct(sb, SLOTS, all_alive, sb);
	for (size_t i = 0; i < SLOTS; i++)
		waitpid(pids[i], NULL, 0);
	assert_int_equal(scoreboard_idle(sb), SLOTS);
	assert_int_equal(sb->slots[3].requests, 20000);
}

static void
a_rate_limit_counts_what_it_holds_back(void **state)
{
	struct log_limit limit = { 0 };
	unsigned held_back = 99;

	(void)state;
	assert_true(log_limit_pass(&limit, 3600000, &held_back));
	assert_int_equal(held_back, 0);
	assert_false(log_limit_pass(&limit, 3600000, &held_back));
	assert_false(log_limit_pass(&limit, 3600000, &held_back));
	limit.next_ms = 0;
	assert_true(log_limit_pass(&limit, 3600000, &held_back));
	assert_int_equal(held_back, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(idle_workers_are_counted),
		TEST(the_bell_rings_once_until_it_is_hushed),
		TEST(who_becomes_ready_rings_also_beyond_the_upper_mark),
		TEST(low_water_is_the_smallest_since_the_reset),
		TEST(a_wrong_count_is_corrected_by_the_slots),
		TEST(nothing_is_corrected_while_a_worker_changes),
		TEST(what_another_process_left_in_a_slot_is_not_believed),
		TEST(corrections_under_load_end_with_the_right_count),
		TEST(a_rate_limit_counts_what_it_holds_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
