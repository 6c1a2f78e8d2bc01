#include "accepted.h"

#include "sockdiag.h"
#include "util.h"

#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* While a list is made: whose connections, and the list. */
struct search {
	struct sockaddr_storage sa;
	socklen_t len;
	struct accepted *list;
};

/* Those that wait in the accept queue have no inode yet. */
static void
add(struct accepted *list, uint32_t inode)
{
	if (inode == 0)
		return;
	if ((list->n & (list->n - 1)) == 0)
		list->inodes =
		    util_realloc(list->inodes, list->n ? 2 * list->n : 1, sizeof(*list->inodes));
	list->inodes[list->n++] = inode;
}

static bool
is_local_address(const struct search *s, const struct inet_diag_sockid *id)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s->sa;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&s->sa;

	if (s->sa.ss_family == AF_INET6)
		return id->idiag_sport == in6->sin6_port &&
		       (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) ||
			memcmp(id->idiag_src, &in6->sin6_addr, sizeof(in6->sin6_addr)) == 0);
	return id->idiag_sport == in->sin_port && (in->sin_addr.s_addr == htonl(INADDR_ANY) ||
						   id->idiag_src[0] == in->sin_addr.s_addr);
}

static void
take_tcp(const struct nlmsghdr *answer, void *arg)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(answer);
	struct search *s = arg;

	if (answer->nlmsg_len >= NLMSG_LENGTH(sizeof(*msg)) && is_local_address(s, &msg->id))
		add(s->list, msg->idiag_inode);
}

static int
list_tcp(struct search *s)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&s->sa;
	unsigned states =
	    ~(1U << TCP_LISTEN | 1U << TCP_TIME_WAIT | 1U << TCP_SYN_RECV | 1U << TCP_SYN_SENT);

	/* in6 has its port at the same place */
	return sockdiag_dump_tcp(s->sa.ss_family, states, in->sin_port, take_tcp, s);
}

/* An accepted socket has the name of the listener. */
static bool
has_name(const struct search *s, const struct nlmsghdr *answer)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(answer);
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(*msg));
	size_t wanted = s->len - offsetof(struct sockaddr_un, sun_path);
	const char *name = ((const struct sockaddr_un *)&s->sa)->sun_path;

	while (at + sizeof(struct nlattr) <= answer->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)answer + at);

		if (attr->nla_len < NLA_HDRLEN || at + attr->nla_len > answer->nlmsg_len)
			return false;
		if (attr->nla_type == UNIX_DIAG_NAME)
			return (size_t)attr->nla_len - NLA_HDRLEN == wanted &&
			       memcmp((const char *)attr + NLA_HDRLEN, name, wanted) == 0;
		at += NLA_ALIGN(attr->nla_len);
	}
	return false;
}

static void
take_unix(const struct nlmsghdr *answer, void *arg)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(answer);
	struct search *s = arg;

	if (answer->nlmsg_len >= NLMSG_LENGTH(sizeof(*msg)) && has_name(s, answer))
		add(s->list, msg->udiag_ino);
}

static int
list_unix(struct search *s)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req req;
	} ask = {
		.header = { .nlmsg_len = sizeof(ask),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = AF_UNIX,
			 .udiag_states = 1U << TCP_ESTABLISHED,
			 .udiag_show = UDIAG_SHOW_NAME },
	};

	return sockdiag_dump(&ask.header, take_unix, s);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int
accepted_list(int listen_fd, struct accepted *list)
{
	struct search s = { .len = sizeof(s.sa), .list = list };

	*list = (struct accepted){ 0 };
	if (getsockname(listen_fd, (struct sockaddr *)&s.sa, &s.len) < 0)
		return -1;
	if ((s.sa.ss_family == AF_UNIX ? list_unix(&s) : list_tcp(&s)) < 0) {
		accepted_free(list);
		return -1;
	}
	if (list->n > 0)
		qsort(list->inodes, list->n, sizeof(*list->inodes), compare);
	return 0;
}

void
accepted_free(struct accepted *list)
{
	free(list->inodes);
	*list = (struct accepted){ 0 };
}

static bool
is_one(int dir, const char *fd, const struct accepted *list)
{
	char link[64];
	ssize_t n = readlinkat(dir, fd, link, sizeof(link) - 1);
	uint32_t inode;

	if (n <= 0)
		return false;
	link[n] = '\0';
	return sscanf(link, "socket:[%u]", &inode) == 1 &&
	       bsearch(&inode, list->inodes, list->n, sizeof(inode), compare);
}

int
accepted_holds(pid_t pid, const struct accepted *list)
{
	struct dirent *entry;
	bool found = false;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (!found && list->n > 0 && (entry = readdir(dir)))
		found = is_one(dirfd(dir), entry->d_name, list);
	closedir(dir);
	return found;
}
