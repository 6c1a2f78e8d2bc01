#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Of a socket: it is in use, and may come back; or nobody waits for it any more. */
enum { TAKEN = -1, GONE = -2 };

/* Before the names of what we store ourselves: those of a socket unit may be like any pool's. */
#define STORED "preforkd-stored-"

#define STATUS_BYTES 400

static struct {
	int fd; /* to the manager; -1: there is none */
	char *path;
	bool stores;
	int64_t watchdog_ms;
	int *sockets; /* or TAKEN, or GONE */
	char **names;
	bool *stored; /* by an instance before us */
	size_t nsockets;
	int last_fd;
} self = { .fd = -1, .last_fd = NOTIFY_SOCKETS_START - 1 };

/* A number in the environment, or -1. */
static int64_t
env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long long n;

	if (!text || text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	n = strtoll(text, &end, 10);
	return *end == '\0' && errno == 0 ? n : -1;
}

/* For us, or for a process that passed its environment on to us? */
static int
is_ours(const char *pid_variable)
{
	int64_t pid = env_number(pid_variable);

	return pid == (int64_t)getpid() || (pid < 0 && !getenv(pid_variable));
}

static void
open_manager(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t len = path ? strlen(path) : 0;

	if (len < 2 || len >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	self.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	self.path = util_strdup(path);
	self.stores = env_number("FDSTORE") > 0;
	if (self.fd >= 0 &&
	    connect(self.fd, (struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		close(self.fd);
		self.fd = -1;
	}
}

/* The name of the i-th socket in a list with colons; the caller frees it. */
static char *
name_of(size_t i)
{
	const char *at = getenv("LISTEN_FDNAMES");

	for (; at && i > 0; i--) {
		at = strchr(at, ':');
		if (at)
			at++;
	}
	return at && *at && *at != ':' ? util_format("%.*s", (int)strcspn(at, ":"), at)
				       : util_strdup("unknown");
}

static void
take_name(size_t i)
{
	char *name = name_of(i);

	self.stored[i] = strncmp(name, STORED, strlen(STORED)) == 0;
	self.names[i] = util_strdup(self.stored[i] ? name + strlen(STORED) : name);
	free(name);
}

static void
take_sockets(void)
{
	int64_t n = env_number("LISTEN_FDS");

	if (n <= 0 || n > 1024 || env_number("LISTEN_PID") != (int64_t)getpid())
		return;
	self.nsockets = (size_t)n;
	self.sockets = util_calloc(self.nsockets, sizeof(int));
	self.names = util_calloc(self.nsockets + 1, sizeof(char *));
	self.stored = util_calloc(self.nsockets, sizeof(bool));
	for (size_t i = 0; i < self.nsockets; i++) {
		int fd = NOTIFY_SOCKETS_START + (int)i;
		bool open = fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; /* else it may become ours */

		take_name(i);
		self.sockets[i] = open ? fd : GONE;
		self.last_fd = open ? fd : self.last_fd;
	}
}

void
notify_init(void)
{
	int64_t watchdog_us = is_ours("WATCHDOG_PID") ? env_number("WATCHDOG_USEC") : -1;

	take_sockets();
	if (watchdog_us > 0)
		self.watchdog_ms = watchdog_us / 1000;
}

void
notify_connect(void)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
					     "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES",
					     "FDSTORE" };

	open_manager();
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]);
}

int
notify_last_fd(void)
{
	return self.last_fd;
}

void
notify_send(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len;

	if (self.fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > 0 && (size_t)len < sizeof(text))
		send(self.fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
notify_still_ready(const char *fmt, ...)
{
	char text[STATUS_BYTES + 1], clean[STATUS_BYTES + 1];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	util_escape(clean, sizeof(clean), text, strlen(text));
	notify_send("READY=1\nSTATUS=%s", clean);
}

bool
notify_can_store(void)
{
	return self.fd >= 0 && self.stores;
}

void
notify_store(const char *name, int fd)
{
	char text[160], space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	int len = snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=" STORED "%s", name);
	struct iovec iov = { .iov_base = text, .iov_len = (size_t)len };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = space,
				  .msg_controllen = sizeof(space) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (!notify_can_store() || strchr(name, ':') || (size_t)len >= sizeof(text))
		return;
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	sendmsg(self.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
notify_unstore(const char *name)
{
	if (notify_can_store())
		notify_send("FDSTOREREMOVE=1\nFDNAME=" STORED "%s", name);
}

static void
add_variable(char ***environment, char *assignment)
{
	util_list_add(environment, assignment);
	free(assignment);
}

void
notify_pass_on(char ***environment)
{
	if (self.fd < 0)
		return;
	add_variable(environment, util_format("NOTIFY_SOCKET=%s", self.path));
	if (self.stores)
		util_list_add(environment, "FDSTORE=1");
	if (self.watchdog_ms > 0)
		add_variable(environment,
			     util_format("WATCHDOG_USEC=%" PRId64, self.watchdog_ms * 1000));
}

void
notify_close(void)
{
	if (self.fd >= 0)
		close(self.fd);
	self.fd = -1;
}

void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_send("RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=Reloading",
		    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

int64_t
notify_watchdog_ms(void)
{
	return self.watchdog_ms;
}

int
notify_socket(size_t i, const char **name)
{
	for (size_t k = 0; k < self.nsockets; k++) {
		if (self.sockets[k] < 0 || i-- > 0)
			continue;
		*name = self.names[k];
		return self.sockets[k];
	}
	return -1;
}

void
notify_socket_taken(int fd)
{
	for (size_t k = 0; k < self.nsockets; k++)
		if (self.sockets[k] == fd)
			self.sockets[k] = TAKEN;
}

bool
notify_socket_is_taken(int fd)
{
	for (size_t k = 0; k < self.nsockets; k++)
		if (self.sockets[k] == fd)
			return false;
	return true;
}

bool
notify_socket_is_stored(int fd)
{
	size_t k = (size_t)(fd - NOTIFY_SOCKETS_START);

	return fd >= NOTIFY_SOCKETS_START && k < self.nsockets && self.stored[k];
}

void
notify_drop_stored(void)
{
	for (size_t k = 0; k < self.nsockets; k++) {
		if (self.sockets[k] < 0 || !self.stored[k])
			continue;
		notify_unstore(self.names[k]);
		close(self.sockets[k]);
		self.sockets[k] = GONE;
	}
}

bool
notify_socket_return(int fd)
{
	size_t k = (size_t)(fd - NOTIFY_SOCKETS_START);

	if (fd < NOTIFY_SOCKETS_START || k >= self.nsockets || self.sockets[k] != TAKEN)
		return false;
	self.sockets[k] = fd;
	return true;
}

void
notify_socket_keep(int fd)
{
	size_t k = (size_t)(fd - NOTIFY_SOCKETS_START);

	if (fd >= NOTIFY_SOCKETS_START && k < self.nsockets)
		self.sockets[k] = GONE;
}

void
notify_close_untaken(void)
{
	for (size_t k = 0; k < self.nsockets; k++) {
		if (self.sockets[k] < 0)
			continue;
		close(self.sockets[k]);
		self.sockets[k] = GONE;
	}
}
