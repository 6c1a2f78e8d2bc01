#include "sockdiag.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum piece { PIECE_MORE, PIECE_LAST, PIECE_ERROR };

static enum piece
take_piece(const struct nlmsghdr *header, size_t len,
	   void (*each)(const struct nlmsghdr *answer, void *arg), void *arg)
{
	for (; NLMSG_OK(header, len); header = NLMSG_NEXT(header, len)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return PIECE_LAST;
		if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return PIECE_ERROR;
		each(header, arg);
	}
	return PIECE_MORE;
}

int
sockdiag_dump(const struct nlmsghdr *request,
	      void (*each)(const struct nlmsghdr *answer, void *arg), void *arg)
{
	_Alignas(struct nlmsghdr) char answer[16384];
	enum piece piece = PIECE_MORE;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	if (fd < 0)
		return -1;
	if (send(fd, request, request->nlmsg_len, 0) != (ssize_t)request->nlmsg_len)
		piece = PIECE_ERROR;
	while (piece == PIECE_MORE) {
		ssize_t n = recv(fd, answer, sizeof(answer), 0);

		piece = n <= 0 ? PIECE_ERROR
			       : take_piece((struct nlmsghdr *)answer, (size_t)n, each, arg);
	}
	close(fd);
	return piece == PIECE_LAST ? 0 : -1;
}

int
sockdiag_dump_tcp(int family, unsigned states, in_port_t port,
		  void (*each)(const struct nlmsghdr *answer, void *arg), void *arg)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 req;
	} ask = {
		.header = { .nlmsg_len = sizeof(ask),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = (uint8_t)family,
			 .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = states,
			 .id.idiag_sport = port },
	};

	return sockdiag_dump(&ask.header, each, arg);
}
