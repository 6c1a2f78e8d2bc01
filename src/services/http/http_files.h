/*
 * The small files that a worker was last asked for stay open, so that a request for one of
 * them costs one stat(2) a component instead of open, fstat and close.  Nothing is served
 * that http_open() would not open now: the name must still lead to the same inode, by
 * directories and not by links, and nothing of that inode may have changed (st_ctim: its
 * mode, owner, names, size and times).  Contents are not kept but mapped, and are the file's
 * of that moment.
 */
#ifndef PREFORKD_HTTP_FILES_H
#define PREFORKD_HTTP_FILES_H

#include "http_entity.h"
#include "http_open.h"

#include <stdbool.h>
#include <stdint.h>

struct http_kept_file;

/* What answers say of a file, for who serves it to fill in. */
struct http_facts {
	bool known; /* and true as long as the file is unchanged */
	const char *coding;
	const char *type;
	struct http_entity entity;
};

struct http_file {
	int fd;
	struct stat st;
	const char *map;             /* st_size bytes for system calls only, or NULL */
	struct http_kept_file *kept; /* whose fd it is, or NULL */
	struct http_facts *facts;    /* kept with it; NULL if it is not */
};

/*
 * As http_open(), for a process that serves one request at a time; now is in seconds since
 * 1970.  0, and the file is to be closed by http_files_close(); or -1 with errno.
 */
int http_files_open(struct http_file *file, int root, const char *path, enum http_symlinks symlinks,
		    int64_t now);

/* Leaves errno alone. */
void http_files_close(struct http_file *file);

#endif
