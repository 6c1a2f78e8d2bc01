/*
 * spawn - how fast this machine starts programs
 *
 * A crew starts PROGRAM again and again, standard input and output on /dev/null, and
 * waits for its end each time.  No server that runs a program per connection can be
 * faster than this; with MEMBERS = TOTAL it is a burst, each member starting one.
 *
 *   spawn MEMBERS TOTAL PROGRAM [ARGUMENT...]
 */
#include "crew.h"

#include <fcntl.h>
#include <spawn.h>

extern char **environ;

static char **program;
static posix_spawn_file_actions_t redirect;

static int
one_program(unsigned who)
{
	int status;
	pid_t pid;

	(void)who;
	if (posix_spawn(&pid, program[0], &redirect, NULL, program, environ) != 0)
		return -1;
	return waitpid(pid, &status, 0) != pid || status != 0;
}

int
main(int argc, char **argv)
{
	struct tally t;
	double seconds;

	if (argc < 4) {
		fputs("usage: spawn MEMBERS TOTAL PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	program = argv + 3;
	posix_spawn_file_actions_init(&redirect);
	posix_spawn_file_actions_addopen(&redirect, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&redirect, 1, "/dev/null", O_WRONLY, 0);
	seconds = crew_run(crew_number(argv[1], "MEMBERS"), crew_number(argv[2], "TOTAL"),
			   one_program, &t);
	return crew_print(&t, seconds);
}
