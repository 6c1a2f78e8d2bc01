/*
 * count - what the figures of a request cost
 *
 * Counts as a worker does for each connection with one request, on the slots of so many
 * workers in turn: a connection, a request, bytes in and out, and how long it took.
 *
 *   count WORKERS REQUESTS
 */
#include "../../src/figures.c"

#include <stdio.h>
#include <stdlib.h>

static void
one_request(struct figures_slot *slot)
{
	int64_t began;

	figures_count(slot, FIGURE_ACCEPTED, 1);
	figures_count(slot, FIGURE_REQUESTS, 1);
	began = figures_now_us();
	figures_count(slot, FIGURE_BYTES_IN, 100);
	figures_count(slot, FIGURE_BYTES_OUT, 1000);
	figures_count_duration(slot, figures_now_us() - began);
}

/* Of this process, whoever else wants the processor. */
static double
processor_seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	size_t workers = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long requests = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	struct figures_slot *slots;
	double began;

	if (workers == 0 || requests == 0) {
		fputs("usage: count WORKERS REQUESTS\n", stderr);
		return 2;
	}
	slots = figures_slots_new(workers);
	if (!slots) {
		perror("count");
		return 1;
	}
	began = processor_seconds();
	for (unsigned long i = 0; i < requests; i++)
		one_request(&slots[i % workers]);
	printf("done=%lu failed=0 seconds=%.6f\n", requests, processor_seconds() - began);
	return 0;
}
