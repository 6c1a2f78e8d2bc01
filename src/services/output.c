#include "output.h"

#include "log.h"

#include <fcntl.h>
#include <unistd.h>

#define READS 64 /* at once, so that a flood does not hide the program's end */

int
output_open(struct output *o)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	if (o->read_fd >= 0) {
		dup3(fds[0], o->read_fd, O_CLOEXEC);
		dup3(fds[1], o->write_fd, O_CLOEXEC);
		close(fds[0]);
		close(fds[1]);
	} else {
		o->read_fd = fds[0];
		o->write_fd = fds[1];
	}
	return fcntl(o->read_fd, F_SETFL, O_NONBLOCK);
}

void
output_renew(struct output *o)
{
	fcntl(o->write_fd, F_SETFL, 0);
}

static void
tell_dropped(struct output *o, const struct output_from *from)
{
	if (o->dropped > 0)
		log_warn("pool %s: %s pid %d: %u more lines in that second were left out",
			 from->pool, from->who, from->pid, o->dropped);
	o->dropped = 0;
}

static void
log_line(struct output *o, const struct output_from *from)
{
	int64_t now = util_now_coarse_ms();

	if (now - o->second >= 1000) {
		tell_dropped(o, from);
		o->second = now;
		o->lines = 0;
	}
	if (o->lines < OUTPUT_LINES_A_SECOND) {
		o->lines++;
		log_notice("pool %s: %s pid %d: %.*s", from->pool, from->who, from->pid,
			   (int)o->len, o->line);
	} else {
		o->dropped++;
	}
	o->len = 0;
}

static void
add(struct output *o, const struct output_from *from, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool end = data[i] == '\n';

		if (!end)
			o->line[o->len++] = data[i] ? data[i] : '?';
		if ((end && o->len > 0) || o->len == sizeof(o->line))
			log_line(o, from);
	}
}

void
output_read(struct output *o, const struct output_from *from)
{
	char data[4096];

	for (int i = 0; i < READS; i++) {
		ssize_t n = read(o->read_fd, data, sizeof(data));

		if (n <= 0)
			return;
		o->bytes += (uint64_t)n;
		add(o, from, data, (size_t)n);
	}
}

void
output_end(struct output *o, const struct output_from *from)
{
	output_read(o, from);
	if (o->len > 0)
		log_line(o, from);
	tell_dropped(o, from);
}
