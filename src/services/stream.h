/*
 * The loop that echo and rot13 share: everything that comes is sent back, changed byte
 * by byte or not, in constant memory, until the client half-closes.
 */
#ifndef PREFORKD_SERVICES_STREAM_H
#define PREFORKD_SERVICES_STREAM_H

#include "service.h"

/* table has 256 bytes, one for each value; NULL: bytes stay as they are. */
void stream_serve(struct conn *conn, const unsigned char *table, int64_t idle_timeout_ms);

#endif
