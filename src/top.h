/*
 * `preforkctl top`: the status again and again, on a screen, or where there is none as a
 * plain table after the other.
 */
#ifndef PREFORKD_TOP_H
#define PREFORKD_TOP_H

#include <stdint.h>

/* Until the user has enough, or a signal says so.  The exit status of preforkctl. */
int top_run(const char *socket, int64_t delay_ms);

#endif
