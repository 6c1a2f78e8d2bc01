/*
 * A directory of its own for the tests of http_open: a root, and what lies outside of it.
 */
#ifndef PREFORKD_TESTS_HTTP_TREE_H
#define PREFORKD_TESTS_HTTP_TREE_H

#include "http_open.h"
#include "util.h"

#include <stddef.h>

enum { SOMEBODY = 12345, HTTP_WAYS = 3, HTTP_KINDS = 3 };

/* Those that must behave alike. */
extern const struct http_way {
	const char *name;
	int (*open)(int root, const char *path, enum http_symlinks symlinks, struct stat *st);
} http_ways[HTTP_WAYS];

extern char *http_tree_top;
extern int top_fd, root_fd; /* root_fd is of "root" in it */

int http_tree_make(void);
int http_tree_remove(void **state);
void http_tree_file(int dir, const char *path, const char *text);
void http_tree_link(const char *target, const char *path); /* in the root */
void http_tree_own(const char *path, uid_t uid);           /* a link itself */
int http_tree_read(int fd, char *text, size_t size);
int http_tree_descriptors(void); /* how many are open */

struct http_tree_row {
	const char *path;
	int result[HTTP_KINDS]; /* for no, owner, yes: 0, or errno */
};

/* Each way must have that result, and a file must be the one inside. */
void http_tree_check(int root, size_t way, const char *path, enum http_symlinks symlinks, int want);
void http_tree_check_rows(const struct http_tree_row *rows, size_t n);

#endif
