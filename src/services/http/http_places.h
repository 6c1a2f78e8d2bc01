/*
 * At most so many at once, over all workers of a pool: a place is a lock on a byte of a
 * file that they share (fcntl(2): F_SETLK), so the kernel gives it back if its owner dies.
 */
#ifndef PREFORKD_SERVICES_HTTP_PLACES_H
#define PREFORKD_SERVICES_HTTP_PLACES_H

#include <stdint.h>

/* One of the places of that kind; -1: none is free. */
int64_t http_places_take(int fd, uint32_t kind, int64_t limit);
void http_places_give(int fd, uint32_t kind, int64_t place);

#endif
