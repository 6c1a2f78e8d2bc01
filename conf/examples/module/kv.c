/*
 * kv - a key-value server, as a module of preforkd: see preforkd-module(3)
 *
 *   cc $(pkg-config --cflags preforkd) -shared -fPIC -o kv.so kv.c
 *
 * A connection has any number of requests, a line each:
 *
 *   set KEY VALUE    +             a key has no blanks
 *   get KEY          =VALUE        or -: there is no such key
 *   del KEY          +             or -
 *   count            =N
 *   quit
 *
 * The answer to anything else is ! with a reason.  All workers of the pool, and those that a
 * reload puts in their place, share one file: a table of fixed size, in which a key is looked
 * for from the place on that its hash says.  Options: "store=PATH", the file, and
 * "entries=N", for how many keys it is made.
 */
#include <preforkd/module.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES = 60, VALUE_BYTES = 960, LINE_BYTES = 2048, MAX_ENTRIES = 1000000 };
enum { IDLE_MS = 60000, REQUEST_MS = 10000 };

enum use { FREE, USED, DELETED }; /* the search for a key ends at a free entry */

struct entry {
	uint32_t use;
	char key[KEY_BYTES], value[VALUE_BYTES];
};

struct store {
	int fd; /* its lock goes with the worker, however that ends */
	struct entry *entries;
	size_t n;
};

/* ---- the table; whoever calls has the lock ---- */

/* The entry of the key, or NULL; then *place is one for it, or NULL if all are used. */
static struct entry *
find(const struct store *s, const char *key, struct entry **place)
{
	size_t hash = 5381;

	for (const char *p = key; *p; p++)
		hash = hash * 33 + (unsigned char)*p;
	*place = NULL;
	for (size_t i = 0; i < s->n; i++) {
		struct entry *e = &s->entries[(hash + i) % s->n];

		if (e->use == USED && strcmp(e->key, key) == 0)
			return e;
		if (e->use != USED && !*place)
			*place = e;
		if (e->use == FREE)
			break;
	}
	return NULL;
}

/* A worker that is killed in here leaves a table without this key. */
static const char *
set(const struct store *s, const char *key, const char *value)
{
	struct entry *place, *e = find(s, key, &place);

	if (strlen(key) >= KEY_BYTES || strlen(value) >= VALUE_BYTES)
		return "!too long";
	if (!e)
		e = place;
	if (!e)
		return "!full";
	e->use = DELETED;
	strcpy(e->key, key);
	strcpy(e->value, value);
	e->use = USED;
	return "+";
}

static const char *
get(const struct store *s, const char *key)
{
	static char text[1 + VALUE_BYTES];
	struct entry *place, *e = find(s, key, &place);

	if (!e)
		return "-";
	snprintf(text, sizeof(text), "=%s", e->value);
	return text;
}

static const char *
del(const struct store *s, const char *key)
{
	struct entry *place, *e = find(s, key, &place);

	if (!e)
		return "-";
	e->use = DELETED;
	return "+";
}

static const char *
count(const struct store *s)
{
	static char text[32];
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->entries[i].use == USED;
	snprintf(text, sizeof(text), "=%zu", n);
	return text;
}

/* ---- the service ---- */

static long
entries_wanted(const struct preforkd_pool *pool)
{
	const char *text = preforkd_option(pool, "entries");
	char *end;
	long n = text ? strtol(text, &end, 10) : 1000;

	return text && *end ? -1 : n;
}

/* In the master, which also asks when somebody only checks the file: nothing is made yet. */
static int
kv_prepare(const struct preforkd_pool *pool, void **shared, struct preforkd_error *error)
{
	const char *path = preforkd_option(pool, "store");
	long n = entries_wanted(pool);

	(void)shared;
	if (!path || path[0] != '/')
		return preforkd_fail(error, "store must be the absolute path of a file");
	if (n < 1 || n > MAX_ENTRIES)
		return preforkd_fail(error, "entries must be 1 to %d", MAX_ENTRIES);
	return 0;
}

/* The first worker gives the file its size; that of one that is there stays. */
static off_t
size_of(int fd, long entries)
{
	off_t size = (off_t)entries * (off_t)sizeof(struct entry);
	struct stat st = { 0 };

	if (flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_size > 0)
		size = st.st_size;
	else if (ftruncate(fd, size) < 0)
		size = -1;
	flock(fd, LOCK_UN);
	return size;
}

/* In each worker, as the pool's user. */
static int
kv_start(const struct preforkd_pool *pool, void *shared, void **state, struct preforkd_error *error)
{
	const char *path = preforkd_option(pool, "store");
	static struct store s;
	off_t size = -1;

	(void)shared;
	s.fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s.fd >= 0)
		size = size_of(s.fd, entries_wanted(pool));
	if (size < 0)
		return preforkd_fail(error, "%s: %s", path, strerror(errno));
	if (size % (off_t)sizeof(struct entry) != 0)
		return preforkd_fail(error, "%s: not a store of kv", path);
	s.n = (size_t)size / sizeof(struct entry);
	s.entries = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, 0);
	if (s.entries == MAP_FAILED)
		return preforkd_fail(error, "%s: %s", path, strerror(errno));
	*state = &s;
	return 0;
}

/* NULL: the client wants no more. */
static const char *
answer(const struct store *s, char *line)
{
	char *rest = line;
	const char *word = strsep(&rest, " "), *key = strsep(&rest, " ");

	if (strcmp(word, "quit") == 0)
		return NULL;
	if (strcmp(word, "count") == 0 && !key)
		return count(s);
	if (strcmp(word, "set") == 0 && key && rest)
		return set(s, key, rest);
	if (strcmp(word, "get") == 0 && key && !rest)
		return get(s, key);
	if (strcmp(word, "del") == 0 && key && !rest)
		return del(s, key);
	return "!set KEY VALUE, get KEY, del KEY, count or quit";
}

static void
kv_serve(struct preforkd_conn *c)
{
	const struct store *s = c->state;
	char line[LINE_BYTES];

	preforkd_idle_timeout(c, IDLE_MS);
	while (preforkd_next_request(c)) {
		const char *text;

		preforkd_deadline(c, REQUEST_MS); /* a line must not come byte by byte for hours */
		if (preforkd_read_line(c, line, sizeof(line)) < 0)
			return;
		preforkd_say(c, line);
		flock(s->fd, LOCK_EX);
		text = answer(s, line);
		flock(s->fd, LOCK_UN);
		if (!text || preforkd_print(c, "%s\n", text) < 0)
			return;
		preforkd_deadline(c, 0);
	}
}

static const char *const options[] = { "store", "entries", NULL };

const struct preforkd_module preforkd_module = {
	.api = PREFORKD_MODULE_API,
	.size = sizeof(struct preforkd_module),
	.description = "kv, a key-value server",
	.options = options,
	.prepare = kv_prepare,
	.start = kv_start,
	.serve = kv_serve,
};
