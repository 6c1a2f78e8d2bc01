#include "http_open.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_LARGEFILE: the bare system call does not get it from the C library. */
#define OPEN_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | O_LARGEFILE)

#define LINKS_MAX 40   /* as the kernel */
#define STEPS_MAX 4096 /* components: links full of ".." must not keep a worker busy */

/* What a step of the walk returns that does not end it with a descriptor. */
enum { FAILED = -1, GOES_ON = -2 };

/* A link that has been followed, while its target has not been reached yet. */
struct link {
	size_t after; /* how much of the path will be left then */
	uid_t owner;
};

struct walk {
	enum http_symlinks symlinks;
	int root, dir;       /* where the walk stands: the root, or an O_PATH descriptor */
	char real[PATH_MAX]; /* the way from root to dir: no links, no dots; "a/b/" */
	char rest[PATH_MAX]; /* the way to go */
	struct link links[LINKS_MAX];
	size_t waiting; /* how many of the links await their target: the last is the innermost */
	int followed, steps;
};

static int
refuse(int error)
{
	errno = error;
	return -1;
}

/* Closes the descriptor and leaves errno alone. */
static void
drop(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/* What cannot be read by its kind says so in many ways. */
static int
opened(int fd, struct stat *st)
{
	if (fd < 0)
		return errno == ENXIO || errno == ENODEV || errno == EPERM ? refuse(EACCES) : -1;
	if (fstat(fd, st) == 0 && (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)))
		return fd;
	close(fd);
	return refuse(EACCES);
}

/* ---- the walk ----------------------------------------------------------------------- */

/* All links whose targets end here belong to whom this thing belongs to. */
static int
check_owner(struct walk *w, size_t left, const struct stat *st)
{
	for (; w->waiting > 0 && left <= w->links[w->waiting - 1].after; w->waiting--)
		if (w->links[w->waiting - 1].owner != st->st_uid)
			return refuse(ELOOP);
	return 0;
}

static void
stand_at(struct walk *w, int dir)
{
	if (w->dir != w->root)
		close(w->dir);
	w->dir = dir;
}

/* Puts more in front of what will be left. */
static int
prepend(struct walk *w, const char *more, size_t len, bool slash, const char *after)
{
	size_t left = strlen(after);

	if (len + slash + left >= sizeof(w->rest))
		return refuse(ENAMETOOLONG);
	memmove(w->rest + len + slash, after, left + 1);
	memcpy(w->rest, more, len);
	if (slash)
		w->rest[len] = '/';
	return 0;
}

static int
go_up(struct walk *w, const char *after)
{
	size_t len = strlen(w->real);

	if (len == 0)
		return refuse(EXDEV);
	for (len--; len > 0 && w->real[len - 1] != '/'; len--)
		;
	if (prepend(w, w->real, len, false, after) < 0)
		return -1;
	w->real[0] = '\0';
	stand_at(w, w->root);
	return 0;
}

static int
follow(struct walk *w, int fd, const struct stat *st, bool slash, const char *after)
{
	char text[PATH_MAX];
	ssize_t len;

	if (w->symlinks == HTTP_SYMLINKS_NO || w->followed++ == LINKS_MAX)
		return refuse(ELOOP);
	len = readlinkat(fd, "", text, sizeof(text));
	if (len < 0)
		return -1;
	if (len == 0 || len == sizeof(text))
		return refuse(len == 0 ? ENOENT : ENAMETOOLONG);
	if (text[0] == '/')
		return refuse(EXDEV);
	if (w->symlinks == HTTP_SYMLINKS_OWNER)
		w->links[w->waiting++] = (struct link){ strlen(after), st->st_uid };
	return prepend(w, text, (size_t)len, slash, after);
}

static int
enter(struct walk *w, const char *name, int fd, const char *after)
{
	size_t len = strlen(w->real), n = strlen(name);

	if (len + n + 2 > sizeof(w->real)) {
		close(fd);
		return refuse(ENAMETOOLONG);
	}
	memcpy(w->real + len, name, n);
	memcpy(w->real + len + n, "/", 2);
	stand_at(w, fd);
	memmove(w->rest, after, strlen(after) + 1);
	return 0;
}

/* The last component, or "." where the path ends in a directory. */
static int
open_last(struct walk *w, const char *name, bool slash, struct stat *st)
{
	int flags = OPEN_FLAGS | O_NOFOLLOW | (slash ? O_DIRECTORY : 0);
	int fd = opened(openat(w->dir, name, flags), st);

	if (fd < 0)
		return errno == ELOOP ? GOES_ON : FAILED; /* it has become a link: look again */
	if (check_owner(w, 0, st) == 0)
		return fd;
	drop(fd);
	return FAILED;
}

/* One component that is no dots.  Returns the descriptor when it was the last. */
static int
step(struct walk *w, const char *name, bool slash, const char *after, struct stat *st)
{
	int fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), done;

	if (fd < 0 || fstat(fd, st) < 0) {
		if (fd >= 0)
			drop(fd);
		return FAILED;
	}
	if (S_ISLNK(st->st_mode)) {
		done = follow(w, fd, st, slash, after);
		drop(fd);
		return done < 0 ? FAILED : GOES_ON;
	}
	if (*after && S_ISDIR(st->st_mode))
		return enter(w, name, fd, after) < 0 ? FAILED : GOES_ON;
	close(fd);
	if (*after || (slash && !S_ISDIR(st->st_mode)))
		return refuse(ENOTDIR);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return refuse(EACCES);
	return open_last(w, name, slash, st);
}

static int
go_on(struct walk *w, struct stat *st)
{
	char name[NAME_MAX + 1];
	const char *rest = w->rest + strspn(w->rest, "/"), *after;
	size_t len = strcspn(rest, "/");
	bool slash = rest[len] == '/';

	if (w->waiting > 0 && strlen(rest) <= w->links[w->waiting - 1].after)
		if (fstat(w->dir, st) < 0 || check_owner(w, strlen(rest), st) < 0)
			return FAILED;
	if (len == 0)
		return open_last(w, ".", true, st);
	if (len >= sizeof(name))
		return refuse(ENAMETOOLONG);
	if (w->steps++ == STEPS_MAX)
		return refuse(ELOOP);
	memcpy(name, rest, len);
	name[len] = '\0';
	after = rest + len + strspn(rest + len, "/");
	if (strcmp(name, ".") == 0) {
		memmove(w->rest, after, strlen(after) + 1);
		return GOES_ON;
	}
	if (strcmp(name, "..") == 0)
		return go_up(w, after) < 0 ? FAILED : GOES_ON;
	return step(w, name, slash, after, st);
}

int
http_open_walk(int root, const char *path, enum http_symlinks symlinks, struct stat *st)
{
	struct walk w;
	int fd;

	if (path[0] == '/')
		return refuse(EXDEV);
	if (strlen(path) >= sizeof(w.rest))
		return refuse(ENAMETOOLONG);
	w.symlinks = symlinks;
	w.root = w.dir = root;
	w.real[0] = '\0';
	memcpy(w.rest, path, strlen(path) + 1);
	w.waiting = 0;
	w.followed = w.steps = 0;
	do
		fd = go_on(&w, st);
	while (fd == GOES_ON || (fd == FAILED && errno == EINTR));
	if (w.dir != root)
		drop(w.dir);
	return fd;
}

/* ---- the kernel's way ----------------------------------------------------------------- */

int
http_open(int root, const char *path, enum http_symlinks symlinks, struct stat *st)
{
	struct open_how how = {
		.flags = OPEN_FLAGS,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (symlinks != HTTP_SYMLINKS_YES)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	do
		fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	if (fd >= 0)
		return opened(fd, st);
	/*
	 * EPERM is what some filters of system calls say for one that they do not know, EAGAIN
	 * a ".." that could not be resolved for renames elsewhere.
	 */
	if (errno == ENOSYS || errno == EPERM || errno == EAGAIN ||
	    (errno == ELOOP && symlinks == HTTP_SYMLINKS_OWNER))
		return http_open_walk(root, path, symlinks, st);
	return opened(fd, st);
}
