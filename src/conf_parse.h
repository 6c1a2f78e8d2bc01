/*
 * Files to struct conf, by libconfuse, which nothing else includes.
 */
#ifndef PREFORKD_CONF_PARSE_H
#define PREFORKD_CONF_PARSE_H

#include "conf.h"

/*
 * Reads the file and what its include_dir names, and checks all that can be checked
 * without the machine.  The caller owns the result.  NULL with *err as
 * "FILE:LINE: what is wrong, and what would be right".
 */
struct conf *conf_parse(const char *file, char **err);

#endif
