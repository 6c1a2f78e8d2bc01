/*
 * The configuration as plain data: the vocabulary (one table of options a section),
 * defaults, cross checks, comparison, dump.  No parser, no system call: conf_parse
 * fills it, verify holds it against the machine.
 *
 * Every number is an int64_t (times in milliseconds, sizes in bytes), every text a
 * char *, every list a null-terminated char **, so that one table with offsets can
 * serve parsing, defaults, comparison and dump alike.
 */
#ifndef PREFORKD_CONF_H
#define PREFORKD_CONF_H

#include "util.h"

#include <stdbool.h>
#include <stdio.h>

#define CONF_UNSET       INT64_MIN /* a number that nobody set */
#define CONF_UNLIMITED   INT64_MAX /* an rlimit of "unlimited" */
#define CONF_NOTIFY      (-1)      /* ready = "notify" */
#define CONF_MAX_WORKERS 65536     /* no pool and no sum of pools goes beyond */

/* An answer of http has room for so much of its header option, and of a redirect's target. */
#define CONF_HEADER_BYTES   32768
#define CONF_REDIRECT_BYTES 8190

enum conf_type {
	CONF_STRING,
	CONF_PATH,        /* absolute */
	CONF_LIST,        /* of strings */
	CONF_ENVIRONMENT, /* a list of NAME=VALUE */
	CONF_NAMES,       /* a list of names of variables */
	CONF_COUNT,
	CONF_INTEGER, /* may be negative */
	CONF_TIME,
	CONF_SIZE,
	CONF_DECIMAL, /* in thousandths */
	CONF_BOOL,
	CONF_MODE,   /* octal */
	CONF_CHOICE, /* index into choices */
	CONF_RLIMIT, /* a size, or "unlimited" */
	CONF_READY,  /* a time, or "notify" */
};

/* What a running pool must do when the option changes at a reload. */
enum conf_effect {
	CONF_LIVE = 1,       /* takes effect in place, no worker is replaced */
	CONF_LISTENER = 2,   /* changes the listen socket in place */
	CONF_GENERATION = 4, /* needs new workers */
};

struct conf_option {
	const char *name;
	enum conf_type type;
	enum conf_effect effect;
	size_t offset;
	int64_t min, max;
	const char *const *choices;
	const char *fallback; /* as written in a file; NULL: unset */
};

/* Where an option or a section was written; file is NULL for a default. */
struct conf_where {
	const char *file;
	int line;
};

#define CONF_SECTION_OPTIONS 64 /* no section has more */

enum conf_rlimit {
	CONF_RLIMIT_AS,
	CONF_RLIMIT_CORE,
	CONF_RLIMIT_CPU,
	CONF_RLIMIT_DATA,
	CONF_RLIMIT_FSIZE,
	CONF_RLIMIT_MEMLOCK,
	CONF_RLIMIT_NOFILE,
	CONF_RLIMIT_NPROC,
	CONF_RLIMIT_STACK,
	CONF_RLIMITS
};

/* What is served for a host: the http section itself is the default site. */
struct conf_site {
	char *server_name;
	char **server_alias;
	char *document_root;
	char **index;
	int64_t directory_listing, follow_symlinks, dotfiles;
	char **precompressed, **header;
	char *server_admin;
};

struct conf_http {
	struct conf_site site;
	char *mime_types;
	int64_t keepalive_timeout, keepalive_requests;
	int64_t header_timeout, body_timeout, body_min_rate, send_timeout;
	int64_t limit_request_line, limit_request_fields, limit_request_field_size;
	int64_t limit_request_body;
	char *spool_dir;
};

struct conf_alias {
	char *path;
};

struct conf_cgi {
	char *path, *script; /* one of them */
	int64_t timeout, max_time, limit;
	char **environment, **pass_environment;
	int64_t pass_authorization, keep_running;
	char *user, *group;
	int64_t umask, nice;
	int64_t rlimit[CONF_RLIMITS];
};

/* Of a status section, and of the service. */
struct conf_status {
	char **allow, **deny;
	char **pools; /* NULL: all */
	int64_t agent;
};

struct conf_redirect {
	char *to;
	int64_t code;
};

struct conf_location {
	char **allow, **deny;
	char *auth_realm, *auth_user_file;
};

struct conf_error_document {
	char *file;
};

/*
 * A section inside of a service's section, such as site "name" { }, or that section
 * itself.  values is a struct of section->size bytes, such as struct conf_site.
 */
struct conf_block {
	const struct conf_section *section;
	char *title; /* NULL if it has none */
	struct conf_where where;
	struct conf_where set[CONF_SECTION_OPTIONS];
	void *values;
	struct conf_block **blocks; /* in the order of the file */
	size_t n;
};

enum conf_output { CONF_OUTPUT_LOG, CONF_OUTPUT_NULL, CONF_OUTPUT_CONNECTION };

enum conf_lookup { CONF_LOOKUP_OFF, CONF_LOOKUP_ON, CONF_LOOKUP_DOUBLE };

struct conf_service_exec {
	char **command;
	int64_t hostname_lookup; /* enum conf_lookup */
	int64_t hostname_timeout;
	int64_t errors; /* enum conf_output */
	int64_t max_time, idle_timeout;
	int64_t stop_signal; /* see conf_signal() */
};

enum conf_socket_fd { CONF_SOCKET_IS_STDIN, CONF_SOCKET_IS_LISTEN_FDS };

struct conf_service_program {
	char **command;
	int64_t socket_fd;      /* enum conf_socket_fd */
	int64_t ready;          /* a time, or CONF_NOTIFY */
	int64_t stop_signal;    /* see conf_signal() */
	int64_t stop_timeout;   /* CONF_UNSET: graceful_timeout alone counts */
	int64_t output, errors; /* enum conf_output, of stdout and stderr */
};

struct conf_service_stream {
	int64_t idle_timeout;
};

struct conf_service_module {
	char *file;
	char **option;
};

enum conf_proxy_protocol { CONF_PROXY_OFF, CONF_PROXY_ON, CONF_PROXY_OPTIONAL };

struct conf_pool {
	char *name;
	struct conf_where where;
	struct conf_where set[CONF_SECTION_OPTIONS]; /* by index in the pool's table */

	int64_t service;
	char *listen;
	int64_t listen_backlog;
	char *listen_owner, *listen_group;
	int64_t listen_mode;
	int64_t ipv6only, defer_accept;

	int64_t workers; /* more than 0: a fixed pool, the next three equal it */
	int64_t start_workers, min_spare_workers, max_spare_workers, max_workers;
	int64_t old_generation_max;
	int64_t max_requests_per_worker, max_worker_age, max_worker_memory;
	int64_t spare_timeout, boot_timeout, graceful_timeout;
	int64_t request_timeout, slow_request, max_queue_wait;

	char **allow, **deny, **access_times;
	int64_t max_load, max_connections_per_source;
	int64_t rate_limit, rate_burst, rate_limit_per_source, rate_burst_per_source;
	char *banner, *banner_file, *deny_message;
	int64_t proxy_protocol;
	char **proxy_from;

	char *access_log, *access_format;
	char *user, *group;
	char **supplementary_groups;
	char *chroot, *directory;
	int64_t umask, nice;
	int64_t rlimit[CONF_RLIMITS];
	char **environment, **pass_environment;
	int64_t no_new_privs;

	/* Which service sections the file has, and where. */
	struct conf_where section_where[8];
	struct conf_where section_set[8][CONF_SECTION_OPTIONS];
	struct conf_service_exec exec;
	struct conf_service_program program;
	struct conf_service_stream echo, rot13;
	struct conf_status status;
	struct conf_service_module module;
	struct conf_block *http;
};

struct conf {
	char **files; /* owns the names that every conf_where points to */
	struct conf_where set[CONF_SECTION_OPTIONS];

	char *user, *group;
	char *pid_file;
	char *control_socket, *control_group;
	char *log;
	int64_t log_level, log_format;
	int64_t max_workers;
	int64_t graceful_timeout;
	char *include_dir;

	struct conf_pool **pools; /* in the order of the files */
	size_t npools;
};

/* The services, in the order of the choices of "service" and of conf_sections[]. */
enum conf_service {
	CONF_SERVICE_EXEC,
	CONF_SERVICE_PROGRAM,
	CONF_SERVICE_ECHO,
	CONF_SERVICE_ROT13,
	CONF_SERVICE_HTTP,
	CONF_SERVICE_STATUS,
	CONF_SERVICE_MODULE,
	CONF_SERVICES
};

enum conf_log_format { CONF_LOG_TEXT, CONF_LOG_JSON };

#define CONF_SECTION_BLOCKS 8 /* no section has more kinds */

struct conf_section {
	const char *name; /* NULL: the top level */
	const struct conf_option *options;
	size_t n;
	/* Of a section with a struct of its own: its size, and the sections inside. */
	size_t size;
	const struct conf_section *blocks[CONF_SECTION_BLOCKS + 1];
};

extern const struct conf_section conf_global_section, conf_pool_section;
extern const struct conf_section conf_service_sections[CONF_SERVICES];
extern const char *const conf_service_names[], *const conf_log_levels[];
extern const struct conf_section *const conf_all_sections[]; /* NULL behind the last */
extern const struct conf_section conf_site_section, conf_alias_section, conf_redirect_section,
    conf_location_section, conf_error_document_section, conf_cgi_section, conf_status_section;
extern const char *const conf_rlimit_names[CONF_RLIMITS];

/* The syslog.h level that log_level stands for. */
int conf_log_level(const struct conf *conf);

/* The index of a level's name ("notice"), or -1. */
int conf_log_level_from_name(const char *name);

/* Not TCP: its listen address is a path or an abstract name. */
bool conf_pool_is_unix(const struct conf_pool *pool);

/* The signal that a stop_signal stands for. */
int conf_signal(int64_t choice);

/* What the offsets of a service's section count from. */
void *conf_service_values(const struct conf_pool *pool, size_t service);
struct conf_where *conf_service_set(struct conf_pool *pool, size_t service);

/* title is copied.  The block is owned by its parent, if there is one. */
struct conf_block *conf_block_new(const struct conf_section *section, const char *title,
				  struct conf_block *parent);
void conf_block_free(struct conf_block *block);

/* Puts FILE:LINE and the option before a text, which is freed; returns -1. */
int conf_pool_fail(const struct conf_pool *pool, const char *option, char *why, char **err);
int conf_service_fail(const struct conf_pool *pool, const char *option, char *why, char **err);
int conf_block_fail(const struct conf_block *block, const char *option, char *why, char **err);

struct conf *conf_new(void);
void conf_free(struct conf *conf);
struct conf_pool *conf_pool_copy(const struct conf_pool *pool);
struct conf_pool *conf_add_pool(struct conf *conf, const char *name);
void conf_pool_free(struct conf_pool *pool);
struct conf_pool *conf_find_pool(const struct conf *conf, const char *name);

/*
 * Parses one value as it is written in a file and stores it at base + offset; a list
 * grows by it.  0, or -1 with *err saying what would be right.
 */
int conf_set(void *base, const struct conf_option *option, const char *text, char **err);

/* In place of the one that it has; owned then. */
void conf_set_list(void *base, const struct conf_option *option, char **list);

/* An empty list, which differs from one that was never set. */
void conf_set_empty(void *base, const struct conf_option *option);

bool conf_option_is_list(const struct conf_option *option);

/* The position of a name in a section's table, or -1. */
int conf_option_index(const struct conf_section *section, const char *name);

/*
 * After all files are read: fills what is derived (inherited identity, clamped
 * defaults) and checks options against each other.  0, or -1 with *err as
 * "FILE:LINE: text".
 */
int conf_finish(struct conf *conf, char **err);

/* The or of conf_effect over all options in which two pools of a name differ. */
unsigned conf_pool_diff(const struct conf_pool *a, const struct conf_pool *b);

/* Writes the configuration in force in its own language; a dump of a dump is equal. */
void conf_dump(const struct conf *conf, FILE *out);

#endif
