/*
 * Whose files may decide what the master does.
 */
#ifndef PREFORKD_TRUST_H
#define PREFORKD_TRUST_H

#include <sys/stat.h>

/*
 * A file or directory must belong to root or to who runs preforkd, and nobody else but group
 * root may write it.  0, or -1 with *err, which names it.
 */
int trust_check(const struct stat *st, const char *path, char **err);

/*
 * The same for a file and for all directories above it, so that nobody else can put another
 * file in its place; one with the sticky bit, such as /tmp, may be written.  path has no
 * symbolic links.
 */
int trust_check_path(const char *path, char **err);

#endif
