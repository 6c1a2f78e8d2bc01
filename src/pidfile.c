#include "pidfile.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its directory, under /run, does not survive a reboot. */
static void
make_directory(const char *path)
{
	char *dir = util_strdup(path), *slash = strrchr(dir, '/');

	if (slash && slash != dir) {
		*slash = '\0';
		mkdir(dir, 0755);
	}
	free(dir);
}

static int
already_running(int fd, const char *path, char **err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_GETLK, &lock);
	close(fd);
	return util_fail(err, "already running as pid %d (%s is locked)", (int)lock.l_pid, path);
}

static int
fail_open(const char *path, char **err)
{
	return util_fail(err, "cannot open the pid file %s: %s", path, strerror(errno));
}

int
pidfile_check(const char *path, char **err)
{
	char *dir = util_strdup(path);
	struct stat st;
	int result;

	if (lstat(path, &st) == 0) {
		result = S_ISREG(st.st_mode) ? access(path, W_OK) : -1;
		if (!S_ISREG(st.st_mode))
			errno = S_ISLNK(st.st_mode) ? ELOOP : S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	} else if (errno != ENOENT) {
		result = -1;
	} else {
		*strrchr(dir, '/') = '\0';
		if (access(dir, F_OK) < 0 && dir[0]) /* see make_directory() */
			*strrchr(dir, '/') = '\0';
		result = access(dir[0] ? dir : "/", W_OK | X_OK);
	}
	free(dir);
	return result < 0 ? fail_open(path, err) : 0;
}

int
pidfile_lock(const char *path, char **err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat ours, there;
	int fd;

	make_directory(path);
	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return fail_open(path, err);
		if (fcntl(fd, F_SETLK, &lock) < 0)
			return already_running(fd, path, err);
		/* The other one may just have removed it at its end. */
		if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 &&
		    ours.st_ino == there.st_ino && ours.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
}

int
pidfile_write(int fd, const char *path, char **err)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	/* In this order it is never empty for those who read it. */
	if (pwrite(fd, text, (size_t)len, 0) != len || ftruncate(fd, len) < 0)
		return util_fail(err, "cannot write the pid file %s: %s", path, strerror(errno));
	return 0;
}

void
pidfile_remove(int fd, const char *path)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}
