/*
 * Places over all processes: so many and no more, and the kernel gives back those of the
 * dead.
 */
#include "unit.h"

#include "http_places.h"
#include "util.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 50
#define LIMIT   7
#define RACE_MS 1000

static int fd;

static int
make_file(void **state)
{
	(void)state;
	fd = memfd_create("places", MFD_CLOEXEC);
	return fd < 0 ? -1 : 0;
}

static int
close_file(void **state)
{
	(void)state;
	return close(fd);
}

/* A process that has taken a place, or found none, and holds it until it is told to end. */
struct holder {
	pid_t pid;
	int64_t place;
	int gate; /* closed: it gives its place back and ends */
};

static void
hold(uint32_t kind, int64_t limit, int said, int gate)
{
	int64_t place = http_places_take(fd, kind, limit);
	char nothing;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(said, &place, sizeof(place)) != sizeof(place) || read(gate, &nothing, 1) != 0)
		_exit(1);
	if (place >= 0)
		http_places_give(fd, kind, place);
	_exit(0);
}

static struct holder
holder_start(uint32_t kind, int64_t limit)
{
	struct holder h;
	int said[2], gate[2];

	assert_int_equal(pipe2(said, O_CLOEXEC), 0);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	h.pid = fork();
	assert_true(h.pid >= 0);
	if (h.pid == 0) {
		close(gate[1]);
		hold(kind, limit, said[1], gate[0]);
	}
	close(said[1]);
	close(gate[0]);
	assert_int_equal(read(said[0], &h.place, sizeof(h.place)), sizeof(h.place));
	close(said[0]);
	h.gate = gate[1];
	return h;
}

static void
holder_end(struct holder *h)
{
	close(h->gate);
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
}

static void
holder_kill(struct holder *h)
{
	kill(h->pid, SIGKILL);
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
	close(h->gate);
}

static void
there_are_as_many_as_the_limit_says(void **state)
{
	bool taken[LIMIT] = { false };
	struct holder h[LIMIT], other;

	(void)state;
	http_places_give(fd, 0, http_places_take(fd, 0, LIMIT)); /* which leaves no trace */
	for (size_t i = 0; i < LIMIT; i++) {
		h[i] = holder_start(0, LIMIT);
		assert_in_range(h[i].place, 0, LIMIT - 1);
		assert_false(taken[h[i].place]);
		taken[h[i].place] = true;
	}
	other = holder_start(0, LIMIT);
	assert_int_equal(other.place, -1);
	holder_kill(&other);
	assert_int_equal(http_places_take(fd, 0, LIMIT), -1);
	for (size_t i = 0; i < LIMIT; i++)
		holder_kill(&h[i]);
}

static void
a_dead_owner_has_no_place(void **state)
{
	struct holder one = holder_start(0, 1);

	(void)state;
	assert_int_equal(one.place, 0);
	assert_int_equal(http_places_take(fd, 0, 1), -1);
	holder_kill(&one);
	assert_int_equal(http_places_take(fd, 0, 1), 0);
	http_places_give(fd, 0, 0);
}

static void
a_place_that_is_given_back_is_free(void **state)
{
	struct holder one, two;

	(void)state;
	for (int i = 0; i < 3; i++) {
		int64_t place = http_places_take(fd, 0, 1);

		assert_int_equal(place, 0);
		one = holder_start(0, 1);
		assert_int_equal(one.place, -1);
		holder_end(&one);
		http_places_give(fd, 0, place);
		two = holder_start(0, 1);
		assert_int_equal(two.place, 0);
		holder_end(&two);
	}
}

static void
kinds_have_places_of_their_own(void **state)
{
	struct holder h[2];

	(void)state;
	for (uint32_t kind = 0; kind < 2; kind++) {
		h[kind] = holder_start(kind, 1);
		assert_int_equal(h[kind].place, 0);
	}
	assert_int_equal(http_places_take(fd, 2, 1), 0);
	http_places_give(fd, 2, 0);
	assert_int_equal(http_places_take(fd, UINT32_MAX, 1), 0);
	http_places_give(fd, UINT32_MAX, 0);
	for (uint32_t kind = 0; kind < 2; kind++)
		assert_int_equal(http_places_take(fd, kind, 1), -1);
	for (uint32_t kind = 0; kind < 2; kind++)
		holder_kill(&h[kind]);
}

/* ---- the race ---- */

static struct shared {
	atomic_int taken, most, stop;
	atomic_int owner[LIMIT];
	atomic_ulong turns, refusals;
	atomic_bool twice;
} * shared;

static void
note_most(int now)
{
	int most = atomic_load(&shared->most);

	while (now > most && !atomic_compare_exchange_weak(&shared->most, &most, now))
		;
}

/* Takes and gives until it is told to stop; the counts are never behind the locks. */
static _Noreturn void
work(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!atomic_load(&shared->stop)) {
		int64_t place = http_places_take(fd, 0, LIMIT);

		if (place < 0) {
			atomic_fetch_add(&shared->refusals, 1);
			sched_yield();
			continue;
		}
		note_most(atomic_fetch_add(&shared->taken, 1) + 1);
		if (atomic_exchange(&shared->owner[place], getpid()) != 0)
			atomic_store(&shared->twice, true);
		atomic_fetch_add(&shared->turns, 1);
		sched_yield();
		atomic_store(&shared->owner[place], 0);
		atomic_fetch_sub(&shared->taken, 1);
		http_places_give(fd, 0, place);
	}
	_exit(0);
}

static void
a_race_never_takes_more_than_the_limit(void **state)
{
	pid_t pids[WORKERS];
	int status;

	(void)state;
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(shared, MAP_FAILED);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			work();
	}
	poll(NULL, 0, RACE_MS);
	atomic_store(&shared->stop, 1);
	for (int i = 0; i < WORKERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_in_range(shared->most, 1, LIMIT);
	assert_false(shared->twice);
	assert_int_equal(shared->taken, 0);
	assert_true(shared->turns > 0 && shared->refusals > 0);
	munmap(shared, sizeof(*shared));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_are_as_many_as_the_limit_says),
		cmocka_unit_test(a_dead_owner_has_no_place),
		cmocka_unit_test(a_place_that_is_given_back_is_free),
		cmocka_unit_test(kinds_have_places_of_their_own),
		cmocka_unit_test(a_race_never_takes_more_than_the_limit),
	};

	return cmocka_run_group_tests(tests, make_file, close_file);
}
