/*
 * A request body that is read whole before anything is done with it, since its length is
 * wanted: in memory as long as it is small, else in a file without a name.
 */
#ifndef PREFORKD_SERVICES_HTTP_SPOOL_H
#define PREFORKD_SERVICES_HTTP_SPOOL_H

#include "http_body.h"

#define HTTP_SPOOL_MEMORY 65536

struct http_spool {
	int64_t size;
	struct http_text memory; /* all of it, in static memory; at NULL: it is in fd */
	int fd;                  /* at its beginning; -1: there is none */
};

/*
 * 0; or a status: 400, 408, 413 for more than limit bytes, 500 with *err; -1: the client
 * has gone.  spool->fd is the caller's to close, whatever the result.
 */
int http_spool_read(struct http_spool *spool, struct http_body *body, const char *directory,
		    int64_t limit, char **err);

#endif
