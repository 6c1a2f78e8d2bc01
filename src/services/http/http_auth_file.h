/*
 * A file of lines "user:hash", in memory and up to date.  Lines that are empty or begin with
 * '#' say nothing; of two with the same user the first one counts, and what follows a second
 * colon is ignored.
 */
#ifndef PREFORKD_HTTP_AUTH_FILE_H
#define PREFORKD_HTTP_AUTH_FILE_H

#include "http_text.h"

#include <stdint.h>
#include <sys/stat.h>

struct http_auth_file {
	const char *path;
	char *text; /* size bytes and a NUL; NULL: it has never been read */
	size_t size;
	struct stat st;     /* of what text is */
	bool settled;       /* it had not been written to for a while when it was read */
	int64_t look_at_ms; /* util_now_coarse_ms() when it is looked at again */
	char why[128];
};

/*
 * Looks at the file when it is time to; 0, or -1: it cannot be used (why says the reason)
 * until it can be read again.
 */
int http_auth_file_refresh(struct http_auth_file *file, int64_t now_ms);

void http_auth_file_forget(struct http_auth_file *file);

/*
 * Takes the next line off the text; false at its end.  A line without a colon has no hash
 * (at NULL), an empty one and a comment no user either.
 */
bool http_auth_file_next(struct http_text *text, struct http_text *user, struct http_text *hash);

#endif
