#include "unit.h"

#include "scoreboard.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
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
	assert_true(scoreboard_has_rung(sb));
	scoreboard_hush(sb);
	assert_false(scoreboard_has_rung(sb));
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
				scoreboard_begin(sb, i, (struct sockaddr *)&peer, sizeof(peer),
						 true);
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

/* ---- what a worker says of its request ---- */

static void
tell(struct scoreboard_slot *slot, const char *text)
{
	scoreboard_say(slot, text, strlen(text));
}

static void
what_is_served_can_be_read_and_is_forgotten_with_the_next_request(void **state)
{
	struct scoreboard *sb = *state;
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(4711) };
	struct scoreboard_view view;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_begin(sb, 0, (struct sockaddr *)&peer, sizeof(peer), true);
	tell(&sb->slots[0], "GET /a/long/way");
	sb->slots[0].program = 42;
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(view.activity, ACTIVITY_BUSY);
	assert_int_equal(view.requests, 1);
	assert_int_equal(view.program, 42);
	assert_int_equal(view.peer_len, sizeof(peer));
	assert_memory_equal(&view.peer, &peer, sizeof(peer));
	assert_string_equal(view.text, "GET /a/long/way");
	scoreboard_change(sb, 0, ACTIVITY_IDLE);
	scoreboard_begin(sb, 0, (struct sockaddr *)&peer, sizeof(peer), true);
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(view.requests, 2);
	assert_string_equal(view.text, "");
	tell(&sb->slots[0], "GET /");
	scoreboard_read(sb, 0, getpid(), &view);
	assert_string_equal(view.text, "GET /");
}

static void
a_text_that_is_too_long_is_cut(void **state)
{
	struct scoreboard *sb = *state;
	char text[SCOREBOARD_TEXT_BYTES + 20];
	struct scoreboard_view view;

	scoreboard_enter(sb, 0, ACTIVITY_BUSY);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	tell(&sb->slots[0], text);
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(strlen(view.text), SCOREBOARD_TEXT_BYTES);
	assert_int_equal(sb->slots[1].activity, ACTIVITY_NONE);
}

static void
while_a_worker_changes_what_it_says_nothing_is_read_of_it(void **state)
{
	struct scoreboard *sb = *state;
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct scoreboard_view view;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_begin(sb, 0, (struct sockaddr *)&peer, sizeof(peer), true);
	tell(&sb->slots[0], "GET /");
	sb->slots[0].sequence += 1; /* killed in between */
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(view.activity, ACTIVITY_BUSY);
	assert_int_equal(view.requests, 1);
	assert_int_equal(view.peer_len, 0);
	assert_string_equal(view.text, "");
	sb->slots[0].sequence += 1;
	scoreboard_read(sb, 0, getpid(), &view);
	assert_string_equal(view.text, "GET /");
}

static void
nonsense_in_a_slot_is_read_as_something_that_can_be(void **state)
{
	struct scoreboard *sb = *state;
	struct scoreboard_view view;

	scoreboard_enter(sb, 0, ACTIVITY_BUSY);
	tell(&sb->slots[0], "GET /");
	scoreboard_read(sb, 0, getpid() + 1, &view); /* of another process */
	assert_int_equal(view.activity, ACTIVITY_NONE);
	assert_string_equal(view.text, "");
	sb->slots[0].peer_len = SCOREBOARD_PEER_BYTES + 1;
	memset(sb->slots[0].text, 'x', SCOREBOARD_TEXT_BYTES);
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(view.peer_len, 0);
	assert_int_equal(strlen(view.text), SCOREBOARD_TEXT_BYTES);
}

/* As many of eight digits as a text has room for. */
enum { NUMBERS = SCOREBOARD_TEXT_BYTES / 8 * 8 };

struct writer {
	struct scoreboard *sb;
	atomic_bool stop;
};

/* Request n comes from port n, and its text is n over and over. */
static void *
keep_writing(void *arg)
{
	struct writer *w = arg;
	struct sockaddr_in peer = { .sin_family = AF_INET };
	char text[NUMBERS + 1] = "";

	for (uint16_t n = 1; !w->stop; n++) {
		peer.sin_port = n;
		for (int i = 0; i < NUMBERS; i += 8)
			snprintf(text + i, 9, "%08d", n);
		scoreboard_begin(w->sb, 0, (struct sockaddr *)&peer, sizeof(peer), true);
		tell(&w->sb->slots[0], text);
		scoreboard_change(w->sb, 0, ACTIVITY_IDLE);
	}
	return NULL;
}

/* Returns whether there was a text. */
static bool
check_view(const struct scoreboard_view *view)
{
	uint16_t n = (uint16_t)view->requests;
	struct sockaddr_in peer;
	char expected[9];

	if (view->peer_len > 0) {
		memcpy(&peer, &view->peer, sizeof(peer));
		assert_int_equal(view->peer_len, sizeof(peer));
		assert_int_equal(peer.sin_port, n);
	}
	if (!view->text[0])
		return false;
	snprintf(expected, sizeof(expected), "%08d", n);
	for (int i = 0; i < NUMBERS; i += 8)
		assert_memory_equal(view->text + i, expected, 8);
	return true;
}

static void
what_is_read_is_always_of_one_moment(void **state)
{
	struct writer w = { .sb = *state };
	pthread_t thread;
	int texts = 0;

	scoreboard_enter(w.sb, 0, ACTIVITY_IDLE);
	assert_int_equal(pthread_create(&thread, NULL, keep_writing, &w), 0);
	for (int i = 0; i < 1000000; i++) {
		struct scoreboard_view view;

		scoreboard_read(w.sb, 0, getpid(), &view);
		texts += check_view(&view);
	}
	w.stop = true;
	pthread_join(thread, NULL);
	assert_true(texts > 0);
}

/* ---- a connection that is not served yet ---- */

static void
who_waits_is_not_idle_and_has_no_request(void **state)
{
	struct scoreboard *sb = *state;
	struct sockaddr_in proxy = { .sin_family = AF_INET, .sin_port = 1 };
	struct sockaddr_in client = { .sin_family = AF_INET, .sin_port = 2 };
	struct scoreboard_view view;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_hush(sb);
	scoreboard_set_bell(sb, 1, 100);
	sb->alarm = 1;
	sb->crowded = 2;
	assert_true(scoreboard_arrive(sb, 0, (struct sockaddr *)&proxy, sizeof(proxy)));
	scoreboard_hush(sb);
	assert_false(scoreboard_arrive(sb, 0, (struct sockaddr *)&client, sizeof(client)));
	scoreboard_read(sb, 0, getpid(), &view);
	assert_int_equal(view.activity, ACTIVITY_WAITING);
	assert_false(activity_is_busy(view.activity));
	assert_memory_equal(&view.peer, &client, sizeof(client));
	assert_int_equal(view.requests, 0);
	assert_int_equal(view.connections, 0);
	assert_int_equal(scoreboard_idle(sb), 0);
	/* Limits of time begin with the service, and who was counted off is so once. */
	assert_int_equal(sb->alarm, 1);
	assert_true(scoreboard_begin(sb, 0, (struct sockaddr *)&client, sizeof(client), true));
	assert_int_equal(sb->alarm, 0);
	assert_int_equal(sb->crowded, 1);
	assert_int_equal(sb->slots[0].requests, 1);
	scoreboard_change(sb, 0, ACTIVITY_IDLE);
	assert_int_equal(scoreboard_idle(sb), 1);
}

/* ---- alarm, and who is due ---- */

static void
the_alarm_rings_once_and_not_unless_it_is_set(void **state)
{
	struct scoreboard *sb = *state;
	struct sockaddr_in peer = { .sin_family = AF_INET };

	for (size_t i = 0; i < 4; i++)
		scoreboard_enter(sb, i, ACTIVITY_IDLE);
	scoreboard_hush(sb);
	assert_false(scoreboard_begin(sb, 0, (struct sockaddr *)&peer, sizeof(peer), true));
	sb->alarm = 1;
	assert_true(scoreboard_begin(sb, 1, (struct sockaddr *)&peer, sizeof(peer), true));
	assert_int_equal(sb->alarm, 0);
	scoreboard_hush(sb);
	assert_false(scoreboard_begin(sb, 2, (struct sockaddr *)&peer, sizeof(peer), true));
}

struct starter {
	struct scoreboard *sb;
	pthread_barrier_t *barrier;
	size_t slot;
	atomic_int *rang;
};

enum { ROUNDS = 500 };

static void *
begin_with_the_others(void *arg)
{
	struct starter *s = arg;
	struct sockaddr_in peer = { .sin_family = AF_INET };

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(s->barrier);
		*s->rang +=
		    scoreboard_begin(s->sb, s->slot, (struct sockaddr *)&peer, sizeof(peer), true);
		scoreboard_change(s->sb, s->slot, ACTIVITY_IDLE);
		pthread_barrier_wait(s->barrier);
	}
	return NULL;
}

static void
of_all_that_go_busy_at_once_one_rings_the_alarm(void **state)
{
	struct scoreboard *sb = *state;
	pthread_barrier_t barrier;
	pthread_t threads[SLOTS];
	struct starter starters[SLOTS];
	atomic_int rang = 0;
	int wrong = 0;

	pthread_barrier_init(&barrier, NULL, SLOTS + 1);
	for (size_t i = 0; i < SLOTS; i++) {
		scoreboard_enter(sb, i, ACTIVITY_IDLE);
		starters[i] = (struct starter){ sb, &barrier, i, &rang };
		pthread_create(&threads[i], NULL, begin_with_the_others, &starters[i]);
	}
	for (int i = 0; i < ROUNDS; i++) {
		rang = 0;
		scoreboard_hush(sb);
		sb->alarm = 1;
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		wrong += rang != 1 || sb->alarm != 0;
	}
	for (size_t i = 0; i < SLOTS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	assert_int_equal(wrong, 0);
}

static void
who_is_due_rings_once_with_its_first_reason(void **state)
{
	struct scoreboard *sb = *state;

	scoreboard_enter(sb, 0, ACTIVITY_IDLE);
	scoreboard_hush(sb);
	assert_true(scoreboard_want_leave(sb, 0, DUE_REQUESTS));
	scoreboard_hush(sb);
	assert_false(scoreboard_want_leave(sb, 0, DUE_MEMORY));
	assert_int_equal(sb->slots[0].due, DUE_REQUESTS);
	scoreboard_clear(sb, 0);
	assert_int_equal(sb->slots[0].due, DUE_NOT);
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

static void
a_burst_passes_and_then_one_an_interval(void **state)
{
	struct log_limit limit = { 0 };
	unsigned held_back = 99;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(log_limit_burst(&limit, 3600000, 10, &held_back));
	assert_int_equal(held_back, 0);
	assert_false(log_limit_burst(&limit, 3600000, 10, &held_back));
	assert_false(log_limit_burst(&limit, 3600000, 10, &held_back));
	limit.next_ms -= 3600000; /* as if one interval had gone by */
	assert_true(log_limit_burst(&limit, 3600000, 10, &held_back));
	assert_int_equal(held_back, 2);
	assert_false(log_limit_burst(&limit, 3600000, 10, &held_back));
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
		TEST(what_is_served_can_be_read_and_is_forgotten_with_the_next_request),
		TEST(a_text_that_is_too_long_is_cut),
		TEST(while_a_worker_changes_what_it_says_nothing_is_read_of_it),
		TEST(nonsense_in_a_slot_is_read_as_something_that_can_be),
		TEST(what_is_read_is_always_of_one_moment),
		TEST(who_waits_is_not_idle_and_has_no_request),
		TEST(the_alarm_rings_once_and_not_unless_it_is_set),
		TEST(of_all_that_go_busy_at_once_one_rings_the_alarm),
		TEST(who_is_due_rings_once_with_its_first_reason),
		TEST(a_rate_limit_counts_what_it_holds_back),
		TEST(a_burst_passes_and_then_one_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
