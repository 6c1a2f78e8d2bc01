#include "logged.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void
logged_begin(int level)
{
	static const struct log_target target = { .kind = LOG_TO_FILE, .path = "/a/log" };
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	log_adopt(&target, fd);
	log_set(level, false);
}

unsigned
logged_lines(const char *text)
{
	static char log[1 << 16];
	ssize_t len = pread(log_fd(), log, sizeof(log) - 1, 0);
	char *rest = log, *line;
	unsigned n = 0;

	log[len > 0 ? len : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		n += strstr(line, text) != NULL;
	return n;
}

void
logged_end(void)
{
	log_set(LOG_EMERG, false);
}
