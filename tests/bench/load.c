/*
 * load - clients for a server on 127.0.0.1
 *
 * A client connects, sends one request, with -b so many bytes behind it, ends its side of
 * the connection (unless -o), and reads to the end of the answer.  An empty answer, one that
 * is cut off by an error, and one that does not end with EXPECTED are failures.
 *
 *   load [OPTIONS] burst PORT CLIENTS        all at once, one connection each
 *   load [OPTIONS] rate PORT CLIENTS TOTAL   one connection after the other
 *   load [OPTIONS] stream PORT RATE SECONDS  so many a second, whatever becomes of them
 *
 * Options: -o, -r REQUEST, -e EXPECTED, and for rate -b BYTES.
 */
#include "crew.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { PIECE_SIZE = 65536, TAIL_SIZE = 48, EXPECTED_SIZE = 32, PATIENCE_SECONDS = 90, EVENTS = 64 };

#define LAST_CHUNK "\r\n0\r\n\r\n"

static const char *request = "hello\n", *expected = "";
static unsigned body;  /* bytes behind the request */
static bool stay_open; /* the client's side, until the answer has come */
static struct sockaddr_in server;

/* What is kept of one: its end. */
struct answer {
	size_t len;
	char tail[TAIL_SIZE];
};

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
	static const char piece[PIECE_SIZE];
	size_t len = strlen(request);

	if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -1;
	for (unsigned left = body; left > 0; left -= (unsigned)len) {
		len = left < sizeof(piece) ? left : sizeof(piece);
		if (send(fd, piece, len, MSG_NOSIGNAL) != (ssize_t)len)
			return -1;
	}
	return stay_open ? 0 : shutdown(fd, SHUT_WR);
}

/* As recv(2), without the bytes. */
static ssize_t
take_answer(int fd, struct answer *a)
{
	static char bytes[PIECE_SIZE];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
	size_t fresh = n > 0 ? (size_t)n : 0, take = fresh < TAIL_SIZE ? fresh : TAIL_SIZE;

	memmove(a->tail, a->tail + take, TAIL_SIZE - take);
	memcpy(a->tail + TAIL_SIZE - take, bytes + fresh - take, take);
	a->len += fresh;
	return n;
}

/* The answer ends with the text, and so many bytes behind it. */
static bool
ends_with(const struct answer *a, const char *text, size_t behind)
{
	size_t len = strlen(text), all = len + behind;

	return a->len >= all && memcmp(a->tail + TAIL_SIZE - all, text, len) == 0;
}

/* A chunked body has its last chunk behind it. */
static bool
is_whole(const struct answer *a)
{
	return a->len > 0 &&
	       (ends_with(a, expected, 0) ||
		(ends_with(a, LAST_CHUNK, 0) && ends_with(a, expected, sizeof(LAST_CHUNK) - 1)));
}

/* ---- rate: the work of one member of the crew ---- */

static int
one_connection(unsigned who)
{
	struct answer answer = { 0 };
	int fd = open_socket(who, 0);
	ssize_t n = -1;

	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) == 0 && send_request(fd) == 0)
		while ((n = take_answer(fd, &answer)) > 0)
			;
	close(fd);
	return n < 0 || !is_whole(&answer);
}

/* ---- burst, stream: one process that watches all its clients ---- */

struct client {
	int fd;
	double begin, seconds; /* seconds: until the end of a whole answer */
	struct answer answer;
	bool asked; /* connected, and the request sent */
};

/* A connection that is refused at once is a failure like one that is refused later. */
static void
client_connect(struct client *c, int watch)
{
	struct epoll_event ev = { .events = EPOLLOUT, .data.ptr = c };

	c->begin = crew_now();
	if (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 &&
	    errno != EINPROGRESS && errno != ECONNREFUSED)
		crew_die("connect");
	if (epoll_ctl(watch, EPOLL_CTL_ADD, c->fd, &ev) < 0)
		crew_die("epoll_ctl");
}

/* Returns true when the client has nothing more to wait for. */
static bool
client_step(struct client *c, int watch, struct tally *t)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	ssize_t n = -1;
	bool whole;

	if (!c->asked && send_request(c->fd) == 0) {
		c->asked = true;
		epoll_ctl(watch, EPOLL_CTL_MOD, c->fd, &ev);
		return false;
	}
	if (c->asked)
		while ((n = take_answer(c->fd, &c->answer)) > 0)
			;
	if (n < 0 && c->asked && errno == EAGAIN)
		return false;
	whole = n == 0 && is_whole(&c->answer);
	c->seconds = whole ? crew_now() - c->begin : 0;
	crew_count(t, !whole, c->seconds);
	close(c->fd);
	return true;
}

/* What happens within the time, or -1 when nothing does. */
static int
clients_wait(int watch, int milliseconds, struct tally *t)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(watch, events, EVENTS, milliseconds), ended = 0;

	for (int i = 0; i < n; i++)
		ended += client_step(events[i].data.ptr, watch, t);
	return n == 0 ? -1 : ended;
}

/* Those that are left, to the end of their answers or of the patience. */
static void
clients_finish(int watch, int left, struct tally *t)
{
	while (left > 0) {
		int ended = clients_wait(watch, PATIENCE_SECONDS * 1000, t);

		if (ended < 0) {
			t->failed += (unsigned)left;
			return;
		}
		left -= ended;
	}
}

static struct client *
clients_new(unsigned n, int *watch)
{
	struct client *all = calloc(n, sizeof(*all));

	*watch = epoll_create1(EPOLL_CLOEXEC);
	if (all == NULL || *watch < 0)
		crew_die("clients");
	return all;
}

static double
burst(unsigned clients, struct tally *t)
{
	int watch;
	struct client *all = clients_new(clients, &watch);
	double begin, seconds;

	for (unsigned i = 0; i < clients; i++)
		all[i].fd = open_socket(0, SOCK_NONBLOCK);
	begin = crew_now();
	for (unsigned i = 0; i < clients; i++)
		client_connect(&all[i], watch);
	clients_finish(watch, (int)clients, t);
	seconds = crew_now() - begin;
	close(watch);
	free(all);
	return seconds;
}

static int
by_seconds(const void *a, const void *b)
{
	const struct client *x = a, *y = b;

	return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Of the answers that came: the failures sort before them, as nothing. */
static double
median(struct client *all, const struct tally *t)
{
	qsort(all, t->done + t->failed, sizeof(*all), by_seconds);
	return t->done ? all[t->failed + t->done / 2].seconds : 0;
}

static double
stream(unsigned each_second, unsigned duration, struct tally *t)
{
	unsigned clients = each_second * duration;
	int watch, left = 0;
	struct client *all = clients_new(clients, &watch);
	double begin = crew_now(), seconds;

	for (unsigned i = 0; i < clients; i++) {
		double due = begin + (double)i / each_second, now;

		while ((now = crew_now()) < due) {
			int ended = clients_wait(watch, (int)((due - now) * 1000) + 1, t);

			left -= ended > 0 ? ended : 0;
		}
		all[i].fd = open_socket(0, SOCK_NONBLOCK);
		client_connect(&all[i], watch);
		left++;
	}
	clients_finish(watch, left, t);
	seconds = crew_now() - begin;
	printf("median=%.6f ", median(all, t));
	close(watch);
	free(all);
	return seconds;
}

static _Noreturn void
usage(void)
{
	fputs("usage: load [-o] [-r REQUEST] [-e EXPECTED] burst PORT CLIENTS\n"
	      "       load ... [-b BYTES] rate PORT CLIENTS TOTAL\n"
	      "       load ... stream PORT RATE SECONDS\n",
	      stderr);
	exit(2);
}

static void
read_options(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "ob:e:r:")) != -1) {
		if (opt == 'o')
			stay_open = true;
		else if (opt == 'b')
			body = crew_number(optarg, "BYTES");
		else if (opt == 'e' && strlen(optarg) <= EXPECTED_SIZE)
			expected = optarg;
		else if (opt == 'r')
			request = optarg;
		else
			usage();
	}
}

int
main(int argc, char **argv)
{
	struct tally t = { 0 };
	unsigned first, second;
	double seconds;
	bool is_burst;

	read_options(argc, argv);
	argv += optind;
	argc -= optind;
	is_burst = argc == 3 && strcmp(argv[0], "burst") == 0;
	if (!is_burst &&
	    !(argc == 4 && (strcmp(argv[0], "rate") == 0 || strcmp(argv[0], "stream") == 0)))
		usage();
	server.sin_family = AF_INET;
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.sin_port = htons((uint16_t)crew_number(argv[1], "PORT"));
	first = crew_number(argv[2], is_burst ? "CLIENTS" : "CLIENTS or RATE");
	second = is_burst ? 0 : crew_number(argv[3], "TOTAL or SECONDS");
	if (is_burst)
		seconds = burst(first, &t);
	else if (argv[0][0] == 'r')
		seconds = crew_run(first, second, one_connection, &t);
	else
		seconds = stream(first, second, &t);
	return crew_print(&t, seconds);
}
