#include "http_files.h"

#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define FILES      32
#define DIRS_MAX   2  /* behind more of them to look at, open(2) is no dearer */
#define PATH_BYTES 96 /* of a longer one nothing is kept */

/* The space of a file that was deleted is free only when all have closed it. */
#define KEPT_BYTES_MAX 32768

/* As statx(2) has it, and the kernel's fstatat too: a remote file system must not answer by heart.
 */
#ifndef AT_STATX_FORCE_SYNC
#define AT_STATX_FORCE_SYNC 0x2000
#endif
#define LOOK_FLAGS (AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC)

/* Times are of a clock that ticks: a change right after another one may leave no trace. */
#define SETTLED_SECONDS 2

struct place {
	int fd; /* O_PATH */
	dev_t dev;
	ino_t ino;
};

/* A path has one slot that it may be in. */
struct http_kept_file {
	char path[PATH_BYTES]; /* "": the slot is empty */
	int root;
	bool open;   /* else it was only asked for */
	bool unfit;  /* and cannot be kept open while it is as st says */
	bool wanted; /* it was taken since another path would have had the slot */
	bool in_use;
	int fd;
	size_t dirs;
	struct place dir[DIRS_MAX]; /* the way to the file, from below the root */
	struct stat st;
	char *map; /* see struct http_file */
	struct http_facts facts;
};

static struct http_kept_file files[FILES];

/* FNV-1a. */
static struct http_kept_file *
slot_of(int root, const char *path)
{
	uint32_t hash = 2166136261U ^ (uint32_t)root;
	size_t len;

	for (len = 0; path[len]; len++)
		hash = (hash ^ (unsigned char)path[len]) * 16777619U;
	return len > 0 && len < PATH_BYTES ? &files[(hash ^ hash >> 16) % FILES] : NULL;
}

static void
close_dirs(struct http_kept_file *k)
{
	while (k->dirs > 0)
		close(k->dir[--k->dirs].fd);
}

static void
close_all(struct http_kept_file *k)
{
	if (k->map)
		munmap(k->map, (size_t)k->st.st_size);
	close(k->fd);
	close_dirs(k);
	k->open = false;
}

static bool
is_unchanged(const struct stat *now, const struct stat *then)
{
	return now->st_dev == then->st_dev && now->st_ino == then->st_ino &&
	       now->st_ctim.tv_sec == then->st_ctim.tv_sec &&
	       now->st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

/* By what its name says now, does the path lead to the same inode, unchanged? */
HOT static bool
still_leads_there(const struct http_kept_file *k)
{
	char names[PATH_BYTES], *name = names;
	int dir = k->root;
	struct stat st;

	memcpy(names, k->path, sizeof(names));
	for (size_t i = 0; i < k->dirs; i++) {
		char *slash = strchr(name, '/');

		*slash = '\0';
		if (fstatat(dir, name, &st, LOOK_FLAGS) < 0 || st.st_dev != k->dir[i].dev ||
		    st.st_ino != k->dir[i].ino)
			return false;
		dir = k->dir[i].fd;
		name = slash + 1;
	}
	return fstatat(dir, name, &st, LOOK_FLAGS) == 0 && is_unchanged(&st, &k->st);
}

/* Opens the directories of the path, which has a slot; false: not these. */
static bool
open_dirs(struct http_kept_file *k)
{
	char names[PATH_BYTES], *name = names, *slash;
	struct stat st;

	memcpy(names, k->path, sizeof(names));
	for (int dir = k->root; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		*slash = '\0';
		if (k->dirs == DIRS_MAX)
			return false;
		dir = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir < 0)
			return false;
		k->dir[k->dirs++].fd = dir;
		if (fstat(dir, &st) < 0)
			return false;
		k->dir[k->dirs - 1].dev = st.st_dev;
		k->dir[k->dirs - 1].ino = st.st_ino;
	}
	return true;
}

/* Most of the descriptors that the process may have are for others. */
static bool
has_descriptors_to_spare(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd < limit.rlim_cur / 2;
}

/* What is mounted below the root must not be held: somebody may want to unmount it. */
static bool
is_of_the_root(int root, const struct stat *st)
{
	struct stat top;

	return fstat(root, &top) == 0 && top.st_dev == st->st_dev;
}

static bool
is_fit(const struct stat *st, int64_t now)
{
	return S_ISREG(st->st_mode) && st->st_size <= KEPT_BYTES_MAX &&
	       st->st_ctim.tv_sec + SETTLED_SECONDS <= now;
}

static void
lend(struct http_kept_file *k, struct http_file *file)
{
	k->in_use = true;
	*file = (struct http_file){ k->fd, k->st, k->map, k, &k->facts };
}

/* What is mapped goes out without read(2).  Where a file was cut, send(2) fails with EFAULT. */
static char *
map_of(int fd, const struct stat *st)
{
	void *map = MAP_FAILED;

	if (st->st_size > 0)
		map = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}

/* Of the second request: the descriptor is the slot's from now on, if it can be. */
static void
keep(struct http_kept_file *k, struct http_file *file)
{
	k->fd = file->fd;
	k->st = file->st;
	k->open = has_descriptors_to_spare(file->fd) && is_of_the_root(k->root, &file->st) &&
		  open_dirs(k) && still_leads_there(k);
	k->unfit = !k->open;
	if (k->unfit) {
		close_dirs(k);
		return;
	}
	k->map = map_of(k->fd, &k->st);
	k->facts.known = false;
	lend(k, file);
}

/* A path has to ask twice for the slot of a file that is open and taken meanwhile. */
static void
note(struct http_kept_file *k, int root, const char *path)
{
	if (k->in_use)
		return;
	if (k->open && k->wanted) {
		k->wanted = false;
		return;
	}
	if (k->open)
		close_all(k);
	memcpy(k->path, path, strlen(path) + 1);
	k->root = root;
	k->unfit = false;
}

static bool
take(struct http_kept_file *k, struct http_file *file)
{
	if (!k->open || k->in_use)
		return false;
	if (!still_leads_there(k)) {
		close_all(k);
		return false;
	}
	k->wanted = true;
	lend(k, file);
	return true;
}

HOT int
http_files_open(struct http_file *file, int root, const char *path, enum http_symlinks symlinks,
		int64_t now)
{
	struct http_kept_file *k = slot_of(root, path);
	bool asked = k && k->root == root && strcmp(k->path, path) == 0;

	if (asked && take(k, file))
		return 0;
	file->map = NULL;
	file->kept = NULL;
	file->facts = NULL;
	file->fd = http_open(root, path, symlinks, &file->st);
	if (file->fd < 0)
		return -1;
	if (!k || !is_fit(&file->st, now))
		return 0;
	if (!asked)
		note(k, root, path);
	else if (!k->open && !(k->unfit && is_unchanged(&file->st, &k->st)))
		keep(k, file);
	return 0;
}

HOT void
http_files_close(struct http_file *file)
{
	int saved;

	if (file->kept) {
		file->kept->in_use = false;
		return;
	}
	saved = errno;
	close(file->fd);
	errno = saved;
}
