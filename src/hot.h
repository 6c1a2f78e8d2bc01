/*
 * The mark of functions that each request or connection runs through.  The compiler puts
 * them side by side (GCC manual, Common Function Attributes), so that a worker that has
 * just been woken up finds its way in a few pages.
 */
#ifndef PREFORKD_HOT_H
#define PREFORKD_HOT_H

#define HOT __attribute__((hot))

#endif
