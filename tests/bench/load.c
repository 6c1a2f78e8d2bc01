/*
 * load - clients for a server on 127.0.0.1
 *
 * A client connects, sends one request, ends its side of the connection (unless -o),
 * and reads to the end of the answer.  An empty answer and an answer that is cut off
 * by an error are failures.
 *
 *   load [-o] [-r REQUEST] burst PORT CLIENTS        all at once, one connection each
 *   load [-o] [-r REQUEST] rate PORT CLIENTS TOTAL   one connection after the other
 */
#include "crew.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { ANSWER_SIZE = 65536, PATIENCE_SECONDS = 90, EVENTS = 64 };

static const char *request = "hello\n";
static bool stay_open; /* the client's side, until the answer has come */
static struct sockaddr_in server;

/*
 * Each member of a crew comes from an address of its own, 127.1.0.1 and up, so that
 * many short connections do not use up the ports of one address.
 */
static int
open_socket(unsigned who, int flags)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = PATIENCE_SECONDS };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	from.sin_addr.s_addr = htonl((INADDR_LOOPBACK + (1U << 16)) + who);
	if (fd < 0)
		crew_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		crew_die("bind");
	return fd;
}

static int
send_request(int fd)
{
	size_t len = strlen(request);

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -1;
	return stay_open ? 0 : shutdown(fd, SHUT_WR);
}

/* ---- rate: the work of one member of the crew ---- */

static int
one_connection(unsigned who)
{
	static char answer[ANSWER_SIZE];
	int fd = open_socket(who, 0);
	size_t got = 0;
	ssize_t n = -1;

	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0 && send_request(fd) == 0)
		while ((n = recv(fd, answer, sizeof(answer), 0)) > 0)
			got += (size_t)n;
	close(fd);
	return n < 0 || got == 0;
}

/* ---- burst: one process that watches all its clients ---- */

struct client {
	int fd;
	double begin;
	size_t got;
	bool asked; /* connected, and the request sent */
};

static void
burst_connect(struct client *c, int watch)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };

	c->begin = crew_now();
	if (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
		crew_die("connect");
	if (epoll_ctl(watch, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		crew_die("epoll_ctl");
}

/* Returns true when the client has nothing more to wait for. */
static bool
burst_step(struct client *c, int watch, struct tally *t)
{
	static char answer[ANSWER_SIZE];
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	ssize_t n = -1;

	if (!c->asked && send_request(c->fd) == 0) {
		c->asked = true;
		epoll_ctl(watch, EPOLL_CTL_MOD, c->fd, &ev);
		return false;
	}
	if (c->asked)
		while ((n = recv(c->fd, answer, sizeof(answer), 0)) > 0)
			c->got += (size_t)n;
	if (n < 0 && c->asked && errno == EAGAIN)
		return false;
	crew_count(t, n < 0 || c->got == 0, crew_now() - c->begin);
	close(c->fd);
	return true;
}

static double
burst(unsigned clients, struct tally *t)
{
	struct client *all = calloc(clients, sizeof(*all));
	struct epoll_event events[EVENTS];
	int watch = epoll_create1(EPOLL_CLOEXEC);
	double begin, seconds;

	if (all == NULL || watch < 0)
		crew_die("burst");
	for (unsigned i = 0; i < clients; i++)
		all[i].fd = open_socket(0, SOCK_NONBLOCK);
	begin = crew_now();
	for (unsigned i = 0; i < clients; i++)
		burst_connect(&all[i], watch);
	for (unsigned left = clients; left > 0;) {
		int n = epoll_wait(watch, events, EVENTS, PATIENCE_SECONDS * 1000);

		if (n == 0) {
			t->failed += left;
			break;
		}
		for (int i = 0; i < n; i++)
			left -= burst_step(events[i].data.ptr, watch, t);
	}
	seconds = crew_now() - begin;
	close(watch);
	free(all);
	return seconds;
}

static _Noreturn void
usage(void)
{
	fputs("usage: load [-o] [-r REQUEST] burst PORT CLIENTS\n"
	      "       load [-o] [-r REQUEST] rate PORT CLIENTS TOTAL\n",
	      stderr);
	exit(2);
}

int
main(int argc, char **argv)
{
	struct tally t = { 0 };
	unsigned clients;
	double seconds;
	bool rate;
	int opt;

	while ((opt = getopt(argc, argv, "or:")) != -1) {
		if (opt == 'o')
			stay_open = true;
		else if (opt == 'r')
			request = optarg;
		else
			usage();
	}
	argv += optind;
	argc -= optind;
	rate = argc == 4 && strcmp(argv[0], "rate") == 0;
	if (!rate && !(argc == 3 && strcmp(argv[0], "burst") == 0))
		usage();
	server.sin_family = AF_INET;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)crew_number(argv[1], "PORT"));
	clients = crew_number(argv[2], "CLIENTS");
	if (rate)
		seconds = crew_run(clients, crew_number(argv[3], "TOTAL"), one_connection, &t);
	else
		seconds = burst(clients, &t);
	return crew_print(&t, seconds);
}
