#include "unit.h"

#include "http_mime.h"
#include "util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A table of a file with this text. */
static struct http_mime *
load_text(const char *text, size_t len, char **err)
{
	char path[] = "/tmp/test_http_mime.XXXXXX";
	int fd = mkstemp(path);
	struct http_mime *mime;

	assert_true(fd >= 0);
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, text + done, len - done);

		assert_true(n > 0);
		done += (size_t)n;
	}
	close(fd);
	mime = http_mime_load(path, err);
	unlink(path);
	return mime;
}

static void
check(const struct http_mime *mime, const char *const rows[][2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(http_mime_type(mime, rows[i][0]), rows[i][1]);
}

static void
the_web_is_built_in(void **state)
{
	static const char *const rows[][2] = {
		{ "index.html", "text/html; charset=utf-8" },
		{ "/a/b.c/index.HTM", "text/html; charset=utf-8" },
		{ "style.css", "text/css; charset=utf-8" },
		{ "app.js", "text/javascript; charset=utf-8" },
		{ "app.mjs", "text/javascript; charset=utf-8" },
		{ "data.json", "application/json; charset=utf-8" },
		{ "feed.xml", "application/xml; charset=utf-8" },
		{ "logo.svg", "image/svg+xml; charset=utf-8" },
		{ "logo.PnG", "image/png" },
		{ "font.woff", "font/woff" },
		{ "font.woff2", "font/woff2" },
		{ "a.wasm", "application/wasm" },
		{ "archive.tar.gz", "application/gzip" },
		{ "README.txt", "text/plain; charset=utf-8" },
		{ ".txt", "text/plain; charset=utf-8" },
	};
	static const char *const unknown[] = {
		"",        "README", "a.",     "a.html.", "/dir.html/README",
		"a.htmlx", "a.h",    "a.\xff", "a. html",
	};
	char *err = NULL;
	struct http_mime *mime = http_mime_load(NULL, &err);

	(void)state;
	assert_non_null(mime);
	check(mime, rows, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_string_equal(http_mime_type(mime, unknown[i]), "application/octet-stream");
	http_mime_free(mime);
	mime = http_mime_load("/nonexistent/mime.types", &err);
	assert_non_null(mime);
	assert_null(err);
	check(mime, rows, ARRAY_LEN(rows));
	http_mime_free(mime);
	http_mime_free(NULL);
}

static void
a_file_adds_to_the_table_and_overrides_it(void **state)
{
	static const char text[] = "# a comment\n\n"
				   "application/x-own own OWN2\r\n"
				   "\ttext/x-own\t\town3  own4 # why\n"
				   "application/json\n"
				   "application/javascript js\n"
				   "image/x-one twice\n"
				   "image/x-two TWICE\n"
				   "a/b last";
	static const char *const rows[][2] = {
		{ "a.own", "application/x-own" },
		{ "a.Own2", "application/x-own" },
		{ "a.own3", "text/x-own; charset=utf-8" },
		{ "a.own4", "text/x-own; charset=utf-8" },
		{ "a.why", "application/octet-stream" },
		{ "a.js", "application/javascript; charset=utf-8" },
		{ "a.json", "application/json; charset=utf-8" },
		{ "a.twice", "image/x-two" },
		{ "a.last", "a/b" },
		{ "a.css", "text/css; charset=utf-8" },
	};
	char *err = NULL;
	struct http_mime *mime = load_text(text, sizeof(text) - 1, &err);

	(void)state;
	assert_null(err);
	assert_non_null(mime);
	check(mime, rows, ARRAY_LEN(rows));
	http_mime_free(mime);
}

static void
a_line_without_a_type_is_a_mistake(void **state)
{
	static const char *const rows[] = {
		"types {", "html text/html",     "text/", "/html", "text/html;charset=x html",
		"a/b/c x", "text/h\x01tml html",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *err = NULL, *text = util_format("a/b c\n%s\n", rows[i]);

		assert_null(load_text(text, strlen(text), &err));
		assert_non_null(err);
		if (!strstr(err, ": line 2 begins with no media type"))
			fail_msg("%s", err);
		free(err);
		free(text);
	}
}

static void
what_cannot_be_read_is_a_mistake(void **state)
{
	size_t size = (4 << 20) + 1;
	char *err = NULL, *large = util_calloc(1, size);

	(void)state;
	assert_null(http_mime_load("/", &err));
	assert_string_equal(err, "/: Is a directory");
	free(err);
	err = NULL;
	assert_null(load_text("a/b c\0d\n", 8, &err));
	assert_non_null(err);
	free(err);
	err = NULL;
	memset(large, '\n', size);
	assert_null(load_text(large, size, &err));
	assert_non_null(strstr(err, "larger than 4 MiB"));
	free(err);
	free(large);
}

static void
a_table_may_be_long(void **state)
{
	char *err = NULL, *text = util_calloc(20000, 40);
	struct http_mime *mime;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 20000; i++)
		len += (size_t)snprintf(text + len, 40, "x-type/n%d ext%d\n", i, i);
	mime = load_text(text, len, &err);
	assert_non_null(mime);
	for (int i = 0; i < 20000; i++) {
		char name[40], type[40];

		snprintf(name, sizeof(name), "file.Ext%d", i);
		snprintf(type, sizeof(type), "x-type/n%d", i);
		assert_string_equal(http_mime_type(mime, name), type);
	}
	http_mime_free(mime);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_web_is_built_in),
		cmocka_unit_test(a_file_adds_to_the_table_and_overrides_it),
		cmocka_unit_test(a_line_without_a_type_is_a_mistake),
		cmocka_unit_test(what_cannot_be_read_is_a_mistake),
		cmocka_unit_test(a_table_may_be_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
