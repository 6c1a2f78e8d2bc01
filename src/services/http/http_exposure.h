/*
 * Scripts are run and never shown: a directory of scripts that lies below a directory of
 * files must not be reached through that one.
 */
#ifndef PREFORKD_SERVICES_HTTP_EXPOSURE_H
#define PREFORKD_SERVICES_HTTP_EXPOSURE_H

#include "http_site.h"

/* In the master.  0, or -1 with *err as "FILE:LINE: text". */
int http_exposure_check(const struct http_sites *sites, const struct conf_pool *pool, char **err);

#endif
