#include "netdiag.h"

#include "sockdiag.h"
#include "util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
tcp_queue(int fd, int *limit)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	*limit = (int)info.tcpi_sacked;
	return (int)info.tcpi_unacked;
}

/*
 * What is sent for the second time does not count, as long as nobody acknowledges it: else a
 * client that has vanished would look busy.
 */
int64_t
netdiag_idle_ms(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -1;
	return util_min(info.tcpi_last_data_recv, info.tcpi_retransmits > 0
						      ? info.tcpi_last_ack_recv
						      : info.tcpi_last_data_sent);
}

/* The UNIX_DIAG_RQLEN attribute of one answer: for a listener, its queue. */
static int
queue_of_answer(const struct nlmsghdr *header, size_t len, int *limit)
{
	const struct unix_diag_msg *msg = (const void *)((const char *)header + NLMSG_HDRLEN);
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*msg));

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || header->nlmsg_len > len)
		return -1;
	while (at + sizeof(struct nlattr) <= header->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)header + at);
		const struct unix_diag_rqlen *rqlen =
		    (const void *)((const char *)attr + NLA_HDRLEN);

		if (attr->nla_type == UNIX_DIAG_RQLEN &&
		    attr->nla_len >= NLA_HDRLEN + sizeof(*rqlen)) {
			*limit = (int)rqlen->udiag_wqueue;
			return (int)rqlen->udiag_rqueue;
		}
		if (attr->nla_len < NLA_HDRLEN)
			return -1;
		at += NLA_ALIGN(attr->nla_len);
	}
	return -1;
}

static int
unix_queue(int fd, int *limit)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req req;
	} ask;
	_Alignas(struct nlmsghdr) char answer[1024];
	struct stat st;
	ssize_t n = -1;
	int netlink;

	if (fstat(fd, &st) < 0)
		return -1;
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (netlink < 0)
		return -1;
	memset(&ask, 0, sizeof(ask));
	ask.header.nlmsg_len = sizeof(ask);
	ask.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	ask.header.nlmsg_flags = NLM_F_REQUEST;
	ask.req.sdiag_family = AF_UNIX;
	ask.req.udiag_ino = (uint32_t)st.st_ino;
	ask.req.udiag_states = ~0U;
	ask.req.udiag_show = UDIAG_SHOW_RQLEN;
	memset(ask.req.udiag_cookie, 0xff, sizeof(ask.req.udiag_cookie));
	/* The kernel answers within sendto(): recv() never has to wait. */
	if (send(netlink, &ask, sizeof(ask), 0) == (ssize_t)sizeof(ask))
		n = recv(netlink, answer, sizeof(answer), 0);
	close(netlink);
	if (n < (ssize_t)sizeof(struct nlmsghdr))
		return -1;
	return queue_of_answer((struct nlmsghdr *)answer, (size_t)n, limit);
}

int
netdiag_queue(int listen_fd, int *limit)
{
	int family = 0;
	socklen_t len = sizeof(family);

	if (getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return -1;
	return family == AF_UNIX ? unix_queue(listen_fd, limit) : tcp_queue(listen_fd, limit);
}

static in_port_t
port_of(const struct sockaddr_storage *sa)
{
	if (sa->ss_family == AF_INET6)
		return ((const struct sockaddr_in6 *)sa)->sin6_port;
	return ((const struct sockaddr_in *)sa)->sin_port;
}

/*
 * Counts the sockets of /proc/net/tcp and tcp6 that have this local port and are in the
 * state; *inode is that of the last one.
 */
static int
count_sockets(in_port_t port, unsigned state, unsigned long *inode)
{
	static const char *const tables[] = { "/proc/net/tcp", "/proc/net/tcp6" };
	int n = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		FILE *in = fopen(tables[i], "re");
		unsigned its_port, its_state;
		unsigned long its_inode;
		char line[512];

		while (in && fgets(line, sizeof(line), in)) {
			if (sscanf(
				line,
				" %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d "
				"%lu",
				&its_port, &its_state, &its_inode) != 3 ||
			    its_port != ntohs(port) || its_state != state)
				continue;
			n++;
			*inode = its_inode;
		}
		if (in)
			fclose(in);
	}
	return n;
}

struct handshakes {
	in_port_t port;
	int n;
};

static void
count_handshake(const struct nlmsghdr *answer, void *arg)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(answer);
	struct handshakes *h = arg;

	h->n += answer->nlmsg_len >= NLMSG_LENGTH(sizeof(*msg)) && msg->id.idiag_sport == h->port;
}

/* The kernel looks through its table, and tells of those only: no other one is copied. */
static int
count_handshakes(int family, in_port_t port)
{
	struct handshakes h = { .port = port };

	sockdiag_dump_tcp(family, 1U << TCP_SYN_RECV, port, count_handshake, &h);
	return h.n;
}

int
netdiag_handshakes(int listen_fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(listen_fd, (struct sockaddr *)&sa, &len) < 0 || sa.ss_family == AF_UNIX)
		return 0;
	return count_handshakes(AF_INET, port_of(&sa)) +
	       (sa.ss_family == AF_INET6 ? count_handshakes(AF_INET6, port_of(&sa)) : 0);
}

static int
has_socket(const char *pid, const char *wanted)
{
	char path[300], link[64];
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);

		if (n > 0) {
			link[n] = '\0';
			found = strcmp(link, wanted) == 0;
		}
	}
	if (dir)
		closedir(dir);
	return found;
}

static pid_t
owner_of_inode(unsigned long inode)
{
	struct dirent *entry;
	char wanted[64];
	pid_t pid = 0;
	DIR *dir;

	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	dir = opendir("/proc");
	while (dir && pid == 0 && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, wanted))
			pid = (pid_t)atoi(entry->d_name);
	if (dir)
		closedir(dir);
	return pid;
}

pid_t
netdiag_owner(const struct sockaddr_storage *sa)
{
	unsigned long inode = 0;

	if (count_sockets(port_of(sa), TCP_LISTEN, &inode) == 0)
		return 0;
	return owner_of_inode(inode);
}

bool
netdiag_unix_listens(const char *path, pid_t *owner)
{
	enum { ACCEPTS_CONNECTIONS = 0x10000 };
	FILE *in = fopen("/proc/net/unix", "re");
	bool found = false;
	char line[512];

	while (in && !found && fgets(line, sizeof(line), in)) {
		unsigned flags;
		unsigned long inode;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags, &inode, &at) != 2 ||
		    at == 0 || !(flags & ACCEPTS_CONNECTIONS) || strcmp(line + at, path) != 0)
			continue;
		found = true;
		*owner = owner_of_inode(inode);
	}
	if (in)
		fclose(in);
	return found;
}

void
netdiag_process_name(pid_t pid, char text[NETDIAG_NAME_BYTES])
{
	char path[64], name[32] = "";
	FILE *in;

	text[0] = '\0';
	if (pid == 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	in = fopen(path, "re");
	if (in && fgets(name, sizeof(name), in))
		name[strcspn(name, "\n")] = '\0';
	if (in)
		fclose(in);
	snprintf(text, NETDIAG_NAME_BYTES, "%s (pid %d)", name, (int)pid);
}
