/*
 * limit - the least that a pre-forked server can do
 *
 * WORKERS processes block in accept() on one socket.  Without PROGRAM each echoes its
 * connection to the end; with PROGRAM each starts it with the connection as standard
 * input and output, and waits for it; with -a it answers whatever comes at once with the
 * bytes of a file that it read when it started.  Nobody watches over them, nothing is
 * counted or logged.  The port is printed when the last one is forked; the workers end
 * with the process that forked them.
 *
 *   limit [-a ANSWER [-c]] WORKERS [PROGRAM]
 *
 * -c: the connection ends after the first answer.
 */
#include "crew.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { BACKLOG = 511, BUFFER_SIZE = 65536 };

extern char **environ;

static char *program[2];
static char answer[BUFFER_SIZE];
static size_t answer_size; /* 0: none, it echoes */
static bool answer_once;

static int
listen_anywhere(unsigned *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, BACKLOG) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		crew_die("listen");
	*port = ntohs(a.sin_port);
	return fd;
}

static void
serve_echo(int fd)
{
	static char buffer[BUFFER_SIZE];
	ssize_t n;

	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		if (send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
			return;
}

static void
serve_answer(int fd)
{
	static char request[BUFFER_SIZE];
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (recv(fd, request, sizeof(request), 0) > 0)
		if (send(fd, answer, answer_size, MSG_NOSIGNAL) < 0 || answer_once)
			return;
}

static void
serve_program(int fd)
{
	posix_spawn_file_actions_t onto;
	pid_t pid;

	posix_spawn_file_actions_init(&onto);
	posix_spawn_file_actions_adddup2(&onto, fd, 0);
	posix_spawn_file_actions_adddup2(&onto, fd, 1);
	if (posix_spawn(&pid, program[0], &onto, NULL, program, environ) == 0)
		waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&onto);
}

static _Noreturn void
work(int sock)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		if (program[0])
			serve_program(fd);
		else if (answer_size > 0)
			serve_answer(fd);
		else
			serve_echo(fd);
		close(fd);
	}
}

static void
read_answer(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file)
		answer_size = fread(answer, 1, sizeof(answer), file);
	if (answer_size == 0)
		crew_die(path);
	fclose(file);
}

static _Noreturn void
usage(void)
{
	fputs("usage: limit [-a ANSWER [-c]] WORKERS [PROGRAM]\n", stderr);
	exit(2);
}

int
main(int argc, char **argv)
{
	unsigned port, workers;
	int sock, opt;

	while ((opt = getopt(argc, argv, "a:c")) != -1) {
		if (opt == 'a')
			read_answer(optarg);
		else if (opt == 'c')
			answer_once = true;
		else
			usage();
	}
	argv += optind;
	argc -= optind;
	if (argc < 1 || argc > 2)
		usage();
	workers = crew_number(argv[0], "WORKERS");
	program[0] = argv[1];
	sock = listen_anywhere(&port);
	for (unsigned i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			crew_die("fork");
		if (pid == 0)
			work(sock);
	}
	printf("%u\n", port);
	fflush(stdout);
	pause();
	return 0;
}
