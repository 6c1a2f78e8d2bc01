#include "access_file.h"

#include "layout.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOST_LOG_MS 10000

/* A worker's: it writes to one file at most. */
static struct {
	int fd;
	_Atomic uint32_t *torn;
	struct fd_channel channel;
} own PER_WORKER;

struct access_file *
access_file_new(const char *path)
{
	struct access_file *file = util_calloc(1, sizeof(*file));

	file->path = util_strdup(path);
	file->fd = -1;
	file->channel = (struct fd_channel)FD_CHANNEL_NONE;
	return file;
}

void
access_file_free(struct access_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	fd_channel_close(&file->channel);
	free(file->path);
	free(file);
}

int
access_file_check(const struct access_file *file, char **err)
{
	struct log_target target = { .kind = LOG_TO_FILE, .path = file->path };

	return log_target_check(&target, err);
}

static int
open_file(const struct access_file *file, char **err)
{
	struct log_target target = { .kind = LOG_TO_FILE, .path = file->path };

	return log_target_open(&target, err);
}

int
access_file_open(struct access_file *file, char **err)
{
	file->fd = open_file(file, err);
	if (file->fd < 0)
		return -1;
	if (fd_channel_open(&file->channel) < 0)
		return util_fail(err, "%s: %s", file->path, strerror(errno));
	return 0;
}

int
access_file_reopen(struct access_file *file, char **err)
{
	char byte = 0;
	int fd = open_file(file, err);

	if (fd < 0)
		return -1;
	close(file->fd);
	file->fd = fd;
	if (fd_channel_offer(&file->channel, fd, &byte, 1) < 0)
		return util_fail(err, "%s: %s", file->path, strerror(errno));
	return 0;
}

size_t
access_file_descriptors(const struct access_file *file, int *places[])
{
	own.fd = file->fd;
	own.channel = file->channel;
	places[0] = &own.fd;
	places[1] = &own.channel.fds[0];
	return 2;
}

void
access_file_start(_Atomic uint32_t *torn)
{
	own.torn = torn;
	fd_channel_moved(&own.channel, own.channel.fds[0]);
}

static bool
end_torn_line(void)
{
	if (atomic_load_explicit(own.torn, memory_order_relaxed) == 0 ||
	    atomic_exchange(own.torn, 0) == 0 || write(own.fd, "\n", 1) == 1)
		return true;
	atomic_store(own.torn, 1);
	return false;
}

/* Where a part is taken, the rest tells why not the whole. */
HOT static bool
write_line(const char *line, size_t len)
{
	size_t left = len;
	ssize_t n;

	if (!end_torn_line())
		return false;
	for (; left > 0 && (n = write(own.fd, line, left)) > 0; left -= (size_t)n)
		line += n;
	if (left > 0 && left < len)
		atomic_store(own.torn, 1);
	return left == 0;
}

HOT void
access_file_write(const struct access_file *file, const char *line, size_t len)
{
	static struct log_limit limit;
	char more[LOG_MORE_BYTES];
	unsigned held_back;
	char byte;
	int fd = fd_channel_take(&own.channel, &byte, 1);

	if (fd >= 0) {
		dup3(fd, own.fd, O_CLOEXEC);
		close(fd);
		atomic_store(own.torn, 0);
	}
	if (!write_line(line, len) && log_limit_pass(&limit, LOST_LOG_MS, &held_back))
		log_error("%s: cannot write: %s%s", file->path, strerror(errno),
			  log_limit_more(held_back, more));
}
