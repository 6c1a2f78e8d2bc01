#include "handover.h"

#include "notify.h"
#include "totals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VARIABLE        "PREFORKD_HANDOVER"
#define DRAINED         "PREFORKD_DRAINED"
#define FILE_OF_FIGURES "PREFORKD_FIGURES"
#define FILE_OF_PAST    "PREFORKD_PAST"
#define FILES_OF_PLACES "PREFORKD_PLACES"

#define NUMBER_DIGITS 9 /* no number has more */

static struct {
	int fd; /* to the old master; -1: there is none */
	int figures_fd, past_fd;
	char *drained; /* with colons between; or NULL */
} self = { .fd = -1, .figures_fd = -1, .past_fd = -1 };

static char given[HANDOVER_SOCKETS_MAX + 1]; /* the kinds of its sockets, in their order */

static struct {
	char *names; /* with colons between */
	size_t n;
	int fds[HANDOVER_SOCKETS_MAX]; /* -1: somebody has taken it */
} places;

/* Digits and a colon, which are taken off the text. */
static int
take_number(const char **text, int64_t *number)
{
	size_t len = strspn(*text, "0123456789");

	if (len == 0 || len > NUMBER_DIGITS || (*text)[len] != ':')
		return -1;
	*number = strtol(*text, NULL, 10);
	*text += len + 1;
	return 0;
}

int
handover_parse(const char *text, int *fd, char *kinds)
{
	int64_t format, channel;
	size_t len;

	if (take_number(&text, &format) < 0 || take_number(&text, &channel) < 0 ||
	    format != HANDOVER_FORMAT || channel <= STDERR_FILENO)
		return -1;
	len = strspn(text, "oic");
	if (text[len] != '\0' || len > HANDOVER_SOCKETS_MAX)
		return -1;
	memcpy(kinds, text, len + 1);
	*fd = (int)channel;
	return 0;
}

int
handover_parse_file(const char *text, int64_t format)
{
	int64_t its_format, fd;

	if (take_number(&text, &its_format) < 0 || take_number(&text, &fd) < 0 || *text != '\0' ||
	    its_format != format || fd <= STDERR_FILENO)
		return -1;
	return (int)fd;
}

/* The descriptor that the variable names, or -1. */
static int
take_file(const char *variable, int64_t format)
{
	const char *text = getenv(variable);
	int fd = text ? handover_parse_file(text, format) : -1;

	return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
}

static void
take_places(void)
{
	const char *text = getenv(FILES_OF_PLACES);
	int64_t format, fd;

	if (!text || take_number(&text, &format) < 0 || take_number(&text, &fd) < 0 ||
	    format != HANDOVER_PLACES_FORMAT || fd <= STDERR_FILENO)
		return;
	places.names = util_strdup(text);
	do {
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
			return;
		places.fds[places.n++] = (int)fd++;
	} while ((text = strchr(text, ':')) && text++ && places.n < HANDOVER_SOCKETS_MAX);
}

void
handover_init(void)
{
	const char *text = getenv(VARIABLE);

	if (text && handover_parse(text, &self.fd, given) == 0 &&
	    fcntl(self.fd, F_SETFD, FD_CLOEXEC) < 0)
		self.fd = -1;
	if (self.fd >= 0) {
		self.drained = util_strdup(getenv(DRAINED));
		self.figures_fd = take_file(FILE_OF_FIGURES, TOTALS_FORMAT);
		self.past_fd = take_file(FILE_OF_PAST, HANDOVER_PAST_FORMAT);
		take_places();
	}
	unsetenv(VARIABLE);
	unsetenv(DRAINED);
	unsetenv(FILE_OF_FIGURES);
	unsetenv(FILE_OF_PAST);
	unsetenv(FILES_OF_PLACES);
}

int
handover_fd(void)
{
	return self.fd;
}

int
handover_figures_fd(void)
{
	return self.figures_fd;
}

int
handover_past_fd(void)
{
	return self.past_fd;
}

int
handover_last_fd(void)
{
	int64_t last = util_max(self.fd, util_max(self.figures_fd, self.past_fd));

	return (int)(places.n > 0 ? util_max(last, places.fds[places.n - 1]) : last);
}

enum handover_kind
handover_kind(int fd)
{
	int i = fd - NOTIFY_SOCKETS_START;

	if (given[0] == '\0' || i < 0 || (size_t)i >= strlen(given))
		return HANDOVER_NONE;
	return (enum handover_kind)given[i];
}

static bool
begins_with_name(const char *text, const char *pool)
{
	for (; *pool; pool++, text++)
		if (*text != (*pool == ':' ? HANDOVER_COLON : *pool))
			return false;
	return *text == ':' || *text == '\0';
}

bool
handover_is_drained(const char *pool)
{
	for (const char *at = self.drained; at; at = strchr(at, ':')) {
		at += *at == ':';
		if (begins_with_name(at, pool))
			return true;
	}
	return false;
}

int
handover_take_places(const char *pool)
{
	const char *at = places.names;

	for (size_t i = 0; i < places.n; i++) {
		int fd = places.fds[i];

		if (fd >= 0 && begins_with_name(at, pool)) {
			places.fds[i] = -1;
			return fd;
		}
		at += strcspn(at, ":") + 1;
	}
	return -1;
}

void
handover_tell(const char *fmt, ...)
{
	char line[HANDOVER_LINE_BYTES];
	va_list ap;
	int len;

	if (self.fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	len = (int)util_min(len, (int)sizeof(line) - 2);
	for (int i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[len] = '\n';
	send(self.fd, line, (size_t)len + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void
handover_end(void)
{
	if (self.fd >= 0)
		close(self.fd);
	self.fd = -1;
	for (size_t i = 0; i < places.n; i++)
		if (places.fds[i] >= 0)
			close(places.fds[i]);
	places.n = 0;
}
