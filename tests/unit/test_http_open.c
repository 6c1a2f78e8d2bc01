/*
 * What can be opened below a root, by the kernel's path resolution and by the walk: the
 * same, but for what the tables say.
 */
#include "unit.h"

#include "http_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- what there is ------------------------------------------------------------------- */

static void
put_special(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/root/socket", http_tree_top);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	assert_int_equal(mkfifoat(root_fd, "fifo", 0666), 0);
}

static int
make_tree(void **state)
{
	static const char *const dirs[] = { "root/dir", "root/dir/deep", "outdir" };
	char *absolute;

	(void)state;
	if (http_tree_make() < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(top_fd, dirs[i], 0755) < 0)
			return -1;
	http_tree_file(root_fd, "file", "inside");
	http_tree_file(root_fd, "dir/file", "inside");
	http_tree_file(root_fd, "dir/deep/file", "inside");
	http_tree_file(top_fd, "outside", "outside");
	http_tree_file(top_fd, "file", "outside");
	http_tree_file(top_fd, "outdir/file", "outside");
	http_tree_link("dir/file", "in");
	http_tree_link("dir", "dirlink");
	http_tree_link("../file", "dir/up");
	http_tree_link("../../dir/./deep//file", "dir/deep/round");
	http_tree_link("..", "dir/deep/parent");
	http_tree_link(".", "self");
	http_tree_link("in", "chain");
	http_tree_link("dir/", "slash");
	http_tree_link("file/", "file-slash");
	http_tree_link("loop", "loop");
	http_tree_link("nowhere", "dangling");
	http_tree_link("../outside", "out");
	http_tree_link("../outdir", "outdir");
	http_tree_link("../root/file", "back");
	http_tree_link("dir/../../outside", "sly");
	absolute = util_format("%s/root/file", http_tree_top);
	http_tree_link(absolute, "absolute");
	http_tree_link("/etc/passwd", "passwd");
	free(absolute);
	put_special();
	return 0;
}

/* ---- the tables ----------------------------------------------------------------------- */

static const struct http_tree_row plain[] = {
	{ "", { 0, 0, 0 } },
	{ "file", { 0, 0, 0 } },
	{ "dir", { 0, 0, 0 } },
	{ "dir/", { 0, 0, 0 } },
	{ "dir/file", { 0, 0, 0 } },
	{ "dir//deep/./file", { 0, 0, 0 } },
	{ "dir/../file", { 0, 0, 0 } },
	{ "dir/deep/../../dir/..", { 0, 0, 0 } },
	{ "no", { ENOENT, ENOENT, ENOENT } },
	{ "no/file", { ENOENT, ENOENT, ENOENT } },
	{ "file/", { ENOTDIR, ENOTDIR, ENOTDIR } },
	{ "file/more", { ENOTDIR, ENOTDIR, ENOTDIR } },
	{ "file/.", { ENOTDIR, ENOTDIR, ENOTDIR } },
	{ "..", { EXDEV, EXDEV, EXDEV } },
	{ "../outside", { EXDEV, EXDEV, EXDEV } },
	{ "dir/../../outside", { EXDEV, EXDEV, EXDEV } },
	{ "/", { EXDEV, EXDEV, EXDEV } },
	{ "/file", { EXDEV, EXDEV, EXDEV } },
};

static const struct http_tree_row links[] = {
	{ "in", { ELOOP, 0, 0 } },
	{ "chain", { ELOOP, 0, 0 } },
	{ "dirlink", { ELOOP, 0, 0 } },
	{ "dirlink/", { ELOOP, 0, 0 } },
	{ "dirlink/file", { ELOOP, 0, 0 } },
	{ "dirlink/up", { ELOOP, 0, 0 } },
	{ "slash", { ELOOP, 0, 0 } },
	{ "slash/deep/round", { ELOOP, 0, 0 } },
	{ "dir/up", { ELOOP, 0, 0 } },
	{ "dir/deep/round", { ELOOP, 0, 0 } },
	{ "dir/deep/parent", { ELOOP, 0, 0 } },
	{ "dir/deep/parent/file", { ELOOP, 0, 0 } },
	{ "self", { ELOOP, 0, 0 } },
	{ "self/self/dirlink/deep/parent/up", { ELOOP, 0, 0 } },
	{ "in/", { ELOOP, ENOTDIR, ENOTDIR } },
	{ "file-slash", { ELOOP, ENOTDIR, ENOTDIR } },
	{ "dangling", { ELOOP, ENOENT, ENOENT } },
	{ "loop", { ELOOP, ELOOP, ELOOP } },
	{ "loop/file", { ELOOP, ELOOP, ELOOP } },
};

static const struct http_tree_row leaving[] = {
	{ "out", { ELOOP, EXDEV, EXDEV } },      { "sly", { ELOOP, EXDEV, EXDEV } },
	{ "back", { ELOOP, EXDEV, EXDEV } },     { "outdir", { ELOOP, EXDEV, EXDEV } },
	{ "outdir/", { ELOOP, EXDEV, EXDEV } },  { "outdir/file", { ELOOP, EXDEV, EXDEV } },
	{ "absolute", { ELOOP, EXDEV, EXDEV } }, { "passwd", { ELOOP, EXDEV, EXDEV } },
	{ "self/out", { ELOOP, EXDEV, EXDEV } },
};

static const struct http_tree_row special[] = {
	{ "fifo", { EACCES, EACCES, EACCES } },
	{ "fifo/", { ENOTDIR, ENOTDIR, ENOTDIR } },
	{ "socket", { EACCES, EACCES, EACCES } },
};

static void
files_and_directories_are_opened_inside_the_root_only(void **state)
{
	int before;

	(void)state;
	http_tree_check_rows(plain, ARRAY_LEN(plain)); /* some of them are kept */
	before = http_tree_descriptors();
	http_tree_check_rows(plain, ARRAY_LEN(plain));
	assert_int_equal(http_tree_descriptors(), before);
}

static void
links_inside_the_root_are_followed_when_that_is_wanted(void **state)
{
	int before = http_tree_descriptors();

	(void)state;
	http_tree_check_rows(links, ARRAY_LEN(links));
	assert_int_equal(http_tree_descriptors(), before);
}

static void
links_that_leave_the_root_are_never_followed(void **state)
{
	int before = http_tree_descriptors();

	(void)state;
	http_tree_check_rows(leaving, ARRAY_LEN(leaving));
	assert_int_equal(http_tree_descriptors(), before);
}

static void
only_regular_files_and_directories_are_opened_and_nothing_blocks(void **state)
{
	int dev = open("/dev", O_PATH | O_DIRECTORY);

	(void)state;
	alarm(10);
	http_tree_check_rows(special, ARRAY_LEN(special));
	for (size_t way = 0; way < HTTP_WAYS; way++) {
		http_tree_check(dev, way, "null", HTTP_SYMLINKS_NO, EACCES);
		http_tree_check(dev, way, "tty", HTTP_SYMLINKS_NO, EACCES);
	}
	alarm(0);
	close(dev);
}

static void
links_of_the_proc_file_system_lead_nowhere(void **state)
{
	int proc = open("/proc/self", O_PATH | O_DIRECTORY);

	(void)state;
	for (size_t way = 0; way < HTTP_WAYS; way++) {
		struct stat st;

		assert_int_equal(http_ways[way].open(proc, "exe", HTTP_SYMLINKS_YES, &st), -1);
		assert_int_equal(http_ways[way].open(proc, "cwd/", HTTP_SYMLINKS_YES, &st), -1);
		assert_int_equal(
		    http_ways[way].open(proc, "root/etc/passwd", HTTP_SYMLINKS_YES, &st), -1);
	}
	close(proc);
}

static void
forty_links_are_followed_and_no_more(void **state)
{
	static const struct http_tree_row rows[] = { { "l39", { ELOOP, 0, 0 } },
						     { "l40", { ELOOP, ELOOP, ELOOP } } };

	(void)state;
	http_tree_link("file", "l0");
	for (int i = 1; i <= 40; i++) {
		char *name = util_format("l%d", i), *target = util_format("l%d", i - 1);

		http_tree_link(target, name);
		free(name);
		free(target);
	}
	http_tree_check_rows(rows, ARRAY_LEN(rows));
}

static void
names_and_paths_have_the_kernels_limits(void **state)
{
	char name[257], path[4098];
	struct http_tree_row rows[] = { { name, { 0, 0, 0 } }, { path, { 0, 0, 0 } } };

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	http_tree_file(root_fd, name, "inside");
	for (size_t i = 0; i < 4096; i++)
		path[i] = "./"[i % 2];
	memcpy(path + 4095 - 5, "/file", 6);
	http_tree_check_rows(rows, ARRAY_LEN(rows));

	name[255] = 'n';
	name[256] = '\0';
	memcpy(path + 4096 - 6, "//file", 7);
	for (int kind = 0; kind < HTTP_KINDS; kind++)
		rows[0].result[kind] = rows[1].result[kind] = ENAMETOOLONG;
	http_tree_check_rows(rows, ARRAY_LEN(rows));
}

static void
links_full_of_dots_do_not_keep_the_walk_busy(void **state)
{
	char target[4096] = "";
	struct stat st;
	int64_t began;
	int fd;

	(void)state;
	while (strlen(target) < 4000)
		strcat(target, "dir/deep/../../");
	for (size_t i = 0; i < 4; i++) {
		size_t len = strlen(target);
		char name[] = { 'd', 'o', 't', 's', (char)('0' + i), '\0' };

		snprintf(target + len, sizeof(target) - len, i == 0 ? "file" : "dots%zu", i - 1);
		http_tree_link(target, name);
		target[len] = '\0';
	}
	fd = http_open_walk(root_fd, "dots0", HTTP_SYMLINKS_YES, &st);
	assert_true(fd >= 0);
	close(fd);
	began = util_now_ms();
	assert_int_equal(http_open_walk(root_fd, "dots3", HTTP_SYMLINKS_YES, &st), -1);
	assert_int_equal(errno, ELOOP);
	assert_true(util_now_ms() - began < 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_and_directories_are_opened_inside_the_root_only),
		cmocka_unit_test(links_inside_the_root_are_followed_when_that_is_wanted),
		cmocka_unit_test(links_that_leave_the_root_are_never_followed),
		cmocka_unit_test(only_regular_files_and_directories_are_opened_and_nothing_blocks),
		cmocka_unit_test(links_of_the_proc_file_system_lead_nowhere),
		cmocka_unit_test(forty_links_are_followed_and_no_more),
		cmocka_unit_test(names_and_paths_have_the_kernels_limits),
		cmocka_unit_test(links_full_of_dots_do_not_keep_the_walk_busy),
	};

	return cmocka_run_group_tests(tests, make_tree, http_tree_remove);
}
