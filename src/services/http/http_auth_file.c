#include "http_auth_file.h"

#include "http_auth.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 1000

/* A change this soon after another may leave the times as they are. */
#define SETTLED_SECONDS 2

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void
http_auth_file_forget(struct http_auth_file *file)
{
	if (file->text)
		explicit_bzero(file->text, file->size);
	free(file->text);
	file->text = NULL;
	file->size = 0;
}

static int
refuse(struct http_auth_file *file, const char *why)
{
	snprintf(file->why, sizeof(file->why), "%s", why);
	http_auth_file_forget(file);
	return -1;
}

/* Of a file that is being written: as much as is there. */
static int
read_all(struct http_auth_file *file, int fd)
{
	size_t size = (size_t)file->st.st_size;

	file->text = util_calloc(size + 1, 1);
	while (file->size < size) {
		ssize_t n = read(fd, file->text + file->size, size - file->size);

		if (n == 0)
			break;
		if (n > 0)
			file->size += (size_t)n;
		else if (errno != EINTR)
			return refuse(file, strerror(errno));
	}
	return 0;
}

static int
load(struct http_auth_file *file, int fd)
{
	if (fstat(fd, &file->st) < 0)
		return refuse(file, strerror(errno));
	if (!S_ISREG(file->st.st_mode))
		return refuse(file, "not a regular file");
	if (file->st.st_size > HTTP_AUTH_FILE_BYTES)
		return refuse(file, "the file is larger than 1 MiB");
	file->settled = file->st.st_mtim.tv_sec + SETTLED_SECONDS < time(NULL);
	http_auth_file_forget(file);
	return read_all(file, fd);
}

int
http_auth_file_refresh(struct http_auth_file *file, int64_t now_ms)
{
	struct stat st;
	int fd, rc;

	if (file->look_at_ms != 0 && now_ms < file->look_at_ms)
		return file->text ? 0 : -1;
	file->look_at_ms = now_ms + LOOK_MS;
	if (file->text && file->settled && stat(file->path, &st) == 0 && is_same(&st, &file->st))
		return 0;
	/* Not to wait for the other end of a FIFO. */
	fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return refuse(file, strerror(errno));
	rc = load(file, fd);
	close(fd);
	return rc;
}

static struct http_text
take(struct http_text *text, char end)
{
	const char *at = text->len > 0 ? memchr(text->at, end, text->len) : NULL;
	struct http_text part = { text->at, at ? (size_t)(at - text->at) : text->len };
	size_t taken = part.len + (at ? 1 : 0);

	*text = (struct http_text){ text->at + taken, text->len - taken };
	return part;
}

bool
http_auth_file_next(struct http_text *text, struct http_text *user, struct http_text *hash)
{
	struct http_text line;

	if (text->len == 0)
		return false;
	line = take(text, '\n');
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	if (line.len > 0 && line.at[0] == '#')
		line.len = 0;
	*user = take(&line, ':');
	*hash = (struct http_text){ NULL, 0 };
	if (user->at + user->len < line.at)
		*hash = take(&line, ':');
	return true;
}
