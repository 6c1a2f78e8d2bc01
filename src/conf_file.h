/*
 * Configuration files on disk: which there are, whether they can be trusted, their text.
 */
#ifndef PREFORKD_CONF_FILE_H
#define PREFORKD_CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The text of a regular file of at most 1 MiB with tail behind it; the caller frees it.
 * Refused when others than root or the running user could have written it.  NULL with
 * *err as "FILE: text".
 */
char *conf_file_read(const char *path, const char *tail, size_t *len, char **err);

/*
 * The paths of all *.conf in the directory but hidden ones, in byte order; NULL if there
 * are none, or with *err.  Backups of editors and of dpkg end otherwise.  The caller
 * frees the list.
 */
char **conf_file_list(const char *dir, char **err);

/* Do both names lead to one file? */
bool conf_file_same(const char *a, const char *b);

#endif
