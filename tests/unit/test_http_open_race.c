/*
 * What http_open() shows while another process renames: never a byte from outside the root,
 * nor what a link must not lead to.  For PREFORKD_RACE_SECONDS, or for a short while.
 */
#include "unit.h"

#include "http_tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RACES       (4 * HTTP_WAYS)
#define RACE_MS     700 /* for each of them */
#define RACE_MS_MAX 10000

static int
make_tree(void **state)
{
	(void)state;
	if (http_tree_make() < 0)
		return -1;
	mkdirat(root_fd, "dir", 0755);
	mkdirat(root_fd, "mv", 0755);
	mkdirat(root_fd, "mv/in", 0755);
	mkdirat(top_fd, "outdir", 0755);
	mkdirat(top_fd, "a", 0755);
	http_tree_file(root_fd, "file", "inside");
	http_tree_file(root_fd, "dir/file", "inside");
	http_tree_file(top_fd, "outside", "outside");
	http_tree_file(top_fd, "file", "outside");
	http_tree_file(top_fd, "outdir/file", "outside");
	return 0;
}

static pid_t renamer;
static int64_t race_ms = RACE_MS;

/* Renames until the test is over. */
static void
start_renames(void (*once)(unsigned i))
{
	renamer = fork();
	assert_true(renamer >= 0);
	if (renamer > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0;; i++)
		once(i);
}

static int
stop_renames(void **state)
{
	(void)state;
	if (renamer > 0) {
		kill(renamer, SIGKILL);
		waitpid(renamer, NULL, 0);
	}
	renamer = 0;
	return 0;
}

static void
exchange(int a_dir, const char *a, int b_dir, const char *b)
{
	if (syscall(SYS_renameat2, a_dir, a, b_dir, b, RENAME_EXCHANGE) < 0)
		_exit(1);
}

/*
 * "x" is in turn a file, links to a file outside and to one inside, and a directory; "xdir" is
 * a directory, a link to one outside, and a file; "mv/in", with a link to "../../file" in it, moves
 * out of the root and back.
 */
static void
exchange_all(unsigned i)
{
	static const char *const x[] = { "x-out", "x-dir", "x-in" };
	static const char *const d[] = { "xdir-out", "xdir-file" };

	exchange(root_fd, "x", root_fd, x[i % ARRAY_LEN(x)]);
	exchange(root_fd, "xdir", root_fd, d[i % ARRAY_LEN(d)]);
	exchange(root_fd, "mv/in", top_fd, "a/in");
}

struct seen {
	unsigned inside, outside, failed;
};

static void
look(int fd, struct seen *seen)
{
	char text[64];

	if (fd < 0) {
		seen->failed++;
		return;
	}
	if (http_tree_read(fd, text, sizeof(text)) > 0) {
		seen->inside += strcmp(text, "inside") == 0;
		seen->outside += strcmp(text, "inside") != 0;
	}
	close(fd);
}

/* What openat(2) sees meanwhile shows that there is something to see; it may take time. */
static void
race(size_t way, const char *path, struct seen *careless)
{
	int64_t began = util_now_ms(), ms;
	struct seen seen = { 0 };
	struct stat st;

	for (unsigned i = 0; ms = util_now_ms() - began,
		      ms < race_ms || (careless->outside == 0 && ms < RACE_MS_MAX);
	     i++) {
		look(http_ways[way].open(root_fd, path, (enum http_symlinks)(i % HTTP_KINDS), &st),
		     &seen);
		look(openat(root_fd, path, O_RDONLY), careless);
	}
	if (seen.outside > 0 || seen.inside == 0 || seen.failed == 0)
		fail_msg("%s by %s: %u inside, %u outside, %u failed", path, http_ways[way].name,
			 seen.inside, seen.outside, seen.failed);
}

static void
renames_never_show_a_byte_from_outside(void **state)
{
	static const char *const paths[] = { "x", "xdir/file", "mv/in/up" };
	char up[4096] = "";

	(void)state;
	http_tree_file(root_fd, "x", "inside");
	http_tree_link("../outside", "x-out");
	http_tree_link("dir/file", "x-in");
	assert_int_equal(mkdirat(root_fd, "x-dir", 0755), 0);
	assert_int_equal(mkdirat(root_fd, "xdir", 0755), 0);
	http_tree_file(root_fd, "xdir/file", "inside");
	http_tree_link("../outdir", "xdir-out");
	http_tree_file(root_fd, "xdir-file", "inside");
	for (size_t i = 0; i < 500; i++)
		strcat(up, "../in/"); /* time to be moved meanwhile */
	strcat(up, "../../file");
	http_tree_link(up, "mv/in/up");
	assert_int_equal(mkdirat(top_fd, "a/in", 0755), 0);
	assert_int_equal(symlinkat(up, top_fd, "a/in/up"), 0);
	start_renames(exchange_all);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct seen careless = { 0 };

		for (size_t way = 0; way < HTTP_WAYS; way++)
			race(way, paths[i], &careless);
		if (careless.outside == 0)
			fail_msg("%s never led outside", paths[i]);
	}
}

/* One link is his and leads to his file, the other is his too and leads to root's. */
static void
exchange_links(unsigned i)
{
	static const char *const y[] = { "y-bad", "y-file" };

	exchange(root_fd, "y", root_fd, y[i % ARRAY_LEN(y)]);
}

static void
renames_never_show_what_a_links_owner_does_not_own(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	http_tree_file(root_fd, "his-private", "inside");
	http_tree_file(root_fd, "y-file", "inside");
	http_tree_file(root_fd, "roots", "outside");
	http_tree_link("his-private", "y");
	http_tree_link("roots", "y-bad");
	http_tree_own("his-private", SOMEBODY);
	http_tree_own("y-file", SOMEBODY);
	http_tree_own("y", SOMEBODY);
	http_tree_own("y-bad", SOMEBODY);
	start_renames(exchange_links);
	for (size_t way = 0; way < HTTP_WAYS; way++) {
		int64_t end = util_now_ms() + race_ms;
		struct seen owner = { 0 }, careless = { 0 };
		struct stat st;

		while (util_now_ms() < end) {
			look(http_ways[way].open(root_fd, "y", HTTP_SYMLINKS_OWNER, &st), &owner);
			look(http_ways[way].open(root_fd, "y", HTTP_SYMLINKS_YES, &st), &careless);
		}
		assert_int_equal(owner.outside, 0);
		assert_true(owner.inside > 0 && owner.failed > 0 && careless.outside > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(renames_never_show_a_byte_from_outside, stop_renames),
		cmocka_unit_test_teardown(renames_never_show_what_a_links_owner_does_not_own,
					  stop_renames),
	};
	const char *seconds = getenv("PREFORKD_RACE_SECONDS");

	if (seconds)
		race_ms = strtol(seconds, NULL, 10) * 1000 / (int64_t)RACES;
	return cmocka_run_group_tests(tests, make_tree, http_tree_remove);
}
