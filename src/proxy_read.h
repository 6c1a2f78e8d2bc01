/*
 * Takes the PROXY header off a connection, and not one byte of what follows.
 */
#ifndef PREFORKD_PROXY_READ_H
#define PREFORKD_PROXY_READ_H

#include "proxy_proto.h"

#include <stdint.h>

enum proxy_read {
	PROXY_READ_DONE,
	PROXY_READ_NONE, /* only if it is optional: nothing was taken */
	PROXY_READ_BAD,  /* with *why */
	PROXY_READ_GONE, /* the other side closed without a byte, as some health checks do */
};

/* Until the deadline (util_now_ms()), however it drips. */
enum proxy_read proxy_read(int fd, bool optional, int64_t deadline_ms, struct proxy_header *out,
			   const char **why);

#endif
