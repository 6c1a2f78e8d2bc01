#include "http_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char memory[HTTP_SPOOL_MEMORY];

static int
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Some file systems know no files without a name. */
static int
open_nameless(const char *directory)
{
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char *path;

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	path = util_format("%s/preforkd.XXXXXX", directory);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	free(path);
	return fd;
}

static int
add(struct http_spool *s, const char *directory, struct http_text piece)
{
	size_t len = (size_t)s->size;

	s->size += (int64_t)piece.len;
	if (s->size <= HTTP_SPOOL_MEMORY) {
		memcpy(memory + len, piece.at, piece.len);
		return 0;
	}
	if (s->fd < 0) {
		s->fd = open_nameless(directory);
		if (s->fd < 0 || write_all(s->fd, memory, len) < 0)
			return -1;
	}
	return write_all(s->fd, piece.at, piece.len);
}

static int
fill(struct http_body *body)
{
	int n = http_body_fill(body);

	if (n == 1)
		return 0;
	return n < 0 && errno == ETIMEDOUT ? 408 : -1;
}

int
http_spool_read(struct http_spool *s, struct http_body *body, const char *directory, int64_t limit,
		char **err)
{
	enum http_parse result = HTTP_MORE;
	int status;

	*s = (struct http_spool){ .fd = -1 };
	if (!http_body_continue(body))
		return -1;
	while (result != HTTP_DONE) {
		struct http_text piece;

		result = http_body_next(body, &piece);
		if (result == HTTP_BAD)
			return 400;
		if ((int64_t)piece.len > limit - s->size)
			return 413;
		if (piece.len > 0 && add(s, directory, piece) < 0) {
			util_fail(err, "a request body, in a file in %s: %s", directory,
				  strerror(errno));
			return 500;
		}
		if (result == HTTP_MORE && piece.len == 0 && (status = fill(body)) != 0)
			return status;
	}
	if (s->fd >= 0)
		lseek(s->fd, 0, SEEK_SET);
	else
		s->memory = (struct http_text){ memory, (size_t)s->size };
	return 0;
}
