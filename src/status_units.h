/*
 * Figures as people read them.  Everything returned is owned by the caller.  What the
 * page computes in its script must read the same: src/page/status.js.
 */
#ifndef PREFORKD_STATUS_UNITS_H
#define PREFORKD_STATUS_UNITS_H

#include <stdint.h>

/* 48,213; what is below 0 is not known: "-". */
char *status_units_count(int64_t n);

/* 512 B, 3.2 kB, 45 MB: powers of 1000, two digits at least. */
char *status_units_bytes(int64_t n);

/* 0.3 ms, 45 ms, 1.2 s, 42 s, 5m03s. */
char *status_units_duration(int64_t us);

/* So many in ten units of time, as a rate: 41.2, 412. */
char *status_units_tenths(int64_t n);

#endif
