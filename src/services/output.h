/*
 * What a program says on its stdout or stderr: a pipe whose lines go to the log.  The pipe
 * outlives the programs of a worker, so it costs no system call for each.
 *
 * A program that says more than the log can bear is not held up by it: beyond
 * OUTPUT_LINES_A_SECOND its lines are only counted.
 */
#ifndef PREFORKD_SERVICES_OUTPUT_H
#define PREFORKD_SERVICES_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#define OUTPUT_LINE_BYTES     1024 /* a longer line becomes several */
#define OUTPUT_LINES_A_SECOND 1000

struct output {
	int read_fd, write_fd; /* of the pipe; -1: it is not open */
	char line[OUTPUT_LINE_BYTES];
	size_t len;
	uint64_t bytes; /* that were ever read */
	int64_t second; /* util_now_coarse_ms() at the begin of the one that is counted */
	unsigned lines, dropped;
};

/* Whose lines these are. */
struct output_from {
	const char *pool, *who;
	int pid;
};

/* Also again, when somebody may hold the old pipe: the numbers stay.  -1 with errno. */
int output_open(struct output *o);

/* Before a program gets the pipe: it does not block for one that has made it so (O_NONBLOCK). */
void output_renew(struct output *o);

/* Logs the whole lines that are there; a flood is left for the next time. */
void output_read(struct output *o, const struct output_from *from);

/* The same with the rest of a line, and what was left out: at the end of the program. */
void output_end(struct output *o, const struct output_from *from);

#endif
