/*
 * Files that stay open: which ones, how many, and that a change of any kind is seen by the
 * next who asks.
 */
#include "unit.h"

#include "http_files.h"
#include "http_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LATER INT64_MAX / 2 /* when all changes are long ago */

static int
make_tree(void **state)
{
	static const char *const dirs[] = { "dir", "dir/deep", "dir/deep/deeper", "other" };

	(void)state;
	if (http_tree_make() < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mkdirat(root_fd, dirs[i], 0755) < 0)
			return -1;
	return 0;
}

static void
remove_file(const char *path)
{
	unlinkat(root_fd, path, 0);
}

static void
put(const char *path, const char *text)
{
	remove_file(path);
	http_tree_file(root_fd, path, text);
}

/* Does it stay open?  text is what is in it, if it is there. */
static bool
ask(const char *path, enum http_symlinks symlinks, int64_t now, char text[64])
{
	struct http_file file;
	bool kept;
	ssize_t n;

	text[0] = '\0';
	if (http_files_open(&file, root_fd, path, symlinks, now) < 0)
		return false;
	kept = file.kept != NULL;
	n = pread(file.fd, text, 63, 0);
	text[n < 0 ? 0 : n] = '\0';
	assert_true(!kept || n < 0 || file.st.st_size == n);
	assert_int_equal(file.map != NULL, kept && file.st.st_size > 0);
	if (file.map)
		assert_memory_equal(file.map, text, n);
	http_files_close(&file);
	return kept;
}

static void
keep(const char *path, const char *want)
{
	char text[64];
	bool kept = false;

	for (int i = 0; i < 5 && !kept; i++) {
		kept = ask(path, HTTP_SYMLINKS_YES, LATER, text);
		assert_string_equal(text, want);
	}
	assert_true(kept);
}

/* ---- changes -------------------------------------------------------------------------- */

static int
truncate_file(const char *path)
{
	int fd = openat(root_fd, path, O_WRONLY | O_TRUNC);

	return fd < 0 ? -1 : close(fd);
}

static void
replace_by_name(const char *path)
{
	put("new", "second");
	assert_int_equal(renameat(root_fd, "new", root_fd, path), 0);
}

static void
write_over(const char *path)
{
	int fd = openat(root_fd, path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, "second", 6), 6);
	close(fd);
}

static void
link_to_another(const char *path)
{
	put("new", "second");
	remove_file(path);
	assert_int_equal(linkat(root_fd, "new", root_fd, path, 0), 0);
}

static void
link_by_name(const char *path)
{
	char target[64];

	put("other/file", "second");
	remove_file(path);
	snprintf(target, sizeof(target), "%sother/file", strchr(path, '/') ? "../" : "");
	http_tree_link(target, path);
}

/* The same size and time of change, but another file. */
static void
forge(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(root_fd, path, &st, 0), 0);
	put("new", "forged");
	assert_int_equal(
	    utimensat(root_fd, "new", (struct timespec[]){ st.st_atim, st.st_mtim }, 0), 0);
	assert_int_equal(renameat(root_fd, "new", root_fd, path), 0);
}

static void
take_away(const char *path)
{
	remove_file(path);
}

static void
move_away(const char *path)
{
	assert_int_equal(renameat(root_fd, path, top_fd, "moved"), 0);
}

static const struct {
	const char *name;
	void (*make)(const char *path);
	const char *text; /* then */
} changes[] = {
	{ "replaced by rename", replace_by_name, "second" },
	{ "written over", write_over, "second" },
	{ "another by link", link_to_another, "second" },
	{ "a symbolic link", link_by_name, "second" },
	{ "forged", forge, "forged" },
	{ "deleted", take_away, "" },
	{ "moved out of the root", move_away, "" },
};

static void
the_next_who_asks_sees_what_has_changed(void **state)
{
	static const char *const paths[] = { "file", "dir/file" };
	char text[64];

	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(paths); p++)
		for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
			put(paths[p], "first!");
			keep(paths[p], "first!");
			changes[i].make(paths[p]);
			ask(paths[p], HTTP_SYMLINKS_YES, LATER, text);
			if (strcmp(text, changes[i].text) != 0)
				fail_msg("%s, %s: \"%s\"", paths[p], changes[i].name, text);
			remove_file(paths[p]);
		}
}

/* The descriptor shows what was written since without a trace in the times of the file. */
static void
what_is_written_by_mmap_is_seen(void **state)
{
	char *page, text[64];
	int fd;

	(void)state;
	put("file", "first!");
	fd = openat(root_fd, "file", O_RDWR);
	page = mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(page != MAP_FAILED);
	page[0] = 'F';
	keep("file", "First!");
	memcpy(page, "second", 6);
	ask("file", HTTP_SYMLINKS_NO, LATER, text);
	assert_string_equal(text, "second");
	munmap(page, 6);
	close(fd);
}

/* Between the look at it and the answer: nothing that is not there any more is sent. */
static void
what_was_cut_meanwhile_is_not_sent(void **state)
{
	struct http_file file;
	int fds[2];

	(void)state;
	put("file", "first!");
	keep("file", "first!");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(http_files_open(&file, root_fd, "file", HTTP_SYMLINKS_NO, LATER), 0);
	assert_int_equal(truncate_file("file"), 0);
	assert_int_equal(send(fds[0], file.map, 6, 0), -1);
	assert_int_equal(errno, EFAULT);
	http_files_close(&file);
	close(fds[0]);
	close(fds[1]);
}

static void
rights_that_were_taken_away_are_not_there_any_more(void **state)
{
	struct stat before, after;
	struct http_file file;

	(void)state;
	put("file", "first!");
	keep("file", "first!");
	assert_int_equal(fstatat(root_fd, "file", &before, 0), 0);
	assert_int_equal(fchmodat(root_fd, "file", 0, 0), 0);
	if (http_files_open(&file, root_fd, "file", HTTP_SYMLINKS_NO, LATER) < 0)
		return;
	/* Whoever is root may read it, but not by what was kept. */
	after = file.st;
	http_files_close(&file);
	assert_int_equal(geteuid(), 0);
	assert_int_not_equal(after.st_mode, before.st_mode);
}

/* As if nothing had happened to the file itself. */
static void
a_way_that_leads_elsewhere_is_not_gone(void **state)
{
	char text[64];

	(void)state;
	put("dir/file", "first!");
	put("other/file", "second");
	keep("dir/file", "first!");
	assert_int_equal(renameat(root_fd, "dir", root_fd, "gone"), 0);
	ask("dir/file", HTTP_SYMLINKS_YES, LATER, text);
	assert_string_equal(text, "");
	http_tree_link("gone", "dir");
	assert_false(ask("dir/file", HTTP_SYMLINKS_NO, LATER, text));
	assert_string_equal(text, "");
	assert_false(ask("dir/file", HTTP_SYMLINKS_YES, LATER, text));
	assert_string_equal(text, "first!");
	remove_file("dir");
	assert_int_equal(renameat(root_fd, "other", root_fd, "dir"), 0);
	ask("dir/file", HTTP_SYMLINKS_NO, LATER, text);
	assert_string_equal(text, "second");
	assert_int_equal(renameat(root_fd, "dir", root_fd, "other"), 0);
	assert_int_equal(renameat(root_fd, "gone", root_fd, "dir"), 0);
}

/* ---- which ones ------------------------------------------------------------------------- */

static void
only_small_files_that_have_settled_are_kept(void **state)
{
	struct stat st;
	char text[64];
	int fd;

	(void)state;
	put("file", "new");
	put("dir/deep/file", "deep");
	put("dir/deep/deeper/file", "deeper");
	put("large", "");
	fd = openat(root_fd, "large", O_WRONLY);
	assert_int_equal(ftruncate(fd, 32769), 0);
	close(fd);
	assert_int_equal(fstatat(root_fd, "file", &st, 0), 0);
	for (int i = 0; i < 5; i++) {
		assert_false(ask("file", HTTP_SYMLINKS_NO, st.st_ctim.tv_sec + 1, text));
		assert_false(ask("large", HTTP_SYMLINKS_NO, LATER, text));
		assert_false(ask("dir", HTTP_SYMLINKS_NO, LATER, text));
		assert_false(ask("", HTTP_SYMLINKS_NO, LATER, text));
		assert_false(ask("dir/deep/deeper/file", HTTP_SYMLINKS_NO, LATER, text));
		assert_string_equal(text, "deeper");
	}
	keep("file", "new");
	keep("dir/deep/file", "deep");
}

static void
few_descriptors_are_taken_and_no_answer_is_wrong(void **state)
{
	struct http_file first, again;
	char path[64], text[64];
	int before = http_tree_descriptors(), most = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "dir/deep/%d", i);
		put(path, path);
	}
	keep("dir/deep/0", "dir/deep/0");
	assert_int_equal(http_files_open(&first, root_fd, "dir/deep/0", HTTP_SYMLINKS_NO, LATER),
			 0);
	assert_int_equal(http_files_open(&again, root_fd, "dir/deep/0", HTTP_SYMLINKS_NO, LATER),
			 0);
	assert_int_not_equal(first.fd, again.fd);
	http_files_close(&again);
	for (int i = 0; i < 3000; i++) {
		int n = i / 3 % 300;

		snprintf(path, sizeof(path), "dir/deep/%d", n);
		ask(path, HTTP_SYMLINKS_NO, LATER, text);
		assert_string_equal(text, path);
		if (i % 50 == 0)
			most = util_max(most, http_tree_descriptors());
	}
	assert_true(most > before && most <= before + 100);
	assert_int_equal(pread(first.fd, text, sizeof(text), 0), strlen("dir/deep/0"));
	http_files_close(&first);
}

static void
most_descriptors_are_left_to_others(void **state)
{
	struct rlimit limit, low;
	char text[64];
	int next = dup(root_fd);

	(void)state;
	close(next);
	put("another", "first!");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	low = limit;
	low.rlim_cur = 2 * (rlim_t)next;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	for (int i = 0; i < 5; i++)
		assert_false(ask("another", HTTP_SYMLINKS_NO, LATER, text));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(text, "first!");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_descriptors_are_left_to_others), /* before any is kept */
		cmocka_unit_test(the_next_who_asks_sees_what_has_changed),
		cmocka_unit_test(what_is_written_by_mmap_is_seen),
		cmocka_unit_test(what_was_cut_meanwhile_is_not_sent),
		cmocka_unit_test(rights_that_were_taken_away_are_not_there_any_more),
		cmocka_unit_test(a_way_that_leads_elsewhere_is_not_gone),
		cmocka_unit_test(only_small_files_that_have_settled_are_kept),
		cmocka_unit_test(few_descriptors_are_taken_and_no_answer_is_wrong),
	};

	return cmocka_run_group_tests(tests, make_tree, http_tree_remove);
}
