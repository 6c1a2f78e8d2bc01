#include "log_target.h"

#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define SYSLOG_SOCKET "/dev/log"

static const struct {
	const char *name;
	int code;
} facilities[] = {
	{ "daemon", LOG_DAEMON }, { "user", LOG_USER },     { "local0", LOG_LOCAL0 },
	{ "local1", LOG_LOCAL1 }, { "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },
	{ "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 }, { "local6", LOG_LOCAL6 },
	{ "local7", LOG_LOCAL7 },
};

int
log_target_parse(const char *text, struct log_target *target, char **err)
{
	memset(target, 0, sizeof(*target));
	if (strcmp(text, "stderr") == 0) {
		target->kind = LOG_TO_STDERR;
		return 0;
	}
	if (text[0] == '/') {
		target->kind = LOG_TO_FILE;
		target->path = text;
		return 0;
	}
	target->kind = LOG_TO_SYSLOG;
	target->facility = LOG_DAEMON;
	if (strcmp(text, "syslog") == 0)
		return 0;
	if (strncmp(text, "syslog:", 7) == 0)
		for (size_t i = 0; i < ARRAY_LEN(facilities); i++)
			if (strcmp(text + 7, facilities[i].name) == 0) {
				target->facility = facilities[i].code;
				return 0;
			}
	return util_fail(err,
			 "\"%s\" is not a log target: write \"stderr\", \"syslog\", "
			 "\"syslog:daemon\" (or user, local0 to local7) or \"/a/file\"",
			 text);
}

static int
syslog_connect(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = SYSLOG_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int
fail_open(const char *path, char **err)
{
	return util_fail(err, "cannot open the log %s: %s", path, strerror(errno));
}

int
log_target_open(const struct log_target *target, char **err)
{
	int fd;

	switch (target->kind) {
	case LOG_TO_STDERR:
		return STDERR_FILENO;
	case LOG_TO_FILE:
		fd = open(target->path,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
		return fd < 0 ? fail_open(target->path, err) : fd;
	case LOG_TO_SYSLOG:
		fd = syslog_connect();
		if (fd < 0)
			util_fail(err,
				  "cannot reach syslog at %s: %s; start a syslogd, or write "
				  "log = \"/a/file\"",
				  SYSLOG_SOCKET, strerror(errno));
		return fd;
	}
	return -1;
}

int
log_target_check(const struct log_target *target, char **err)
{
	char *dir, *slash;
	struct stat st;
	int fd, result;

	if (target->kind != LOG_TO_FILE) {
		fd = log_target_open(target, err);
		if (fd > STDERR_FILENO)
			close(fd);
		return fd < 0 ? -1 : 0;
	}
	if (stat(target->path, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		result = -1;
	} else if (access(target->path, F_OK) == 0) {
		result = access(target->path, W_OK);
	} else {
		dir = util_strdup(target->path);
		slash = strrchr(dir, '/');
		slash[slash == dir] = '\0';
		result = access(dir, W_OK | X_OK);
		free(dir);
	}
	return result < 0 ? fail_open(target->path, err) : 0;
}
