/*
 * A whole pool in minutes of simulated load: its workers are played by the scoreboard's
 * own functions, and the master looks only when it would be woken.  What must hold all
 * the time is checked every millisecond.
 */
#include "unit.h"

#include "fake_pool.h"
#include "logged.h"
#include "worker.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 200, READY_MS = 3 };

static struct load {
	struct pool *pool;
	int64_t now;
	unsigned seed;
	/* The world. */
	int queue, request_ms;
	int max_requests; /* a worker is due then; 0: never */
	int crash_one_in; /* requests that kill their worker; 0: none */
	int64_t wake_at;
	bool watching, rang;
	pid_t last_pid;
	struct worker_play {
		pid_t pid; /* 0: nobody */
		int64_t ready_at, done_at;
		bool leaves, dead;
		int status;
	} workers[WORKERS];
	/* What came of it. */
	int looks, forks, ended, longest_queue, longest_short;
	int short_ms; /* how long it has had fewer ready ones than it should */
	unsigned most;
} load;

static pid_t
play_spawn(struct pool *pool, struct generation *gen, size_t slot)
{
	(void)pool;
	(void)gen;
	assert_in_range(slot, 0, WORKERS - 1);
	load.workers[slot] =
	    (struct worker_play){ .pid = ++load.last_pid, .ready_at = load.now + READY_MS };
	load.forks++;
	return load.last_pid;
}

static void
play_signal(pid_t pid, int sig)
{
	for (size_t i = 0; i < WORKERS; i++) {
		struct worker_play *w = &load.workers[i];

		if (w->pid != pid)
			continue;
		if (sig == SIGKILL || sig == SIGTERM || sig == WORKER_SIGNAL_EXPIRE) {
			w->dead = true;
			w->status = sig == SIGKILL ? SIGKILL : SIGTERM;
		}
		w->leaves = true;
		load.ended++;
	}
}

static int
play_queue(const struct listener *listener)
{
	(void)listener;
	return load.queue;
}

static int
play_nothing(const struct listener *listener)
{
	(void)listener;
	return 0;
}

static int
play_room(void)
{
	return 1000;
}

static void
play_wake_at(struct pool *pool, int64_t when)
{
	(void)pool;
	load.wake_at = when;
}

static void
play_sample_at(struct pool *pool, int64_t when)
{
	(void)pool;
	(void)when;
}

static void
play_give_way(struct pool *pool, int n)
{
	(void)pool;
	assert_int_equal(n, 0); /* nobody keeps a connection */
}

static void
play_watch(struct pool *pool, bool on)
{
	(void)pool;
	load.watching = on;
}

static const struct pool_ops play_ops = { .spawn = play_spawn,
					  .signal = play_signal,
					  .queue = play_queue,
					  .handshakes = play_nothing,
					  .room = play_room,
					  .wake_at = play_wake_at,
					  .sample_at = play_sample_at,
					  .give_way = play_give_way,
					  .watch = play_watch };

static void
enter(size_t slot)
{
	struct scoreboard *sb = load.pool->scoreboard;

	load.rang |= scoreboard_enter(sb, slot, ACTIVITY_IDLE);
	sb->slots[slot].pid = (uint32_t)load.workers[slot].pid;
}

static void
serve_one(size_t slot)
{
	struct sockaddr_in peer = { .sin_family = AF_INET };
	struct scoreboard *sb = load.pool->scoreboard;

	load.rang |= scoreboard_begin(sb, slot, (struct sockaddr *)&peer, sizeof(peer), true);
	sb->slots[slot].since_ms = load.now;
	load.workers[slot].done_at = load.now + load.request_ms;
	load.queue--;
}

static void
end_request(size_t slot)
{
	struct scoreboard *sb = load.pool->scoreboard;
	struct worker_play *w = &load.workers[slot];

	w->done_at = 0;
	if (load.crash_one_in > 0 && rand_r(&load.seed) % load.crash_one_in == 0) {
		w->dead = true;
		w->status = SIGSEGV;
		return;
	}
	load.rang |= scoreboard_change(sb, slot, ACTIVITY_IDLE);
	if (load.max_requests > 0 && sb->slots[slot].requests >= (uint64_t)load.max_requests)
		load.rang |= scoreboard_want_leave(sb, slot, DUE_REQUESTS);
}

/* One millisecond of one worker. */
static void
play(size_t slot)
{
	struct worker_play *w = &load.workers[slot];
	struct scoreboard *sb = load.pool->scoreboard;

	if (w->ready_at != 0 && load.now >= w->ready_at) {
		w->ready_at = 0;
		enter(slot);
	}
	if (w->done_at != 0 && load.now >= w->done_at)
		end_request(slot);
	if (w->ready_at == 0 && w->done_at == 0 && w->leaves && !w->dead) {
		load.rang |= scoreboard_change(sb, slot, ACTIVITY_NONE);
		w->dead = true;
	}
	if (!w->dead && w->ready_at == 0 && w->done_at == 0 && load.queue > 0)
		serve_one(slot);
}

/* The master is woken by a bell, a death, its timer, or the socket that it watches. */
static void
wake_master(void)
{
	bool woken = load.rang || (load.wake_at != 0 && load.now >= load.wake_at) ||
		     (load.watching && load.queue > 0);

	for (size_t i = 0; i < WORKERS; i++) {
		struct worker_play *w = &load.workers[i];

		if (w->pid == 0 || !w->dead)
			continue;
		pool_reaped(load.pool, w->pid, w->status, load.now);
		*w = (struct worker_play){ 0 };
		woken = true;
	}
	load.rang = false;
	if (!woken)
		return;
	if (load.watching && load.queue > 0)
		load.watching = false;
	pool_look(load.pool, load.now);
	load.looks++;
}

static void
check(void)
{
	const struct conf_pool *conf = load.pool->current->conf;
	unsigned due = 0, ready = 0, idle = 0, active = 0;
	unsigned due_max = (unsigned)policy_due_max((int)conf->max_workers);
	bool lacks;

	for (size_t i = 0; i < load.pool->nslots; i++) {
		const struct slot *slot = &load.pool->slots[i];
		bool runs = slot->state == SLOT_RUNNING;

		due += slot->state != SLOT_FREE && slot->due != DUE_NOT;
		ready += runs;
		active += slot->due == DUE_NOT && (runs || slot->state == SLOT_STARTING);
		idle += runs && load.workers[i].done_at == 0;
	}
	assert_true(due <= due_max);
	assert_true(active <= conf->max_workers);
	assert_true(pool_active(load.pool) <= conf->max_workers + due_max);
	assert_true(pool_processes(load.pool) <=
		    conf->max_workers + conf->old_generation_max + due_max);
	lacks = conf->workers > 0 ? ready < conf->max_workers
				  : idle < conf->min_spare_workers && ready < conf->max_workers;
	load.short_ms = lacks ? load.short_ms + 1 : 0;
	load.longest_short = (int)util_max(load.longest_short, load.short_ms);
	load.longest_queue = (int)util_max(load.longest_queue, load.queue);
	load.most = (unsigned)util_max(load.most, pool_processes(load.pool));
}

static void
step(int arrivals)
{
	size_t first;

	load.now++;
	load.queue += arrivals;
	first = (size_t)rand_r(&load.seed) % WORKERS; /* nobody is preferred */
	for (size_t i = 0; i < WORKERS; i++)
		if (load.workers[(first + i) % WORKERS].pid != 0)
			play((first + i) % WORKERS);
	wake_master();
	check();
}

static void
forget_numbers(void)
{
	load.looks = load.forks = load.ended = load.longest_queue = load.longest_short = 0;
	load.most = 0;
}

/* A pool that runs, and has had a second of quiet. */
static void
begin(struct generation *gen, int request_ms)
{
	memset(&load, 0, sizeof(load));
	load.seed = 5;
	load.last_pid = 1000;
	load.request_ms = request_ms;
	load.now = 1000;
	load.pool = pool_new("test", &play_ops);
	pool_try(load.pool, gen, load.now);
	pool_commit(load.pool, load.now);
	for (int i = 0; i < 1000; i++)
		step(0);
	forget_numbers();
}

/* A minute after the last request nothing wakes the master any more. */
static void
end(bool timers)
{
	for (int i = 0; i < 60000; i++)
		step(0);
	assert_int_equal(load.queue, 0);
	assert_int_equal(load.pool->saturation.since, 0);
	forget_numbers();
	for (int i = 0; i < 60000 && !timers; i++)
		step(0);
	if (!timers) {
		assert_int_equal(load.wake_at, 0);
		assert_int_equal(load.looks, 0);
	}
	end_pool(load.pool);
}

static void
a_fixed_pool_hard_at_work_costs_the_master_a_few_looks_a_second(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 20, 0, 0, 0), 100);
	for (int i = 0; i < 60000; i++)
		step(rand_r(&load.seed) % 1000 < 190); /* of 200 a second */
	assert_in_range(load.looks, 1, 60 * 12);
	assert_int_equal(load.forks + load.ended, 0);
	end(false);
}

static void
a_fixed_pool_with_little_to_do_costs_one_look(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 20, 0, 0, 0), 100);
	for (int i = 0; i < 60000; i++)
		step(i % 20 == 0);
	assert_int_equal(load.looks, 1); /* its history begins */
	end(false);
}

static void
too_much_load_is_noticed_soon_and_so_is_its_end(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 0, 5, 5, 10), 100);
	for (int i = 0; i < 60000; i++) {
		step(i % 4 == 0); /* 250 a second; 20 workers serve 200 */
		if (i > 3000)
			assert_true(load.pool->saturation.since > 0);
	}
	assert_int_equal(load.most, 20);
	assert_in_range(load.looks, 60, 60 * 6);
	end(false);
}

static void
a_dynamic_pool_follows_its_load_without_swinging(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 0, 5, 5, 10), 100);
	for (int i = 0; i < 300000; i++)
		step(i % 5000 < 1000 && i % 10 == 0); /* ten at once, now and then */
	assert_in_range(load.forks, 10, 15);
	assert_int_equal(load.ended, 0);
	assert_in_range(load.longest_short, 0, 20);
	assert_in_range(load.longest_queue, 0, 2);
	end(false);
}

static void
recycle(struct generation *gen, int one_in)
{
	bool fixed = gen->conf->workers > 0;
	int lives;

	begin(gen, 100);
	load.max_requests = 50;
	for (int i = 0; i < 300000; i++)
		step(rand_r(&load.seed) % one_in == 0);
	lives = 300000 / one_in / load.max_requests;
	assert_in_range(load.ended, lives * 8 / 10, lives * 11 / 10);
	if (fixed)
		assert_int_equal(load.longest_short, 0);
	else
		assert_in_range(load.longest_short, 0, 20);
	assert_int_equal(load.pool->crashes + load.pool->respawns, 0);
	load.max_requests = 0;
	end(false);
}

static void
recycling_by_requests_never_lacks_a_worker(void **state)
{
	(void)state;
	recycle(new_generation(new_listener(), 20, 0, 0, 0), 10);
	recycle(new_generation(new_listener(), 4, 0, 0, 0), 50);
	recycle(new_generation(new_listener(), 0, 5, 5, 10), 20);
}

/* All are of one age and come of age in the same tenth of it. */
static void
recycling_by_age_never_lacks_a_worker(void **state)
{
	struct generation *gen = new_generation(new_listener(), 50, 0, 0, 0);

	(void)state;
	gen->conf->max_worker_age = 20000;
	begin(gen, 100);
	for (int i = 0; i < 200000; i++)
		step(rand_r(&load.seed) % 4 == 0);
	assert_in_range(load.ended, 50 * 9, 50 * 12);
	assert_in_range(load.looks, 1, load.ended * 8 + 200 * 12);
	assert_int_equal(load.longest_short, 0);
	end(true);
}

static void
recycling_at_the_limit_goes_on_and_serves_as_many(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 0, 20, 5, 10), 100);
	load.max_requests = 20;
	for (int i = 0; i < 60000; i++)
		step(load.queue < 100); /* always more than it can do */
	assert_in_range(load.ended, 540, 660);
	assert_true(load.most <= 22);
	assert_true(load.pool->figures.gone.n[FIGURE_ACCEPTED] > 60 * 200 * 95 / 100);
	load.max_requests = 0;
	end(false);
}

static void
time_limits_cost_a_look_now_and_then(void **state)
{
	struct generation *gen = new_generation(new_listener(), 20, 0, 0, 0);

	(void)state;
	gen->conf->slow_request = 2000;
	gen->conf->request_timeout = 10000;
	begin(gen, 100);
	for (int i = 0; i < 60000; i++)
		step(i % 20 == 0);
	assert_in_range(load.looks, 20, 40); /* one in slow_request, not one a request */
	assert_int_equal(load.ended, 0);
	load.request_ms = 15000;
	step(1);
	load.request_ms = 100;
	for (int i = 0; i < 20000; i++)
		step(0);
	assert_int_equal(load.ended, 1);
	assert_int_equal(load.pool->crashes, 0);
	end(false);
}

static void
crashes_under_load_are_replaced_and_back_off_nothing(void **state)
{
	(void)state;
	begin(new_generation(new_listener(), 0, 5, 5, 10), 100);
	load.crash_one_in = 10;
	for (int i = 0; i < 60000; i++)
		step(rand_r(&load.seed) % 20 == 0);
	assert_in_range(load.pool->crashes, 200, 400);
	assert_in_range(load.pool->respawns, 190, load.pool->crashes);
	assert_in_range(load.longest_short, 0, 20);
	assert_in_range(load.longest_queue, 0, 3);
	load.crash_one_in = 0;
	end(false);
}

static void
random_load_with_everything_keeps_every_limit(void **state)
{
	struct generation *gen = new_generation(new_listener(), 0, 5, 5, 10);

	(void)state;
	gen->conf->max_worker_age = 15000;
	gen->conf->slow_request = 500;
	gen->conf->spare_timeout = 1000;
	begin(gen, 100);
	load.max_requests = 30;
	load.crash_one_in = 200;
	for (int i = 0; i < 600000; i++) {
		bool burst = rand_r(&load.seed) % 2000 == 0;

		load.request_ms = 20 + rand_r(&load.seed) % 300;
		step(burst ? rand_r(&load.seed) % 60
			   : rand_r(&load.seed) % (i % 97000 / 1000 + 5) == 0);
	}
	assert_true(load.forks > 1000);
	end(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fixed_pool_hard_at_work_costs_the_master_a_few_looks_a_second),
		cmocka_unit_test(a_fixed_pool_with_little_to_do_costs_one_look),
		cmocka_unit_test(too_much_load_is_noticed_soon_and_so_is_its_end),
		cmocka_unit_test(a_dynamic_pool_follows_its_load_without_swinging),
		cmocka_unit_test(recycling_by_requests_never_lacks_a_worker),
		cmocka_unit_test(recycling_by_age_never_lacks_a_worker),
		cmocka_unit_test(recycling_at_the_limit_goes_on_and_serves_as_many),
		cmocka_unit_test(time_limits_cost_a_look_now_and_then),
		cmocka_unit_test(crashes_under_load_are_replaced_and_back_off_nothing),
		cmocka_unit_test(random_load_with_everything_keeps_every_limit),
	};

	logged_end();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
