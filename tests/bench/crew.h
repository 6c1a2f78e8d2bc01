/*
 * A crew: processes that start together and share a piece of work, one call at a
 * time.  The clock runs from the moment that they are let go to the end of the last.
 * Every program that measures prints its result with crew_print(), so that it can be
 * read back in one way.
 */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What was done, and the time of the slowest call that succeeded. */
struct tally {
	unsigned done, failed;
	double slowest;
};

/* One call of the work by member number `who`; 0 when it succeeded. */
typedef int crew_work(unsigned who);

static inline double
crew_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void
crew_die(const char *what)
{
	perror(what);
	exit(2);
}

static inline unsigned
crew_number(const char *text, const char *what)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n == 0 || n > 1000000000) {
		fprintf(stderr, "%s: not a number from 1: %s\n", what, text);
		exit(2);
	}
	return (unsigned)n;
}

static inline void
crew_count(struct tally *t, int failed, double seconds)
{
	if (failed) {
		t->failed++;
		return;
	}
	t->done++;
	if (seconds > t->slowest)
		t->slowest = seconds;
}

static inline int
crew_print(const struct tally *t, double seconds)
{
	printf("done=%u failed=%u seconds=%.6f slowest=%.6f\n", t->done, t->failed, seconds,
	       t->slowest);
	return t->failed ? 1 : 0;
}

/* Member `who` does its share as soon as the write end of the gate is closed. */
static inline void
crew_member(unsigned who, unsigned share, crew_work *work, const int gate[2], struct tally *t)
{
	char nothing;

	close(gate[1]);
	if (read(gate[0], &nothing, 1) < 0)
		_exit(1);
	close(gate[0]);
	for (unsigned i = 0; i < share; i++) {
		double begin = crew_now();
		int failed = work(who);

		crew_count(t, failed, crew_now() - begin);
	}
	_exit(0);
}

/* Shares `total` calls among `members` processes; returns the seconds that it took. */
static inline double
crew_run(unsigned members, unsigned total, crew_work *work, struct tally *sum)
{
	struct tally *tallies = mmap(NULL, members * sizeof(*tallies), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int gate[2];
	double begin, seconds;

	if (tallies == MAP_FAILED || pipe(gate) < 0)
		crew_die("crew");
	for (unsigned i = 0; i < members; i++) {
		unsigned share = total / members + (i < total % members);
		pid_t pid = fork();

		if (pid < 0)
			crew_die("fork");
		if (pid == 0)
			crew_member(i, share, work, gate, &tallies[i]);
	}
	close(gate[0]);
	begin = crew_now();
	close(gate[1]);
	while (wait(NULL) > 0)
		;
	seconds = crew_now() - begin;
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < members; i++) {
		sum->done += tallies[i].done;
		sum->failed += tallies[i].failed;
		if (tallies[i].slowest > sum->slowest)
			sum->slowest = tallies[i].slowest;
	}
	munmap(tallies, members * sizeof(*tallies));
	return seconds;
}

#endif
