#include "unit.h"

#include "source.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 4, CROWD = 20, ROUNDS = 300 };

static uint64_t
source(const char *text)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in sin = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &sin.sin_addr) == 1)
		return source_of_address((struct sockaddr *)&sin);
	assert_int_equal(inet_pton(AF_INET6, text, &sin6.sin6_addr), 1);
	return source_of_address((struct sockaddr *)&sin6);
}

static void
what_is_one_source(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.1", "::ffff:192.0.2.1", true },
		{ "2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "2001:db8:0:0:1::1", "2001:db8::2", true },
		{ "::1", "::2", true },
		{ "::1", "0.0.0.0", false },
		{ "::1", "192.0.2.1", false },
		{ "::1", "2001:db8::1", false },
		{ "::ffff:0.0.0.0", "::ffff:0.0.0.1", false },
	};
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(source(rows[i].a) == source(rows[i].b), rows[i].same);
	assert_int_not_equal(source("::1"), 0);
	assert_int_not_equal(source("0.0.0.0"), 0);
	assert_int_not_equal(source_of_user(0), 0);
	assert_int_not_equal(source_of_user(0), source_of_user(1));
	assert_int_not_equal(source_of_user(0), source("0.0.0.0"));
	assert_int_not_equal(source_of_user(0), source("::1"));
	assert_int_equal(source_of_address((struct sockaddr *)&sun), 0);
}

static int
setup(void **state)
{
	*state = mmap(NULL, sizeof(struct source_claims), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return *state == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	return munmap(*state, sizeof(struct source_claims));
}

static void
so_many_of_a_source_get_in(void **state)
{
	struct source_claims *claims = *state;

	for (size_t slot = 0; slot < LIMIT; slot++)
		assert_true(source_claim(claims, slot, 1, LIMIT));
	assert_false(source_claim(claims, 10, 1, LIMIT));
	assert_true(source_claim(claims, 11, 2, LIMIT));
	assert_false(source_claim(claims, 10, 1, LIMIT));
	source_release(claims, 2);
	assert_true(source_claim(claims, 10, 1, LIMIT));
	assert_false(source_claim(claims, 2, 1, LIMIT));
	assert_true(source_claim(claims, 2, 1, LIMIT + 1));
}

static void
claims_of_a_source_are_counted(void **state)
{
	struct source_claims *claims = *state;

	for (size_t slot = 0; slot < 6; slot++)
		assert_true(source_claim(claims, slot, 1 + slot % 2, UINT_MAX));
	assert_int_equal(source_count(claims, 0), 3);
	assert_int_equal(source_count(claims, 5), 3);
	assert_true(source_claim(claims, 100, 1, UINT_MAX));
	assert_int_equal(source_count(claims, 100), 4);
	source_release(claims, 2);
	assert_int_equal(source_count(claims, 100), 3);
	assert_int_equal(source_count(claims, 1), 3);
}

static void
rubbish_among_the_claims_is_not_followed(void **state)
{
	struct source_claims *claims = *state;

	atomic_store(&claims->used, UINT32_MAX);
	assert_true(source_claim(claims, 0, 1, 1));
	assert_false(source_claim(claims, CONF_MAX_WORKERS - 1, 1, 1));
}

/* One that died between its source and its ticket, until the master releases it. */
static void
a_claim_without_a_ticket_counts(void **state)
{
	struct source_claims *claims = *state;

	assert_true(source_claim(claims, 0, 1, 2));
	atomic_store(&claims->at[0].ticket, 0);
	assert_true(source_claim(claims, 1, 1, 2));
	assert_false(source_claim(claims, 2, 1, 2));
	source_release(claims, 0);
	assert_true(source_claim(claims, 2, 1, 2));
}

/* ---- a crowd that comes at the same moment ---- */

struct crowd {
	struct source_claims *claims;
	pthread_barrier_t barrier;
	atomic_uint in, most, rounds_wrong;
};

struct member {
	struct crowd *crowd;
	size_t slot;
};

/* All claim; when all have their answer, those who got in go again. */
static void *
come_all_at_once(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;

	for (int i = 0; i < ROUNDS; i++) {
		bool in;

		pthread_barrier_wait(&c->barrier);
		in = source_claim(c->claims, m->slot, 1, LIMIT);
		atomic_fetch_add(&c->in, in);
		pthread_barrier_wait(&c->barrier);
		if (m->slot == 0) {
			c->rounds_wrong += c->in != LIMIT;
			c->in = 0;
		}
		if (in)
			source_release(c->claims, m->slot);
	}
	return NULL;
}

/* They come and go as they like. */
static void *
come_and_go(void *arg)
{
	struct member *m = arg;
	struct crowd *c = m->crowd;

	for (int i = 0; i < 20 * ROUNDS; i++) {
		unsigned in, most = c->most;

		if (!source_claim(c->claims, m->slot, 1, LIMIT))
			continue;
		in = atomic_fetch_add(&c->in, 1) + 1;
		while (in > most && !atomic_compare_exchange_weak(&c->most, &most, in))
			;
		sched_yield();
		atomic_fetch_sub(&c->in, 1);
		source_release(c->claims, m->slot);
	}
	return NULL;
}

static void
crowd_run(struct crowd *c, void *(*run)(void *))
{
	struct member members[CROWD];
	pthread_t threads[CROWD];

	pthread_barrier_init(&c->barrier, NULL, CROWD);
	for (size_t i = 0; i < CROWD; i++) {
		members[i] = (struct member){ c, i };
		assert_int_equal(pthread_create(&threads[i], NULL, run, &members[i]), 0);
	}
	for (size_t i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&c->barrier);
}

static void
of_a_crowd_just_as_many_get_in_as_may(void **state)
{
	struct crowd c = { .claims = *state };

	crowd_run(&c, come_all_at_once);
	assert_int_equal(c.rounds_wrong, 0);
}

static void
there_are_never_more_than_may_be(void **state)
{
	struct crowd c = { .claims = *state };

	crowd_run(&c, come_and_go);
	assert_in_range(c.most, 1, LIMIT);
	for (size_t slot = 0; slot < CROWD; slot++)
		assert_int_equal(c.claims->at[slot].source, 0);
}

/* Processes that claim and release without end, killed somewhere in the middle. */
static void
a_death_leaks_nothing_once_it_is_known(void **state)
{
	struct source_claims *claims = *state;
	pid_t pids[CROWD];

	for (size_t slot = 0; slot < CROWD; slot++) {
		pids[slot] = fork();
		if (pids[slot] == 0)
			for (;;)
				if (source_claim(claims, slot, 1, LIMIT))
					source_release(claims, slot);
	}
	while (atomic_load(&claims->last_ticket) < 10 * CROWD)
		sched_yield();
	for (size_t slot = 0; slot < CROWD; slot++) {
		kill(pids[slot], SIGKILL);
		waitpid(pids[slot], NULL, 0);
		source_release(claims, slot);
	}
	for (size_t slot = 0; slot < LIMIT; slot++)
		assert_true(source_claim(claims, slot, 1, LIMIT));
	assert_false(source_claim(claims, LIMIT, 1, LIMIT));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_one_source),
		TEST(so_many_of_a_source_get_in),
		TEST(claims_of_a_source_are_counted),
		TEST(rubbish_among_the_claims_is_not_followed),
		TEST(a_claim_without_a_ticket_counts),
		TEST(of_a_crowd_just_as_many_get_in_as_may),
		TEST(there_are_never_more_than_may_be),
		TEST(a_death_leaks_nothing_once_it_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
