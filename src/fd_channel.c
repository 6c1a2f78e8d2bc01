#include "fd_channel.h"

#include "layout.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A message with its one descriptor, laid out for sendmsg(2) and recvmsg(2). */
struct message {
	struct iovec iov;
	struct msghdr msg;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
};

int
fd_channel_open(struct fd_channel *channel)
{
	void *page = mmap(NULL, sizeof(*channel->newest), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, channel->fds) < 0) {
		munmap(page, sizeof(*channel->newest));
		return -1;
	}
	channel->newest = page;
	channel->seen = 0;
	return 0;
}

void
fd_channel_close(struct fd_channel *channel)
{
	for (size_t i = 0; i < 2; i++) {
		if (channel->fds[i] >= 0)
			close(channel->fds[i]);
		channel->fds[i] = -1;
	}
	if (channel->newest)
		munmap((void *)channel->newest, sizeof(*channel->newest));
	channel->newest = NULL;
}

static void
message_init(struct message *m, void *data, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = data;
	m->iov.iov_len = len;
	m->msg.msg_iov = &m->iov;
	m->msg.msg_iovlen = 1;
	m->msg.msg_control = m->control.buf;
	m->msg.msg_controllen = sizeof(m->control.buf);
}

/* Workers that look between the two steps find none, and wait. */
int
fd_channel_offer(struct fd_channel *channel, int fd, const void *data, size_t len)
{
	struct cmsghdr *cmsg;
	struct message m;
	char old[64];

	if (channel->fds[1] < 0)
		return 0;
	while (recv(channel->fds[0], old, sizeof(old), MSG_DONTWAIT) > 0)
		;
	message_init(&m, (void *)(size_t)data, len);
	cmsg = CMSG_FIRSTHDR(&m.msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(channel->fds[1], &m.msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -1;
	channel->seen = atomic_fetch_add(channel->newest, 1) + 1;
	return 0;
}

void
fd_channel_moved(struct fd_channel *channel, int fd)
{
	channel->fds[0] = fd;
	channel->fds[1] = -1;
}

HOT int
fd_channel_take(struct fd_channel *channel, void *data, size_t len)
{
	struct cmsghdr *cmsg;
	struct message m;
	unsigned newest;
	int fd;

	/* The master has the sending end: whatever a worker wrote there, it is the source. */
	if (!channel->newest || channel->fds[1] >= 0)
		return -1;
	newest = atomic_load_explicit(channel->newest, memory_order_relaxed);
	if (newest == channel->seen)
		return -1;
	message_init(&m, data, len);
	if (recvmsg(channel->fds[0], &m.msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    (ssize_t)len)
		return -1;
	cmsg = CMSG_FIRSTHDR(&m.msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	channel->seen = newest;
	return fd;
}
