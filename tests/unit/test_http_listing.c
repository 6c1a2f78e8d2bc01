#include "unit.h"

#include "http_listing.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

#define MTIME 784111777 /* 1994-11-06 08:49:37 */

/* A directory of the test's own, with "dir" in it, which is listed. */
struct place {
	char path[64];
	int root, dir;
	struct http_target target;
	struct http_listing listing;
};

static void
set_up(struct place *p, const char *url)
{
	strcpy(p->path, "/tmp/test_http_listing.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->root = open(p->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(p->root, "dir", 0755), 0);
	p->dir = openat(p->root, "dir", O_RDONLY | O_DIRECTORY);
	assert_true(p->dir >= 0);
	assert_int_equal(http_target_parse((struct http_text){ url, strlen(url) }, &p->target), 0);
	p->listing = (struct http_listing){
		.dir = p->dir,
		.root = p->root,
		.path = "dir",
		.symlinks = HTTP_SYMLINKS_OWNER,
		.target = &p->target,
	};
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
tear_down(struct place *p)
{
	close(p->dir);
	close(p->root);
	nftw(p->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
make_file(int dir, const char *name, off_t size)
{
	const struct timespec times[2] = { { .tv_sec = MTIME }, { .tv_sec = MTIME } };
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
}

/* The caller's. */
static char *
page_of(const struct place *p)
{
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);

	assert_int_equal(http_listing_write(&p->listing, out), 0);
	fclose(out);
	assert_int_equal(strlen(page), len);
	return page;
}

static void
has(const char *page, const char *text)
{
	if (!strstr(page, text))
		fail_msg("no \"%s\" in %s", text, page);
}

static void
has_not(const char *page, const char *text)
{
	if (strstr(page, text))
		fail_msg("\"%s\" in %s", text, page);
}

static void
directories_come_first_and_all_is_sorted(void **state)
{
	static const char *const order[] = {
		"href=\"../\"",   "href=\"Z/\"",    "href=\"z/\"",
		"href=\"0.txt\"", "href=\"B.txt\"", "href=\"a.txt\"",
	};
	struct place p;
	const char *at;
	char *page;

	(void)state;
	set_up(&p, "/dir/");
	make_file(p.dir, "a.txt", 7);
	make_file(p.dir, "B.txt", 0);
	make_file(p.dir, "0.txt", 1536);
	assert_int_equal(mkdirat(p.dir, "z", 0755), 0);
	assert_int_equal(mkdirat(p.dir, "Z", 0755), 0);
	page = page_of(&p);
	at = page;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		at = strstr(at, order[i]);
		if (!at)
			fail_msg("\"%s\" does not follow in %s", order[i], page);
	}
	has(page, "<!DOCTYPE html>");
	has(page, "<title>Index of /dir/</title>");
	has(page, "<meta charset=\"utf-8\">");
	has(page, "a.txt</a></td><td>7</td><td>1994-11-06 08:49</td></tr>\n");
	has(page, "0.txt</a></td><td>1.5K</td><td>1994-11-06 08:49</td></tr>\n");
	has(page, "<a href=\"z/\">z/</a></td><td></td><td>");
	has_not(page, "There are more");
	free(page);
	tear_down(&p);
}

static void
sizes_are_short(void **state)
{
	static const struct {
		int64_t size;
		const char *shown;
	} rows[] = {
		{ 0, ">0<" },
		{ 1023, ">1023<" },
		{ 1024, ">1.0K<" },
		{ 1048575, ">1023.9K<" },
		{ 1048576, ">1.0M<" },
		{ INT64_C(5) << 30, ">5.0G<" },
		{ INT64_C(3) << 40, ">3.0T<" },
	};
	struct place p;
	char *page;

	(void)state;
	set_up(&p, "/dir/");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_file(p.dir, "file", rows[i].size);
		page = page_of(&p);
		has(page, rows[i].shown);
		free(page);
	}
	tear_down(&p);
}

static void
only_what_can_be_served_is_listed(void **state)
{
	struct place p;
	char *page;

	(void)state;
	set_up(&p, "/dir/");
	make_file(p.root, "target", 1);
	make_file(p.dir, ".hidden", 1);
	assert_int_equal(mkdirat(p.dir, ".git", 0755), 0);
	assert_int_equal(mkfifoat(p.dir, "fifo", 0644), 0);
	assert_int_equal(symlinkat("../target", p.dir, "link"), 0);
	assert_int_equal(symlinkat("..", p.dir, "linked"), 0);
	assert_int_equal(symlinkat("missing", p.dir, "dangling"), 0);
	assert_int_equal(symlinkat("/etc/passwd", p.dir, "absolute"), 0);
	assert_int_equal(symlinkat("../../../etc/passwd", p.dir, "outside"), 0);
	page = page_of(&p);
	has(page, "href=\"link\"");
	has(page, "href=\"linked/\"");
	has_not(page, "fifo");
	has_not(page, "dangling");
	has_not(page, "absolute");
	has_not(page, "outside");
	has_not(page, ".hidden");
	has_not(page, ".git");
	has_not(page, "\"./\"");
	free(page);

	p.listing.symlinks = HTTP_SYMLINKS_NO;
	p.listing.dotfiles = true;
	p.listing.path = "dir/";
	page = page_of(&p);
	has_not(page, "link");
	has(page, "href=\".hidden\"");
	has(page, "href=\".git/\"");
	has_not(page, "\"./\"");
	has_not(page, ">../<");
	free(page);
	tear_down(&p);
}

static void
no_name_can_break_the_page(void **state)
{
	struct place p;
	char *page;

	(void)state;
	set_up(&p, "/%3Cscript%3E%26%22'%FF%0A/");
	make_file(p.dir, "<script>alert('1')&\"<", 1);
	make_file(p.dir, "javascript:alert(1)", 1);
	make_file(p.dir, "100%?#", 1);
	make_file(p.dir, "b\xff\xc3(\x01\n", 1);
	make_file(p.dir, "gr\xc3\xbc\xc3\x9f", 1);
	page = page_of(&p);
	has_not(page, "<script");
	has(page,
	    "<title>Index of /&lt;script&gt;&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd/</title>");
	has(page, "<h1>Index of /&lt;script&gt;&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd/</h1>");
	has(page, "<a href=\"%3Cscript%3Ealert%28%271%27%29%26%22%3C\">"
		  "&lt;script&gt;alert(&#39;1&#39;)&amp;&quot;&lt;</a>");
	has(page, "<a href=\"javascript%3Aalert%281%29\">");
	has(page, "<a href=\"100%25%3F%23\">100%?#</a>");
	has(page, "<a href=\"b%FF%C3%28%01%0A\">"
		  "b\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd</a>");
	has(page, "<a href=\"gr%C3%BC%C3%9F\">gr\xc3\xbc\xc3\x9f</a>");
	free(page);
	tear_down(&p);
}

static void
the_longest_name_is_whole(void **state)
{
	char name[256], href[800];
	struct place p;
	char *page;

	(void)state;
	memset(name, '%', 255);
	name[255] = '\0';
	set_up(&p, "/dir/");
	make_file(p.dir, name, 1);
	for (int i = 0; i < 255; i++)
		memcpy(href + 3 * i, "%25", 3);
	strcpy(href + 765, "\">%%");
	page = page_of(&p);
	has(page, href);
	free(page);
	tear_down(&p);
}

static void
the_root_has_no_parent(void **state)
{
	struct place p;
	char *page;

	(void)state;
	set_up(&p, "/");
	p.listing.dir = p.root;
	p.listing.path = "";
	page = page_of(&p);
	has(page, "<title>Index of /</title>");
	has(page, "href=\"dir/\"");
	has_not(page, "Parent");
	free(page);
	tear_down(&p);
}

static void
a_huge_directory_is_cut_and_says_so(void **state)
{
	struct place p;
	char *page, *at, name[16];
	size_t rows = 0;

	(void)state;
	set_up(&p, "/dir/");
	for (int i = 0; i < HTTP_LISTING_MAX; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		close(openat(p.dir, name, O_WRONLY | O_CREAT, 0644));
	}
	page = page_of(&p);
	has_not(page, "There are more");
	free(page);
	make_file(p.dir, "one-more", 1);
	page = page_of(&p);
	has(page, "There are more than these 10000 entries.");
	for (at = page; (at = strstr(at, "<tr><td>")) != NULL; at++)
		rows++;
	assert_int_equal(rows, 1 + HTTP_LISTING_MAX);
	free(page);
	tear_down(&p);
}

static void
a_directory_that_cannot_be_read_writes_nothing(void **state)
{
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);
	struct place p;

	(void)state;
	set_up(&p, "/dir/");
	make_file(p.root, "file", 1);
	p.listing.dir = openat(p.root, "file", O_RDONLY);
	errno = 0;
	assert_int_equal(http_listing_write(&p.listing, out), -1);
	assert_int_equal(errno, ENOTDIR);
	close(p.listing.dir);
	fclose(out);
	assert_int_equal(len, 0);
	free(page);
	tear_down(&p);
}

static void
a_shortage_of_descriptors_is_no_empty_directory(void **state)
{
	struct place p;
	struct rlimit before, few;
	FILE *out = fopen("/dev/null", "w");
	int lowest, result, error;

	(void)state;
	set_up(&p, "/dir/");
	make_file(p.dir, "file", 1);
	lowest = dup(p.dir);
	assert_true(lowest >= 0 && close(lowest) == 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)lowest + 1; /* for the directory, and for no file */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	result = http_listing_write(&p.listing, out);
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(result, -1);
	assert_int_equal(error, EMFILE);
	assert_int_equal(http_listing_write(&p.listing, out), 0);
	fclose(out);
	tear_down(&p);
}

static void
a_fifo_is_not_opened(void **state)
{
	char event[sizeof(struct inotify_event) + 256], fifo[128], *page;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct place p;

	(void)state;
	set_up(&p, "/dir/");
	make_file(p.dir, "file", 1);
	snprintf(fifo, sizeof(fifo), "%s/dir/fifo", p.path);
	assert_int_equal(mkfifo(fifo, 0644), 0);
	assert_true(inotify_add_watch(watch, fifo, IN_OPEN) >= 0);
	page = page_of(&p);
	assert_non_null(strstr(page, "\"file\""));
	assert_null(strstr(page, "fifo"));
	free(page);
	assert_int_equal(read(watch, event, sizeof(event)), -1);
	assert_int_equal(errno, EAGAIN);
	close(watch);
	tear_down(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_come_first_and_all_is_sorted),
		cmocka_unit_test(sizes_are_short),
		cmocka_unit_test(only_what_can_be_served_is_listed),
		cmocka_unit_test(no_name_can_break_the_page),
		cmocka_unit_test(the_longest_name_is_whole),
		cmocka_unit_test(the_root_has_no_parent),
		cmocka_unit_test(a_huge_directory_is_cut_and_says_so),
		cmocka_unit_test(a_directory_that_cannot_be_read_writes_nothing),
		cmocka_unit_test(a_shortage_of_descriptors_is_no_empty_directory),
		cmocka_unit_test(a_fifo_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
