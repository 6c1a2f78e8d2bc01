/*
 * A directory as an HTML page, for those without an index file.
 */
#ifndef PREFORKD_HTTP_LISTING_H
#define PREFORKD_HTTP_LISTING_H

#include "http_open.h"
#include "http_target.h"

#include <stdio.h>

/* More are not shown, and the page says so: what a page costs must have an end. */
#define HTTP_LISTING_MAX 10000

struct http_listing {
	int dir;          /* the directory, as http_open() gave it: readable; stays the caller's */
	int root;         /* what it was opened below, ... */
	const char *path; /* ... by this path, "" for the root itself */
	enum http_symlinks symlinks;
	bool dotfiles;
	const struct http_target *target; /* its URL, which ends with a slash */
};

/*
 * Writes the page, in UTF-8.  Only what could be served is on it, which is what http_open()
 * opens, and ".well-known" only with dotfiles.  Directories come first, then names, both in the
 * order of their bytes; every URL but "/" has a link to its parent.  All links are
 * relative.  0, or -1 with errno when the directory cannot be read, or descriptors or memory are
 * short, and nothing is written then; errors of out are the caller's to see (ferror(3)).
 */
int http_listing_write(const struct http_listing *listing, FILE *out);

#endif
