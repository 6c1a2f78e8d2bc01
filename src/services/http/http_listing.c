#include "http_listing.h"

#include "http_date.h"
#include "utf8.h"
#include "util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct entry {
	char *name;
	int64_t size, mtime;
	bool directory;
};

struct entries {
	struct entry *list;
	size_t n, room;
	bool more; /* than HTTP_LISTING_MAX */
};

/* To open a FIFO would set its writers going. */
static bool
is_wanted(const struct dirent *d, bool dotfiles)
{
	const char *name = d->d_name;

	if (d->d_type != DT_REG && d->d_type != DT_DIR && d->d_type != DT_LNK &&
	    d->d_type != DT_UNKNOWN)
		return false;
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && (name[0] != '.' || dotfiles);
}

/* Without them nothing can be opened, and the page would say that nothing is there. */
static bool
is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

static bool
can_be_served(const struct http_listing *listing, const char *name, struct stat *st)
{
	size_t len = strlen(listing->path);
	const char *slash = len > 0 && listing->path[len - 1] != '/' ? "/" : "";
	char path[PATH_MAX];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s%s%s", listing->path, slash, name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	fd = http_open(listing->root, path, listing->symlinks, st);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void
add(struct entries *entries, const char *name, const struct stat *st)
{
	if (entries->n == entries->room) {
		entries->room = entries->room ? 2 * entries->room : 64;
		entries->list = util_realloc(entries->list, entries->room, sizeof(*entries->list));
	}
	entries->list[entries->n++] = (struct entry){
		.name = util_strdup(name),
		.size = st->st_size,
		.mtime = st->st_mtim.tv_sec,
		.directory = S_ISDIR(st->st_mode),
	};
}

/* By a descriptor of its own: readdir(3) takes one over, and moves its offset. */
static int
collect(const struct http_listing *listing, struct entries *entries)
{
	int fd = openat(listing->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), saved;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;
	struct stat st;

	if (!dir) {
		saved = errno;
		if (fd >= 0)
			close(fd);
		errno = saved;
		return -1;
	}
	while (!entries->more && (errno = 0, d = readdir(dir)) != NULL) {
		if (!is_wanted(d, listing->dotfiles))
			continue;
		if (!can_be_served(listing, d->d_name, &st)) {
			if (is_shortage(errno))
				break;
			continue;
		}
		entries->more = entries->n == HTTP_LISTING_MAX;
		if (!entries->more)
			add(entries, d->d_name, &st);
	}
	saved = entries->more ? 0 : errno;
	closedir(dir);
	errno = saved;
	return saved ? -1 : 0;
}

static int
compare(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->directory != right->directory)
		return left->directory ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* Text that means nothing to HTML; control bytes and what is not UTF-8 are U+FFFD. */
static void
put_text(FILE *out, const char *text)
{
	size_t len;

	for (; *text; text += len) {
		len = utf8_char(text);
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			if (len > 0 && (unsigned char)*text >= 0x20 && *text != 0x7f)
				fwrite(text, 1, len, out);
			else
				fputs("\xef\xbf\xbd", out);
		}
		len = len > 0 ? len : 1;
	}
}

static void
put_size(FILE *out, int64_t size)
{
	static const char units[] = "KMGTPE";
	int64_t tenths = size;
	size_t unit = 0;

	if (size < 1024) {
		fprintf(out, "%" PRId64, size);
		return;
	}
	for (; tenths >= INT64_C(1024) * 1024; unit++)
		tenths /= 1024;
	tenths = tenths * 10 / 1024;
	fprintf(out, "%" PRId64 ".%" PRId64 "%c", tenths / 10, tenths % 10, units[unit]);
}

static void
put_entry(FILE *out, const struct entry *entry)
{
	char href[3 * NAME_MAX + 1], date[HTTP_DATE_ISO_BYTES];
	const char *slash = entry->directory ? "/" : "";

	http_target_encode(href, sizeof(href), entry->name, strlen(entry->name));
	fprintf(out, "<tr><td><a href=\"%s%s\">", href, slash);
	put_text(out, entry->name);
	fprintf(out, "%s</a></td><td>", slash);
	if (!entry->directory)
		put_size(out, entry->size);
	http_date_iso(date, entry->mtime);
	fprintf(out, "</td><td>%s</td></tr>\n", date);
}

static void
put_page(FILE *out, const struct http_target *target, const struct entries *entries)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>Index of ",
	      out);
	put_text(out, target->path);
	fputs("</title>\n<style>\nbody { font-family: sans-serif; margin: 2em }\n"
	      "th, td { padding: 0.2em 2em 0.2em 0; text-align: left }\n"
	      "th + th, td + td { text-align: right; white-space: nowrap }\n"
	      "</style>\n</head>\n<body>\n<h1>Index of ",
	      out);
	put_text(out, target->path);
	fputs("</h1>\n<table>\n<thead><tr><th>Name</th><th>Size</th><th>Modified (UTC)</th></tr>"
	      "</thead>\n<tbody>\n",
	      out);
	if (strcmp(target->path, "/") != 0)
		fputs("<tr><td><a href=\"../\">Parent directory</a></td><td></td><td></td></tr>\n",
		      out);
	for (size_t i = 0; i < entries->n; i++)
		put_entry(out, &entries->list[i]);
	fputs("</tbody>\n</table>\n", out);
	if (entries->more)
		fprintf(out, "<p>There are more than these %zu entries.</p>\n", entries->n);
	fputs("</body>\n</html>\n", out);
}

int
http_listing_write(const struct http_listing *listing, FILE *out)
{
	struct entries entries = { .n = 0 };
	int result = collect(listing, &entries), saved = errno;

	if (result == 0) {
		if (entries.n > 0)
			qsort(entries.list, entries.n, sizeof(*entries.list), compare);
		put_page(out, listing->target, &entries);
	}
	for (size_t i = 0; i < entries.n; i++)
		free(entries.list[i].name);
	free(entries.list);
	errno = saved;
	return result;
}
