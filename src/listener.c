#include "listener.h"

#include "netdiag.h"
#include "notify.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define DEFER_ACCEPT_SECONDS 30

static const char *
path_of(const struct address *a)
{
	return ((const struct sockaddr_un *)&a->sa)->sun_path;
}

static int
new_socket(struct address *a, const struct listener_options *options)
{
	int off = options->ipv6only, on = 1;
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || a->sa.ss_family == AF_UNIX)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return fd;
}

/* A bare port where the kernel has no IPv6. */
static void
fall_back_to_ipv4(struct address *a)
{
	in_port_t port = ((struct sockaddr_in6 *)&a->sa)->sin6_port;
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = port };

	memset(&a->sa, 0, sizeof(a->sa));
	memcpy(&a->sa, &sin, sizeof(sin));
	a->len = sizeof(sin);
}

/*
 * Does anybody have this Unix socket?  If the kernel's table does not say so, only a
 * refused connection says that nobody has; then the kernel tells who called listen(2).
 */
static bool
unix_is_live(const struct address *a, pid_t *owner)
{
	bool connected, live;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd;

	if (a->path && netdiag_unix_listens(path_of(a), owner))
		return true;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	connected = connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0;
	live = connected || (errno != ECONNREFUSED && errno != ENOENT);

	if (connected && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		*owner = peer.pid;
	close(fd);
	return live;
}

/* What stands in the way of a Unix socket: 0 nothing, 1 a stale socket, -1 with *err. */
static int
look_at_path(const struct address *a, pid_t *owner, char **err)
{
	const char *path = path_of(a);
	struct stat st;

	if (lstat(path, &st) < 0) {
		if (errno == ENOENT)
			return 0;
		return util_fail(err, "%s: %s", path, strerror(errno));
	}
	if (!S_ISSOCK(st.st_mode))
		return util_fail(err,
				 "%s exists and is not a socket: remove it, or choose another "
				 "path",
				 path);
	if (!unix_is_live(a, owner))
		return 1;
	if (*owner == 0)
		return util_fail(err, "%s is in use by another process", path);
	return util_fail(err, "%s is in use by pid %d, which accepts connections there", path,
			 (int)*owner);
}

static int
fail_address(const struct address *a, const char *what, pid_t *owner, char **err)
{
	int saved = errno;
	char name[ADDRESS_TEXT_BYTES], who[NETDIAG_NAME_BYTES];

	address_format((const struct sockaddr *)&a->sa, a->len, name);
	if (saved == EADDRINUSE) {
		if (a->sa.ss_family == AF_UNIX)
			unix_is_live(a, owner);
		else
			*owner = netdiag_owner(&a->sa);
		if (*owner == getpid())
			return util_fail(err,
					 "%s overlaps another address that this daemon has: give "
					 "that up by a reload before, or restart",
					 name);
		netdiag_process_name(*owner, who);
		return util_fail(err, "%s is in use%s%s", name, who[0] ? " by " : "", who);
	}
	if (saved == EACCES && a->sa.ss_family != AF_UNIX)
		return util_fail(err, "%s: permission denied: ports below 1024 need root", name);
	return util_fail(err, "cannot %s %s: %s", what, name, strerror(saved));
}

/* A new socket file has its mode from the first moment on; listen() comes after its owner. */
static int
bind_path(int fd, const struct address *a, const struct listener_options *options, pid_t *owner,
	  char **err)
{
	mode_t old = umask(~options->mode & 0777);
	int result = bind(fd, (const struct sockaddr *)&a->sa, a->len);
	int saved = errno;

	umask(old);
	errno = saved;
	if (result < 0)
		return fail_address(a, "bind", owner, err);
	if ((options->owner != (uid_t)-1 || options->group != (gid_t)-1) &&
	    lchown(path_of(a), options->owner, options->group) < 0) {
		fail_address(a, "set the owner of", owner, err);
		unlink(path_of(a));
		return -1;
	}
	return 0;
}

static int
bind_address(int fd, const struct address *a, pid_t *owner, char **err)
{
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
		return fail_address(a, "bind", owner, err);
	return 0;
}

static int
bind_socket(struct address *a, const struct listener_options *options, pid_t *owner, char **err)
{
	int fd, stale = 0;

	if (a->path && (stale = look_at_path(a, owner, err)) < 0)
		return -1;
	fd = new_socket(a, options);
	if (fd < 0 && errno == EAFNOSUPPORT && a->any) {
		fall_back_to_ipv4(a);
		fd = new_socket(a, options);
	}
	if (fd < 0) {
		fail_address(a, "make a socket for", owner, err);
		return -1;
	}
	if (stale > 0)
		unlink(path_of(a));
	if ((a->path ? bind_path(fd, a, options, owner, err) : bind_address(fd, a, owner, err)) <
	    0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
warn_if_cut(const struct listener *l)
{
	char text[32] = "";
	int fd = open("/proc/sys/net/core/somaxconn", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n > 0 && atoi(text) < l->options.backlog)
		log_warn("%s: listen_backlog %d is cut to %d by the kernel: raise "
			 "net.core.somaxconn with sysctl(8)",
			 l->name, l->options.backlog, atoi(text));
}

static void
set_defer_accept(const struct listener *l)
{
	int seconds = l->options.defer_accept ? DEFER_ACCEPT_SECONDS : 0;

	if (l->address.sa.ss_family != AF_UNIX &&
	    setsockopt(l->fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) < 0)
		log_warn("%s: defer_accept has no effect: %s", l->name, strerror(errno));
}

static void
take_name(struct listener *l)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	getsockname(l->fd, (struct sockaddr *)&sa, &len);
	address_format((struct sockaddr *)&sa, len, l->name);
}

struct listener *
listener_adopt(int fd, const struct address *address, const struct listener_options *options,
	       char **err)
{
	int type = 0, listens = 0;
	socklen_t len = sizeof(type);
	struct listener *l;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
	if (type != SOCK_STREAM || !listens) {
		util_fail(err,
			  "descriptor %d from the service manager is no stream socket that "
			  "listens",
			  fd);
		return NULL;
	}
	l = util_calloc(1, sizeof(*l));
	l->address = *address;
	l->options = *options;
	l->users = 1;
	l->fd = fd;
	l->inherited = true;
	take_name(l);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); /* workers block in accept(2) */
	set_defer_accept(l);
	return l;
}

static void
note_file(struct listener *l)
{
	struct stat st;

	if (l->address.path && lstat(path_of(&l->address), &st) == 0) {
		l->dev = st.st_dev;
		l->ino = st.st_ino;
	}
}

struct listener *
listener_open(const struct address *address, const struct listener_options *options, char **err)
{
	struct listener *l = util_calloc(1, sizeof(*l));
	struct address bound = *address;
	pid_t owner = 0;

	l->address = *address;
	l->options = *options;
	l->users = 1;
	l->fd = bind_socket(&bound, options, &owner, err);
	if (l->fd < 0)
		goto fail;
	note_file(l);
	take_name(l);
	set_defer_accept(l);
	if (listen(l->fd, options->backlog) < 0) {
		fail_address(&bound, "listen on", &owner, err);
		goto fail;
	}
	warn_if_cut(l);
	return l;
fail:
	if (l->fd >= 0)
		listener_release(l);
	else
		free(l);
	return NULL;
}

int
listener_check(const struct address *address, const struct listener_options *options, pid_t *owner,
	       char **err)
{
	struct address bound = *address;
	int fd;

	*owner = 0;
	if (address->path) {
		char *dir, *slash;
		int stale = look_at_path(address, owner, err);

		if (stale < 0)
			return -1;
		dir = util_strdup(path_of(address));
		slash = strrchr(dir, '/');
		slash[slash == dir] = '\0';
		if (access(dir, W_OK | X_OK) < 0)
			util_fail(err, "cannot make a socket in %s: %s", dir, strerror(errno));
		free(dir);
		return *err ? -1 : 0;
	}
	fd = bind_socket(&bound, options, owner, err);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

void
listener_use(struct listener *l)
{
	l->users++;
}

static void
remove_file(const struct listener *l)
{
	struct stat st;

	if (l->address.path && l->ino != 0 && lstat(path_of(&l->address), &st) == 0 &&
	    st.st_dev == l->dev && st.st_ino == l->ino)
		unlink(path_of(&l->address));
}

void
listener_release(struct listener *l)
{
	if (!l || --l->users > 0)
		return;
	if (!l->stored)
		remove_file(l);
	if (!l->inherited || !notify_socket_return(l->fd))
		close(l->fd);
	free(l);
}

/* By descriptor, so that nobody can put a link in the path's place. */
static void
change_file(const struct listener *l)
{
	const struct listener_options *o = &l->options;
	int fd = open(path_of(&l->address), O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char proc[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_ino != l->ino || st.st_dev != l->dev) {
		log_warn("%s: the socket's file is gone or another one: mode and owner not changed",
			 l->name);
	} else {
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		/* Without the option it is ours again, as at a start. */
		if (chmod(proc, o->mode) < 0 ||
		    chown(proc, o->owner == (uid_t)-1 ? geteuid() : o->owner,
			  o->group == (gid_t)-1 ? getegid() : o->group) < 0)
			log_warn("%s: cannot change mode and owner: %s", l->name, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
}

void
listener_change(struct listener *l, const struct listener_options *options)
{
	struct listener_options old = l->options;

	l->options = *options;
	if (old.backlog != options->backlog) {
		listen(l->fd, options->backlog);
		warn_if_cut(l);
	}
	if (old.defer_accept != options->defer_accept)
		set_defer_accept(l);
	if (l->address.path && (old.mode != options->mode || old.owner != options->owner ||
				old.group != options->group))
		change_file(l);
}

void
listener_own(struct listener *l)
{
	l->inherited = l->promised = false;
	notify_socket_keep(l->fd);
	note_file(l);
	listen(l->fd, l->options.backlog);
	if (l->ino != 0)
		change_file(l);
}

void
listener_give_away(struct listener *l)
{
	l->inherited = true;
	l->ino = 0;
}

/*
 * What arrives from now on is a SYN that is dropped: its client tries again after a
 * second and finds either nobody or the next server.  Without this, a connection made
 * between a worker's last accept() and close() would be reset.  Handshakes that have
 * begun may end.
 */
static void
drop_new_connections(const struct listener *l)
{
	enum { FLAGS_OFFSET = 13, SYN = 0x02, ACK = 0x10 };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_OFFSET),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN | ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	if (setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		log_info("%s: cannot hold back new connections (%s): one that comes in the last "
			 "moment may be reset",
			 l->name, strerror(errno));
}

void
listener_finish(struct listener *l)
{
	int flags = fcntl(l->fd, F_GETFL);

	if (l->finishing)
		return;
	l->finishing = true;
	/* What comes to a stored one from now on is the next instance's. */
	if (!l->stored && l->address.sa.ss_family == AF_UNIX) {
		remove_file(l);
		shutdown(l->fd, SHUT_RD); /* refuses connect(2), keeps the queue */
	} else if (!l->stored) {
		drop_new_connections(l);
	}
	fcntl(l->fd, F_SETFL, flags | O_NONBLOCK);
}
