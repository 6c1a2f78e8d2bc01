/*
 * Where functions and variables stand.  A worker that has just been woken up finds none of
 * its pages in the processor's table of them, and a page that it has written is its own from
 * then on: so what belongs together stands together.
 */
#ifndef PREFORKD_LAYOUT_H
#define PREFORKD_LAYOUT_H

/* Functions that each request or connection runs through (GCC manual, Function Attributes). */
#define HOT __attribute__((hot))

/* Small variables that every worker writes. */
#ifdef __SANITIZE_ADDRESS__
#define PER_WORKER /* gcc does not watch over named sections */
#else
#define PER_WORKER __attribute__((section(".worker")))
#endif

#endif
