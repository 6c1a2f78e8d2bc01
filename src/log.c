#include "log.h"

#include "fd_channel.h"
#include "layout.h"
#include "log_line.h"

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

/* What goes with the descriptor through the channel. */
struct log_handover {
	enum log_kind kind;
	int facility;
	int level;
	bool json;
};

/* Lines that were lost, by all processes: whoever gets one through tells of them. */
static struct losses {
	_Atomic uint64_t lines;
	_Atomic unsigned untold;
	_Atomic int torn;  /* a line was cut short: the next one begins on a line of its own */
	_Atomic int error; /* of the last one */
	_Atomic int64_t at;
} before_start;

static struct {
	const char *ident;
	enum log_kind kind;
	int facility;
	char *path;
	int fd;
	int level;
	bool json;
	bool copy_to_stderr;
	bool plain;
	bool may_stall; /* not a regular file: ask poll(2) before a write */
	struct fd_channel channel;
	struct losses *losses; /* in memory that all processes share */
	void (*hook)(const char *text);
} self PER_WORKER = { .ident = "preforkd",
		      .fd = STDERR_FILENO,
		      .level = LOG_NOTICE,
		      .may_stall = true,
		      .facility = LOG_DAEMON,
		      .losses = &before_start,
		      .channel = FD_CHANNEL_NONE };

void
log_start(const char *ident)
{
	self.ident = ident;
	tzset(); /* while /etc/localtime is there: a chroot has none */
	self.losses = mmap(NULL, sizeof(*self.losses), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (self.losses == MAP_FAILED || fd_channel_open(&self.channel) < 0) {
		fprintf(stderr, "preforkd: cannot set up the log: %s\n", strerror(errno));
		exit(1);
	}
}

static bool
is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void
channel_offer(int fd)
{
	struct log_handover handover = { self.kind, self.facility, self.level, self.json };

	if (fd_channel_offer(&self.channel, fd, &handover, sizeof(handover)) < 0)
		log_error("cannot hand the log to the workers: %s; they write to the old one",
			  strerror(errno));
}

/* A worker's side of channel_offer(). */
static void
channel_take(void)
{
	struct log_handover handover;
	int fd = fd_channel_take(&self.channel, &handover, sizeof(handover));

	if (fd < 0)
		return;
	if (self.fd != STDERR_FILENO)
		dup3(fd, self.fd, O_CLOEXEC); /* the same number: a worker's set never changes */
	else if (handover.kind != LOG_TO_STDERR)
		self.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	close(fd);
	self.level = handover.level;
	self.json = handover.json;
	self.kind = handover.kind;
	self.facility = handover.facility;
	self.may_stall = self.kind == LOG_TO_STDERR && !is_regular(self.fd);
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
	atomic_store(&self.losses->lines, 0);
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
log_set(int level, bool json)
{
	if (level == self.level && json == self.json)
		return;
	self.level = level;
	self.json = json;
	if (self.channel.newest)
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
	return self.channel.fds[0];
}

void
log_moved(int fd, int channel_fd)
{
	self.fd = fd;
	fd_channel_moved(&self.channel, channel_fd);
}

static bool
write_line(int fd, const char *line, size_t len, bool may_stall)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	if (may_stall && poll(&pfd, 1, 0) != 1) {
		errno = EAGAIN;
		return false;
	}
	if (atomic_load(&self.losses->torn) && atomic_exchange(&self.losses->torn, 0) &&
	    write(fd, "\n", 1) != 1) {
		atomic_store(&self.losses->torn, 1);
		return false;
	}
	n = write(fd, line, len);
	if (n >= 0 && n < (ssize_t)len) {
		atomic_store(&self.losses->torn, 1);
		errno = is_regular(fd) ? ENOSPC : EAGAIN;
	}
	return n == (ssize_t)len;
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
	channel_offer(self.fd); /* by the master: a worker in a chroot does not find it */
	return send(self.fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void
note_lost(int error)
{
	atomic_store(&self.losses->error, error);
	atomic_store(&self.losses->at, util_now_ms());
	atomic_fetch_add(&self.losses->lines, 1);
	atomic_fetch_add(&self.losses->untold, 1);
}

void
log_lost(struct log_lost *lost)
{
	lost->lines = atomic_load(&self.losses->lines);
	lost->error = atomic_load(&self.losses->error);
	lost->at = atomic_load(&self.losses->at);
}

void
log_overhear(void (*hook)(const char *text))
{
	self.hook = hook;
}

/* false: it is lost. */
static bool
emit(int level, const char *text, size_t text_len)
{
	char line[LINE_MAX_BYTES];
	struct log_line parts = {
		.ident = self.ident,
		.level = level,
		.facility = self.kind == LOG_TO_SYSLOG ? self.facility : -1,
		.plain = self.plain,
		.json = self.json,
		.text = text,
		.len = text_len,
	};
	size_t len = log_line_format(&parts, line, sizeof(line) - 1);
	bool done;

	if (self.kind == LOG_TO_SYSLOG) {
		done = write_syslog(line, len);
	} else {
		line[len++] = '\n';
		done = write_line(self.fd, line, len, self.may_stall);
	}
	if (!done)
		note_lost(errno);
	if (self.copy_to_stderr && level <= LOG_WARNING && self.fd != STDERR_FILENO) {
		util_escape(line, sizeof(line), text, text_len);
		dprintf(STDERR_FILENO, "%s: %s\n", self.ident, line);
	}
	return done;
}

/* Behind the first line that got through again. */
static void
tell_lost(void)
{
	unsigned lost = atomic_load(&self.losses->untold);
	char text[160];
	int len;

	if (lost == 0 || (lost = atomic_exchange(&self.losses->untold, 0)) == 0)
		return;
	len = snprintf(text, sizeof(text), "%u log line%s could not be written: %s", lost,
		       util_plural(lost), strerror(atomic_load(&self.losses->error)));
	if (!emit(LOG_WARNING, text, (size_t)len))
		atomic_fetch_add(&self.losses->untold, lost - 1);
}

void
log_write(int level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	bool wanted = log_enabled(level), heard = self.hook && level <= LOG_WARNING;
	int saved_errno = errno, len;
	va_list ap;

	if (!wanted && !heard)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (heard && len >= 0)
		self.hook(text);
	if (wanted && len >= 0 && emit(level, text, (size_t)len))
		tell_lost();
	errno = saved_errno;
}

bool
log_limit_pass(struct log_limit *limit, int64_t interval_ms, unsigned *held_back)
{
	return log_limit_burst(limit, interval_ms, 1, held_back);
}

/* next_ms is when all lines so far would have come at the even pace. */
bool
log_limit_burst(struct log_limit *limit, int64_t interval_ms, unsigned burst, unsigned *held_back)
{
	int64_t now = util_now_coarse_ms();
	int64_t next = atomic_load(&limit->next_ms);

	do {
		if (next > now + interval_ms * (burst - 1)) {
			atomic_fetch_add(&limit->held_back, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&limit->next_ms, &next,
					       util_max(next, now) + interval_ms));
	*held_back = atomic_exchange(&limit->held_back, 0);
	return true;
}

const char *
log_limit_more(unsigned held_back, char text[LOG_MORE_BYTES])
{
	text[0] = '\0';
	if (held_back > 0)
		snprintf(text, LOG_MORE_BYTES, " (%u more like this)", held_back);
	return text;
}
