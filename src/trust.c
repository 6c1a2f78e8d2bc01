#include "trust.h"

#include "util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
trust_check(const struct stat *st, const char *path, char **err)
{
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return util_fail(err,
				 "%s: owned by uid %u, who could make preforkd run anything: "
				 "run chown %s %s",
				 path, (unsigned)st->st_uid,
				 geteuid() == 0 ? "root" : "to yourself", path);
	if ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && st->st_gid != 0))
		return util_fail(err, "%s: others can write it (mode %04o): run chmod go-w %s",
				 path, (unsigned)st->st_mode & 07777, path);
	return 0;
}

static int
check_one(const char *path, char **err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return util_fail(err, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX))
		st.st_mode &= ~(mode_t)(S_IWGRP | S_IWOTH);
	return trust_check(&st, path, err);
}

int
trust_check_path(const char *path, char **err)
{
	char *part = util_strdup(path);
	int result = check_one("/", err);

	for (size_t i = 1; result == 0 && i <= strlen(path); i++)
		if (path[i] == '/' || path[i] == '\0') {
			part[i] = '\0';
			result = check_one(part, err);
			part[i] = path[i];
		}
	free(part);
	return result;
}
