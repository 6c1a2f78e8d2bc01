#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

/* One page that all processes share: which hand-over in the channel is the newest. */
struct log_shared {
	_Atomic unsigned generation;
};

/* What goes with the descriptor through the channel. */
struct log_handover {
	enum log_kind kind;
	int facility;
	int level;
};

/* A message of the channel with its one descriptor, laid out for sendmsg and recvmsg. */
struct log_message {
	struct log_handover handover;
	struct iovec iov;
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg;
};

static struct {
	const char *ident;
	enum log_kind kind;
	int facility;
	char *path;
	int fd;
	int level;
	bool copy_to_stderr;
	bool plain;
	bool may_stall; /* not a regular file: ask poll(2) before a write */
	int channel[2]; /* [0] workers peek, [1] the master sends; -1 before log_start */
	unsigned generation;
	unsigned lost;
	struct log_shared *shared;
} self = { .ident = "preforkd",
	   .fd = STDERR_FILENO,
	   .level = LOG_NOTICE,
	   .may_stall = true,
	   .facility = LOG_DAEMON,
	   .channel = { -1, -1 } };

void
log_start(const char *ident)
{
	void *page;

	self.ident = ident;
	tzset(); /* while /etc/localtime is there: a chroot has none */
	page = mmap(NULL, sizeof(struct log_shared), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED ||
	    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, self.channel) < 0) {
		fprintf(stderr, "preforkd: cannot set up the log: %s\n", strerror(errno));
		exit(1);
	}
	self.shared = page;
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void
message_init(struct log_message *m)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = &m->handover;
	m->iov.iov_len = sizeof(m->handover);
	m->msg.msg_iov = &m->iov;
	m->msg.msg_iovlen = 1;
	m->msg.msg_control = m->control.buf;
	m->msg.msg_controllen = sizeof(m->control.buf);
}

/* Replaces the one message in the channel; workers that look between find none and wait. */
static void
channel_offer(int fd)
{
	struct log_message m;
	struct cmsghdr *cmsg;

	if (self.channel[1] < 0)
		return;
	message_init(&m);
	while (recv(self.channel[0], &m.handover, sizeof(m.handover), MSG_DONTWAIT) > 0)
		;
	m.handover.kind = self.kind;
	m.handover.facility = self.facility;
	m.handover.level = self.level;
	cmsg = CMSG_FIRSTHDR(&m.msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(self.channel[1], &m.msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_error("cannot hand the log to the workers: %s", strerror(errno));
	self.generation = atomic_fetch_add(&self.shared->generation, 1) + 1;
}

/* A worker's side of channel_offer(). */
static void
channel_take(void)
{
	unsigned newest = atomic_load_explicit(&self.shared->generation, memory_order_relaxed);
	struct log_message m;
	struct cmsghdr *cmsg;
	int fd;

	/* The master has the sending end: whatever a worker wrote there, it is the source. */
	if (newest == self.generation || self.channel[1] >= 0)
		return;
	message_init(&m);
	if (recvmsg(self.channel[0], &m.msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) !=
	    (ssize_t)sizeof(m.handover))
		return;
	cmsg = CMSG_FIRSTHDR(&m.msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS || cmsg->cmsg_len != CMSG_LEN(sizeof(int)))
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (self.fd != STDERR_FILENO)
		dup3(fd, self.fd, O_CLOEXEC); /* the same number: a worker's set never changes */
	else if (m.handover.kind != LOG_TO_STDERR)
		self.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(fd);
	self.level = m.handover.level;
	self.kind = m.handover.kind;
	self.facility = m.handover.facility;
	self.may_stall = self.kind == LOG_TO_STDERR && !is_regular(self.fd);
	self.generation = newest;
}

void
log_adopt(const struct log_target *target, int fd)
{
	char *path = util_strdup(target->path);

	if (self.fd != STDERR_FILENO && self.fd >= 0 && self.fd != fd)
		close(self.fd);
	free(self.path);
	self.kind = target->kind;
	self.facility = target->facility;
	self.path = path;
	self.fd = fd;
	self.may_stall = target->kind == LOG_TO_STDERR && !is_regular(fd);
	channel_offer(fd);
}

int
log_reopen(char **err)
{
	struct log_target target = { self.kind, self.facility, self.path };
	int fd;

	if (self.kind != LOG_TO_FILE)
		return 0;
	fd = log_target_open(&target, err);
	if (fd < 0)
		return -1;
	log_adopt(&target, fd);
	return 0;
}

void
log_set_level(int level)
{
	if (level == self.level)
		return;
	self.level = level;
	if (self.shared)
		channel_offer(self.fd);
}

void
log_set_plain(void)
{
	self.plain = true;
}

bool
log_enabled(int level)
{
	if (self.shared)
		channel_take();
	return level <= self.level;
}

void
log_copy_to_stderr(bool on)
{
	self.copy_to_stderr = on;
}

int
log_fd(void)
{
	return self.fd;
}

int
log_channel_fd(void)
{
	return self.channel[0];
}

void
log_moved(int fd, int channel_fd)
{
	self.fd = fd;
	self.channel[0] = channel_fd;
	self.channel[1] = -1;
}

static const char *
level_name(int level)
{
	static const char *const names[] = { "emerg",   "alert",  "crit", "error",
					     "warning", "notice", "info", "debug" };

	return names[level & 7];
}

/* "2026-11-20T11:03:25.123+0000 preforkd[42] notice: ", or syslog's "<29>Nov 20 ..." */
static size_t
format_prefix(char *buf, size_t size, int level, bool for_syslog)
{
	struct timespec now;
	struct tm tm;
	char stamp[40], zone[8];

	if (self.plain)
		return (size_t)snprintf(buf, size, "%s: %s: ", self.ident, level_name(level));
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	if (for_syslog) {
		strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", &tm);
		return (size_t)snprintf(buf, size, "<%d>%s %s[%d]: ", self.facility | level, stamp,
					self.ident, (int)getpid());
	}
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	return (size_t)snprintf(buf, size, "%s.%03ld%s %s[%d] %s: ", stamp, now.tv_nsec / 1000000,
				zone, self.ident, (int)getpid(), level_name(level));
}

static bool
write_line(int fd, const char *line, size_t len, bool may_stall)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	if (may_stall && poll(&pfd, 1, 0) != 1)
		return false;
	return write(fd, line, len) == (ssize_t)len;
}

static bool
write_syslog(const char *line, size_t len)
{
	struct log_target target = { .kind = LOG_TO_SYSLOG, .facility = self.facility };
	char *err = NULL;
	int fd;

	if (send(self.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != ECONNREFUSED && errno != ENOTCONN && errno != ECONNRESET)
		return false;
	fd = log_target_open(&target, &err); /* syslogd was restarted */
	free(err);
	if (fd < 0)
		return false;
	dup3(fd, self.fd, O_CLOEXEC);
	close(fd);
	return send(self.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void
emit(int level, const char *text, size_t text_len)
{
	char line[LINE_MAX_BYTES];
	bool to_syslog = self.kind == LOG_TO_SYSLOG, done;
	size_t len = format_prefix(line, sizeof(line), level, to_syslog);

	len += util_escape(line + len, sizeof(line) - len - 1, text, text_len);
	if (to_syslog) {
		done = write_syslog(line, len);
	} else {
		line[len++] = '\n';
		done = write_line(self.fd, line, len, self.may_stall);
	}
	if (!done)
		self.lost++;
	if (self.copy_to_stderr && level <= LOG_WARNING && self.fd != STDERR_FILENO)
		dprintf(STDERR_FILENO, "%s: %.*s\n", self.ident, (int)text_len, text);
}

void
log_write(int level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	int saved_errno = errno, len;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (len >= 0)
		emit(level, text, (size_t)len);
	if (self.lost > 0 && len >= 0) {
		unsigned lost = self.lost;

		self.lost = 0;
		len = snprintf(text, sizeof(text), "%u log lines could not be written", lost);
		emit(LOG_WARNING, text, (size_t)len);
		if (self.lost > 0)
			self.lost = lost;
	}
	errno = saved_errno;
}

bool
log_limit_pass(struct log_limit *limit, int64_t interval_ms, unsigned *held_back)
{
	int64_t now = util_now_coarse_ms();
	int64_t next = atomic_load(&limit->next_ms);

	if (now < next ||
	    !atomic_compare_exchange_strong(&limit->next_ms, &next, now + interval_ms)) {
		atomic_fetch_add(&limit->held_back, 1);
		return false;
	}
	*held_back = atomic_exchange(&limit->held_back, 0);
	return true;
}
