#include "banner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int
banner_check(const struct conf_pool *conf, const struct identity *id, char **err)
{
	char *why = NULL, *outside;
	struct stat st;

	if (!conf->banner_file)
		return 0;
	outside = util_format("%s%s", conf->chroot ? conf->chroot : "", conf->banner_file);
	if (stat(outside, &st) == 0 && !S_ISREG(st.st_mode))
		util_fail(&why, "%s is not a regular file", outside);
	else if (identity_may(id, conf->chroot, conf->banner_file, R_OK, &why) == 0 &&
		 st.st_size > BANNER_BYTES)
		util_fail(&why, "%s is longer than %d bytes", outside, BANNER_BYTES);
	free(outside);
	return why ? conf_pool_fail(conf, "banner_file", why, err) : 0;
}

/* One that is replaced by a FIFO must not make a worker wait. */
static int
open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st = { .st_mode = 0 };

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= BANNER_BYTES)
		return fd;
	close(fd);
	errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	return -1;
}

ssize_t
banner_read(const char *path, char text[BANNER_BYTES])
{
	int fd = open_regular(path), error;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, BANNER_BYTES);
	error = errno;
	close(fd);
	errno = error;
	return n;
}
