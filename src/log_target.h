/*
 * Where the log goes: from the words of the configuration to an open descriptor.
 */
#ifndef PREFORKD_LOG_TARGET_H
#define PREFORKD_LOG_TARGET_H

enum log_kind { LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG };

struct log_target {
	enum log_kind kind;
	int facility;     /* LOG_TO_SYSLOG: LOG_DAEMON, ... */
	const char *path; /* LOG_TO_FILE: points into the text given to log_target_parse */
};

/* "stderr", "syslog", "syslog:FACILITY" or "/a/file".  0, or -1 with *err. */
int log_target_parse(const char *text, struct log_target *target, char **err);

/*
 * A descriptor for the target (2 for stderr) or -1 with *err.  Opening stands apart from
 * log_adopt(), so that a reload can fail before it changes anything.
 */
int log_target_open(const struct log_target *target, char **err);

/* Would that succeed?  Without making the file.  0, or -1 with *err. */
int log_target_check(const struct log_target *target, char **err);

#endif
