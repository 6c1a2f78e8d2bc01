#include "unit.h"

#include "http_files.h"
#include "http_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As from a worker that keeps what it can, also what has changed right now. */
static int
open_kept(int root, const char *path, enum http_symlinks symlinks, struct stat *st)
{
	struct http_file file;
	char again[64];
	int fd;

	if (http_files_open(&file, root, path, symlinks, INT64_MAX / 2) < 0)
		return -1;
	*st = file.st;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", file.fd);
	fd = open(again, O_RDONLY | O_CLOEXEC);
	http_files_close(&file);
	return fd;
}

const struct http_way http_ways[HTTP_WAYS] = {
	{ "openat2", http_open },
	{ "the walk", http_open_walk },
	{ "the files that are kept", open_kept },
};

char *http_tree_top;
int top_fd, root_fd;

int
http_tree_make(void)
{
	const char *tmp = getenv("TMPDIR");

	umask(022);
	http_tree_top = util_format("%s/http_open.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(http_tree_top))
		return -1;
	top_fd = open(http_tree_top, O_PATH | O_DIRECTORY);
	if (top_fd < 0 || mkdirat(top_fd, "root", 0755) < 0)
		return -1;
	root_fd = openat(top_fd, "root", O_PATH | O_DIRECTORY);
	return root_fd < 0 ? -1 : 0;
}

int
http_tree_remove(void **state)
{
	char *command = util_format("rm -rf '%s'", http_tree_top);
	int rc = system(command);

	(void)state;
	free(command);
	free(http_tree_top);
	return rc;
}

void
http_tree_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

void
http_tree_link(const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, root_fd, path), 0);
}

void
http_tree_own(const char *path, uid_t uid)
{
	assert_int_equal(fchownat(root_fd, path, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW), 0);
}

int
http_tree_read(int fd, char *text, size_t size)
{
	ssize_t n = read(fd, text, size - 1);

	text[n < 0 ? 0 : n] = '\0';
	return (int)n;
}

int
http_tree_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

void
http_tree_check(int root, size_t way, const char *path, enum http_symlinks symlinks, int want)
{
	struct stat st;
	char text[64] = "";
	int fd = http_ways[way].open(root, path, symlinks, &st), error = fd < 0 ? errno : 0;

	if (error != want)
		fail_msg("\"%.300s\" by %s, links %d: %s instead of %s", path, http_ways[way].name,
			 (int)symlinks, strerror(error), strerror(want));
	if (fd < 0)
		return;
	if (S_ISREG(st.st_mode) && (http_tree_read(fd, text, sizeof(text)) < 0 || st.st_size != 6))
		fail_msg("\"%s\" cannot be read or has another size", path);
	if (S_ISREG(st.st_mode) && strcmp(text, "inside") != 0)
		fail_msg("\"%s\" by %s is \"%s\"", path, http_ways[way].name, text);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

void
http_tree_check_rows(const struct http_tree_row *rows, size_t n)
{
	for (size_t way = 0; way < HTTP_WAYS; way++)
		for (size_t i = 0; i < n; i++)
			for (int kind = 0; kind < HTTP_KINDS; kind++)
				http_tree_check(root_fd, way, rows[i].path,
						(enum http_symlinks)kind, rows[i].result[kind]);
}
