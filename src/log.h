/*
 * The log: one line a message, one write(2) a line, to stderr, a file or syslog.
 *
 * Master and workers write to the same open file.  When the master reopens it
 * (SIGUSR1, or a reload with another target), workers follow by fd_channel.h.
 *
 * Nothing here blocks: a line that a full pipe or a stuck syslogd would not take
 * is counted, and the count is logged with the next line that gets through.  The master
 * can tell how many all processes have lost, while nothing gets through.
 */
#ifndef PREFORKD_LOG_H
#define PREFORKD_LOG_H

#include "log_target.h"
#include "util.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <syslog.h> /* LOG_ERR ... LOG_DEBUG are the levels */

/* Once, before anything forks.  Until log_open() lines go to stderr. */
void log_start(const char *ident);

/*
 * Makes what log_target_open() returned the log of this process and of all workers; the
 * descriptor is owned by the log then.
 */
void log_adopt(const struct log_target *target, int fd);

/* Opens the file of the present target again (after a rotation); -1 with *err. */
int log_reopen(char **err);

/* json: an object a line.  Workers that run follow, too. */
void log_set(int level, bool json);

/* Lines without time and process: for a command that somebody waits for. */
void log_set_plain(void);
bool log_enabled(int level);

/* While on, warnings and errors go to stderr too: for a start that may fail. */
void log_copy_to_stderr(bool on);

/* The descriptors a worker must keep, and their new numbers after it moved them. */
int log_fd(void);
int log_channel_fd(void);
void log_moved(int fd, int channel_fd);

/* Tells of each warning and error of this process, also of those that level leaves out. */
void log_overhear(void (*hook)(const char *text));

/* Lines that were lost since the log was opened, by all processes; error: errno of the last. */
struct log_lost {
	uint64_t lines;
	int error;
	int64_t at; /* util_now_ms() */
};
void log_lost(struct log_lost *lost);

void log_write(int level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...)  log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)   log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)                                     \
	do {                                              \
		if (log_enabled(LOG_INFO))                \
			log_write(LOG_INFO, __VA_ARGS__); \
	} while (0)
#define log_debug(...)                                     \
	do {                                               \
		if (log_enabled(LOG_DEBUG))                \
			log_write(LOG_DEBUG, __VA_ARGS__); \
	} while (0)

/*
 * A limit on one kind of line that an outsider can provoke.  It may live in shared
 * memory (then it holds for all processes together); all zero is a fresh one.
 * log_limit_pass() is true at most once per interval (milliseconds), and then tells
 * how many lines were held back since the last one.
 */
struct log_limit {
	_Atomic int64_t next_ms;
	_Atomic unsigned held_back;
};

bool log_limit_pass(struct log_limit *limit, int64_t interval_ms, unsigned *held_back);

/* " (3 more like this)", or "" if none was held back: for the end of a line. */
#define LOG_MORE_BYTES 40
const char *log_limit_more(unsigned held_back, char text[LOG_MORE_BYTES]);

/* The same, but so many may come at once; over time it is one an interval. */
bool log_limit_burst(struct log_limit *limit, int64_t interval_ms, unsigned burst,
		     unsigned *held_back);

#endif
