#include "hostname.h"

#include "child.h"
#include "util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* "192.0.2.1", "192.0.513", "0xc0000201", and "192.0.2.256": no domain at the top is a number. */
static bool
looks_like_address(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
	struct in_addr address;

	return last[strspn(last, "0123456789")] == '\0' || inet_aton(name, &address);
}

bool
hostname_is_harmless(const char *name)
{
	char before = '.';

	for (const char *p = name; *p; before = *p++) {
		if (before == '.' && (*p == '.' || *p == '-'))
			return false;
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && !strchr("-_.", *p)))
			return false;
	}
	return before != '.' && strlen(name) < HOSTNAME_BYTES && !looks_like_address(name);
}

/* ---- in the process that asks ---- */

static bool
has_address(const char *name, const char *wanted)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	bool found = false;

	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *at = list; at && !found; at = at->ai_next) {
		char address[NI_MAXHOST];

		found = getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof(address), NULL, 0,
				    NI_NUMERICHOST) == 0 &&
			strcmp(address, wanted) == 0;
	}
	freeaddrinfo(list);
	return found;
}

/* No name is an end without a byte. */
static void
ask(int fd, const char *address, bool twice)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *at;
	char name[NI_MAXHOST];

	if (getaddrinfo(address, NULL, &hints, &at) == 0 &&
	    getnameinfo(at->ai_addr, at->ai_addrlen, name, sizeof(name), NULL, 0, NI_NAMEREQD) ==
		0 &&
	    hostname_is_harmless(name) && (!twice || has_address(name, address)) &&
	    write(fd, name, strlen(name)) < 0)
		return;
}

static _Noreturn void
be_the_one_who_asks(int fd, pid_t parent, const char *address, bool twice)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
	    child_keep(&fd, 1, STDERR_FILENO + 1) == 0)
		ask(fd, address, twice);
	_exit(0);
}

/* ---- and in the one that waits ---- */

/* Up to the end; -1 with errno. */
static int
read_answer(int fd, int64_t timeout_ms, char name[HOSTNAME_BYTES])
{
	int64_t now = util_now_ms(), until = now + timeout_ms;
	size_t len = 0;

	while (len < HOSTNAME_BYTES) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&pfd, 1, (int)util_max(until - now, 0)) > 0) {
			n = read(fd, name + len, HOSTNAME_BYTES - len);
			if (n <= 0) {
				name[len] = '\0';
				return 0;
			}
			len += (size_t)n;
		}
		now = util_now_ms();
		if (now >= until) {
			errno = ETIME;
			return -1;
		}
	}
	errno = EMSGSIZE;
	return -1;
}

/*
 * As long as SIGCHLD is blocked, nobody waits for the child: what is killed is the child, or
 * its zombie.  Then the handler does, so its end is not waited for here.
 */
static int
find_in_child(int fds[2], const char *address, bool twice, int64_t timeout_ms,
	      char name[HOSTNAME_BYTES])
{
	sigset_t sigchld, mask, unused;
	pid_t parent = getpid(), pid;
	int error = 0;

	sigemptyset(&sigchld);
	sigaddset(&sigchld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &sigchld, &mask);
	pid = child_fork(&unused);
	if (pid == 0)
		be_the_one_who_asks(fds[1], parent, address, twice);
	if (pid < 0)
		error = errno;
	close(fds[1]);
	if (pid > 0) {
		if (read_answer(fds[0], timeout_ms, name) < 0)
			error = errno;
		kill(pid, SIGKILL);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	errno = error;
	return error ? -1 : 0;
}

int
hostname_find(const char *address, bool twice, int64_t timeout_ms, char name[HOSTNAME_BYTES])
{
	int fds[2], result, error;

	name[0] = '\0';
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	result = find_in_child(fds, address, twice, timeout_ms, name);
	error = errno;
	close(fds[0]);
	if (result < 0)
		name[0] = '\0';
	errno = error;
	return result;
}
