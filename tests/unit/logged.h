/*
 * The log of a test goes to memory, so that the lines can be looked at.
 */
#ifndef PREFORKD_TESTS_LOGGED_H
#define PREFORKD_TESTS_LOGGED_H

#include "log.h"

/* From now on, at this level; forgets what there was. */
void logged_begin(int level);

/* How many lines since then contain the text. */
unsigned logged_lines(const char *text);

/* No more log at all, as before the first logged_begin(). */
void logged_end(void);

#endif
