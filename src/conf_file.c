#include "conf_file.h"

#include "trust.h"
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1 << 20)

char *
conf_file_read(const char *path, const char *tail, size_t *len, char **err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	struct stat st;
	size_t size;
	ssize_t n;

	*len = 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		util_fail(err, "%s: %s", path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES) {
		util_fail(err, "%s: not a regular file of at most 1 MiB", path);
		goto out;
	}
	if (trust_check(&st, path, err) < 0)
		goto out;
	size = (size_t)st.st_size;
	text = util_calloc(1, size + strlen(tail) + 1);
	while ((n = read(fd, text + *len, size - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		util_fail(err, "%s: %s", path, strerror(errno));
	memcpy(text + *len, tail, strlen(tail));
	*len += strlen(tail);
out:
	if (fd >= 0)
		close(fd);
	if (*err) {
		free(text);
		text = NULL;
	}
	return text;
}

static int
is_conf_name(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && dot && strcmp(dot, ".conf") == 0;
}

static int
by_byte_order(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

char **
conf_file_list(const char *dir, char **err)
{
	char **paths = NULL;
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(dir, &st) < 0)
		util_fail(err, "%s: %s", dir, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		util_fail(err, "%s: not a directory", dir);
	if (*err || trust_check(&st, dir, err) < 0)
		return NULL;
	n = scandir(dir, &entries, is_conf_name, by_byte_order);
	if (n < 0) {
		util_fail(err, "%s: %s", dir, strerror(errno));
		return NULL;
	}
	for (int i = 0; i < n; i++) {
		char *path = util_format("%s/%s", dir, entries[i]->d_name);

		util_list_add(&paths, path);
		free(path);
		free(entries[i]);
	}
	free(entries);
	return paths;
}

bool
conf_file_same(const char *a, const char *b)
{
	struct stat x, y;

	return strcmp(a, b) == 0 || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
				     x.st_ino == y.st_ino);
}
