/*
 * Totals: by name, over pools that come and go, and over masters.
 */
#include "unit.h"

#include "totals.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct figures
told(const struct totals *totals)
{
	struct figures sum;

	totals_read(totals, &sum);
	return sum;
}

/* The first: there is one file for all of them. */
static void
a_file_that_is_cut_off_is_not_read_beyond_its_end(void **state)
{
	struct totals *totals;
	struct stat st;
	int fd = memfd_create("cut", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, sysconf(_SC_PAGESIZE) + 100), 0);
	totals_inherit(fd);
	totals = totals_open("a");
	assert_non_null(totals);
	assert_int_equal(told(totals).n[FIGURE_REQUESTS], 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size % sysconf(_SC_PAGESIZE), 0);
	totals_close(totals);
}

static void
a_pool_finds_its_own_again(void **state)
{
	struct figures own = { .n = { [FIGURE_REQUESTS] = 7 } }, published = { 0 };
	struct totals *a = totals_open("a"), *b = totals_open("b");

	(void)state;
	totals_add(a, &own, &published);
	assert_int_equal(told(a).n[FIGURE_REQUESTS], 7);
	assert_int_equal(told(b).n[FIGURE_REQUESTS], 0);
	totals_close(a);
	a = totals_open("a");
	assert_int_equal(told(a).n[FIGURE_REQUESTS], 7);
	totals_close(a);
	totals_close(b);
	totals_close(NULL);
}

static void
only_what_is_new_is_added_and_nothing_taken_away(void **state)
{
	struct figures own = { .n = { [FIGURE_REQUESTS] = 7 } }, published = { 0 };
	struct totals *totals = totals_open("new");

	(void)state;
	totals_add(totals, &own, &published);
	totals_add(totals, &own, &published);
	own.n[FIGURE_REQUESTS] = 9;
	totals_add(totals, &own, &published);
	assert_int_equal(told(totals).n[FIGURE_REQUESTS], 9);
	own.n[FIGURE_REQUESTS] = 1; /* a worker wrote nonsense */
	totals_add(totals, &own, &published);
	assert_int_equal(told(totals).n[FIGURE_REQUESTS], 9);
	own.n[FIGURE_REQUESTS] = 10;
	totals_add(totals, &own, &published);
	assert_int_equal(told(totals).n[FIGURE_REQUESTS], 10);
	totals_close(totals);
}

static void
names_are_told_apart_to_their_last_byte(void **state)
{
	char a[65], b[65];
	struct figures own = { .n = { [FIGURE_SHED] = 1 } }, published = { 0 };
	struct totals *first, *second;

	(void)state;
	memset(a, 'x', 64);
	a[64] = '\0';
	strcpy(b, a);
	b[63] = 'y';
	first = totals_open(a);
	second = totals_open(b);
	totals_add(first, &own, &published);
	assert_int_equal(told(second).n[FIGURE_SHED], 0);
	totals_close(first);
	totals_close(second);
	first = totals_open(a);
	assert_int_equal(told(first).n[FIGURE_SHED], 1);
	totals_close(first);
}

/* In a process of its own, as after execve(2): only the descriptor is left. */
static int
next_master(void)
{
	struct figures own = { .n = { [FIGURE_REQUESTS] = 1000 } }, published = { 0 };
	struct totals *old, *added;

	totals_inherit(dup(totals_fd()));
	old = totals_open("handed over");
	added = totals_open("of the next");
	if (told(old).n[FIGURE_REQUESTS] != 7 || told(added).n[FIGURE_REQUESTS] != 0)
		return 1;
	totals_add(old, &own, &published);
	published = (struct figures){ 0 };
	totals_add(added, &own, &published);
	return 0;
}

static void
two_masters_add_to_the_same(void **state)
{
	struct figures own = { .n = { [FIGURE_REQUESTS] = 7 } }, published = { 0 };
	struct totals *totals = totals_open("handed over"), *added;
	int status;
	pid_t pid;

	(void)state;
	totals_add(totals, &own, &published);
	pid = fork();
	if (pid == 0)
		_exit(next_master());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	own.n[FIGURE_REQUESTS] = 9;
	totals_add(totals, &own, &published);
	assert_int_equal(told(totals).n[FIGURE_REQUESTS], 1009);
	/* It came to nothing, but had pools of its own. */
	added = totals_open("after it");
	assert_int_equal(told(added).n[FIGURE_REQUESTS], 0);
	totals_close(added);
	added = totals_open("of the next");
	assert_int_equal(told(added).n[FIGURE_REQUESTS], 1000);
	totals_close(added);
	totals_close(totals);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_cut_off_is_not_read_beyond_its_end),
		cmocka_unit_test(a_pool_finds_its_own_again),
		cmocka_unit_test(only_what_is_new_is_added_and_nothing_taken_away),
		cmocka_unit_test(names_are_told_apart_to_their_last_byte),
		cmocka_unit_test(two_masters_add_to_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
