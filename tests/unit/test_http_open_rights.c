/*
 * What http_open() refuses for a user's rights or a link's owner, and that it does not need
 * openat2(2).
 */
#include "unit.h"

#include "http_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static int
make_tree(void **state)
{
	(void)state;
	if (http_tree_make() < 0)
		return -1;
	mkdirat(root_fd, "dir", 0755);
	mkdirat(root_fd, "dir/deep", 0755);
	http_tree_file(root_fd, "file", "inside");
	http_tree_file(root_fd, "dir/file", "inside");
	http_tree_file(top_fd, "outside", "outside");
	http_tree_link("dir", "dirlink");
	http_tree_link("dir/file", "in");
	http_tree_link("../file", "dir/up");
	http_tree_link("../outside", "out");
	return mkfifoat(root_fd, "fifo", 0666);
}

/* ---- in a process of its own ------------------------------------------------------------ */

/* The child's assertions end it; its exit status tells. */
static void
in_a_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
expect(const char *path, int want)
{
	for (size_t way = 0; way < HTTP_WAYS; way++)
		for (int kind = 0; kind < HTTP_KINDS; kind++) {
			struct stat st;
			int fd = http_ways[way].open(root_fd, path, (enum http_symlinks)kind, &st);

			if ((fd < 0 ? errno : 0) == want)
				continue;
			fprintf(stderr, "%s by %s: %s\n", path, http_ways[way].name,
				strerror(errno));
			_exit(1);
		}
}

static void
look_without_rights(void)
{
	if (geteuid() == 0 &&
	    (setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		_exit(2);
	expect("file", 0);
	expect("closed", EACCES);
	expect("closed-dir", EACCES);
	expect("closed-dir/file", EACCES);
	expect("list-only", 0);
	expect("list-only/file", EACCES);
	expect("pass-only", EACCES);
	expect("pass-only/file", 0);
}

static void
what_the_user_must_not_read_is_refused(void **state)
{
	static const char *const dirs[] = { "closed-dir", "list-only", "pass-only" };
	static const mode_t modes[] = { 0000, 0444, 0111 };

	(void)state;
	http_tree_file(root_fd, "closed", "inside");
	assert_int_equal(fchmodat(root_fd, "closed", 0000, 0), 0);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		char *file = util_format("%s/file", dirs[i]);

		assert_int_equal(mkdirat(root_fd, dirs[i], 0755), 0);
		http_tree_file(root_fd, file, "inside");
		assert_int_equal(fchmodat(root_fd, dirs[i], modes[i], 0), 0);
		free(file);
	}
	in_a_child(look_without_rights);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		assert_int_equal(fchmodat(root_fd, dirs[i], 0755, 0), 0);
}

/* From now on openat2(2) fails with that error, and nothing else changes. */
static void
forbid_openat2(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_LEN(code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
	if (syscall(SYS_openat2, root_fd, "file", NULL, 0) != -1 || errno != error)
		_exit(3);
}

static void
look_around(void)
{
	struct stat st;

	expect("file", 0);
	expect("no", ENOENT);
	expect("fifo", EACCES);
	if (http_open(root_fd, "dirlink/up", HTTP_SYMLINKS_YES, &st) < 0 ||
	    http_open(root_fd, "out", HTTP_SYMLINKS_YES, &st) != -1 || errno != EXDEV ||
	    http_open(root_fd, "in", HTTP_SYMLINKS_NO, &st) != -1 || errno != ELOOP)
		_exit(4);
}

static void
look_on_an_old_kernel(void)
{
	forbid_openat2(ENOSYS);
	look_around();
}

static void
look_under_a_filter(void)
{
	forbid_openat2(EPERM);
	look_around();
}

static void
without_openat2_the_walk_does_it(void **state)
{
	(void)state;
	in_a_child(look_on_an_old_kernel);
	in_a_child(look_under_a_filter);
}

/* ---- owners of links ---------------------------------------------------------------------- */

static void
a_link_is_followed_when_what_it_leads_to_has_its_owner(void **state)
{
	static const struct http_tree_row rows[] = {
		{ "his", { ELOOP, ELOOP, 0 } },          /* a link of another one to the file */
		{ "his-own", { ELOOP, 0, 0 } },          /* both are of the other one */
		{ "mine-by-his", { ELOOP, ELOOP, 0 } },  /* leads through his, the ends are alike */
		{ "his-dir", { ELOOP, ELOOP, 0 } },      /* to a directory */
		{ "his-dir/", { ELOOP, ELOOP, 0 } },     /* the same, or in the middle: */
		{ "his-dir/file", { ELOOP, ELOOP, 0 } }, /* never through it */
		{ "by-his-dir", { ELOOP, ELOOP, 0 } },   /* and not inside of another link */
		{ "mine-to-his-file", { ELOOP, ELOOP, 0 } },
		{ "dirlink/his-file", { ELOOP, 0, 0 } }, /* only links are looked at */
		{ "dir/deep/his-parent", { ELOOP, ELOOP, 0 } },
		{ "dir/deep/his-parent/file", { ELOOP, ELOOP, 0 } },
		{ "his-self", { ELOOP, ELOOP, 0 } },
	};

	(void)state;
	if (geteuid() != 0)
		skip();
	http_tree_file(root_fd, "dir/his-file", "inside");
	http_tree_link("file", "his");
	http_tree_link("dir/his-file", "his-own");
	http_tree_link("his", "mine-by-his");
	http_tree_link("dir", "his-dir");
	http_tree_link("his-dir/file", "by-his-dir");
	http_tree_link("dir/his-file", "mine-to-his-file");
	http_tree_link("..", "dir/deep/his-parent");
	http_tree_link(".", "his-self");
	http_tree_own("dir/his-file", SOMEBODY);
	http_tree_own("his", SOMEBODY);
	http_tree_own("his-own", SOMEBODY);
	http_tree_own("his-dir", SOMEBODY);
	http_tree_own("dir/deep/his-parent", SOMEBODY);
	http_tree_own("his-self", SOMEBODY);
	http_tree_check_rows(rows, ARRAY_LEN(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_user_must_not_read_is_refused),
		cmocka_unit_test(without_openat2_the_walk_does_it),
		cmocka_unit_test(a_link_is_followed_when_what_it_leads_to_has_its_owner),
	};

	return cmocka_run_group_tests(tests, make_tree, http_tree_remove);
}
