/*
 * banner_file: what a client gets first, from a file that is read for each connection, so
 * that it can be changed at any time.
 */
#ifndef PREFORKD_BANNER_H
#define PREFORKD_BANNER_H

#include "conf.h"
#include "privs.h"

#include <sys/types.h>

#define BANNER_BYTES 16384 /* a new connection takes them without waiting */

/* In the master: that the file is there, and that workers can read it.  -1 with *err. */
int banner_check(const struct conf_pool *conf, const struct identity *id, char **err);

/* In a worker.  The length, or -1 with errno: EFBIG, if it is longer. */
ssize_t banner_read(const char *path, char text[BANNER_BYTES]);

#endif
