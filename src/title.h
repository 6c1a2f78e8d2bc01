/*
 * The process title in ps(1).
 */
#ifndef PREFORKD_TITLE_H
#define PREFORKD_TITLE_H

/*
 * Once, first thing in main(): the memory of the arguments and the environment becomes
 * the title's, and the environment moves to the heap.  argv stays readable until the
 * first title_set().
 */
void title_init(int argc, char **argv);

/*
 * Cut if it is longer than arguments and environment were.  It only copies: a worker
 * that formatted its title would touch pages that it shares with the master.
 */
void title_set(const char *title);

#endif
