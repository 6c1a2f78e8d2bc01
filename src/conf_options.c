/*
 * The vocabulary of the configuration: one table of options a section.
 */
#include "conf.h"

#define DAY     INT64_C(86400000)
#define WEEK    (7 * DAY)
#define NOTHING 0, 0, NULL

const char *const conf_service_names[] = { "exec", "program", "echo",   "rot13",
					   "http", "status",  "module", NULL };
#define MAX_RATE 1000000 /* a second */

const char *const conf_rlimit_names[CONF_RLIMITS] = { "as",      "core",   "cpu",   "data", "fsize",
						      "memlock", "nofile", "nproc", "stack" };

static const char *const proxy_choices[] = { "off", "on", "optional", NULL };

const char *const conf_log_levels[] = { "error", "warning", "notice", "info", "debug", NULL };

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const symlink_choices[] = { "no", "owner", "yes", NULL };
static const char *const socket_fd_choices[] = { "0", "3", NULL };
static const char *const signal_choices[] = { "TERM", "INT",  "QUIT",  "HUP",
					      "USR1", "USR2", "WINCH", NULL };
static const char *const output_choices[] = { "log", "null", NULL };
static const char *const lookup_choices[] = { "off", "on", "double", NULL };
static const char *const errors_choices[] = { "log", "null", "connection", NULL };

/* One option an entry, readable as a table. */
/* clang-format off */
#define RLIMIT(name, base, n)                                                            \
	{ "rlimit_" name, CONF_RLIMIT, CONF_GENERATION, (base) + (n) * sizeof(int64_t), 0, \
	  INT64_MAX / 2, NULL, NULL }
#define RLIMITS(base)                                 \
	RLIMIT("as", base, CONF_RLIMIT_AS),           \
	RLIMIT("core", base, CONF_RLIMIT_CORE),       \
	RLIMIT("cpu", base, CONF_RLIMIT_CPU),         \
	RLIMIT("data", base, CONF_RLIMIT_DATA),       \
	RLIMIT("fsize", base, CONF_RLIMIT_FSIZE),     \
	RLIMIT("memlock", base, CONF_RLIMIT_MEMLOCK), \
	RLIMIT("nofile", base, CONF_RLIMIT_NOFILE),   \
	RLIMIT("nproc", base, CONF_RLIMIT_NPROC),     \
	RLIMIT("stack", base, CONF_RLIMIT_STACK)

#define GLOBAL(field) offsetof(struct conf, field)
static const struct conf_option global_options[] = {
	{ "user", CONF_STRING, CONF_LIVE, GLOBAL(user), NOTHING, PREFORKD_USER },
	{ "group", CONF_STRING, CONF_LIVE, GLOBAL(group), NOTHING, NULL },
	{ "pid_file", CONF_PATH, CONF_LIVE, GLOBAL(pid_file), NOTHING,
	  PREFORKD_RUNDIR "/preforkd.pid" },
	{ "control_socket", CONF_PATH, CONF_LIVE, GLOBAL(control_socket), NOTHING,
	  PREFORKD_RUNDIR "/control.sock" },
	{ "control_group", CONF_STRING, CONF_LIVE, GLOBAL(control_group), NOTHING, NULL },
	{ "log", CONF_STRING, CONF_LIVE, GLOBAL(log), NOTHING, "syslog:daemon" },
	{ "log_level", CONF_CHOICE, CONF_LIVE, GLOBAL(log_level), 0, 0, conf_log_levels, "notice" },
	{ "log_format", CONF_CHOICE, CONF_LIVE, GLOBAL(log_format), 0, 0, log_formats, "text" },
	{ "max_workers", CONF_COUNT, CONF_LIVE, GLOBAL(max_workers), 1, CONF_MAX_WORKERS, NULL,
	  "1000" },
	{ "graceful_timeout", CONF_TIME, CONF_LIVE, GLOBAL(graceful_timeout), 0, DAY, NULL, "30s" },
	{ "include_dir", CONF_PATH, CONF_LIVE, GLOBAL(include_dir), NOTHING, NULL },
};

#define POOL(field)    offsetof(struct conf_pool, field)
static const struct conf_option pool_options[] = {
	{ "service", CONF_CHOICE, CONF_GENERATION, POOL(service), 0, 0, conf_service_names, NULL },
	{ "listen", CONF_STRING, CONF_GENERATION, POOL(listen), NOTHING, NULL },
	{ "listen_backlog", CONF_COUNT, CONF_LISTENER, POOL(listen_backlog), 1, 65535, NULL,
	  "511" },
	{ "listen_owner", CONF_STRING, CONF_LISTENER, POOL(listen_owner), NOTHING, NULL },
	{ "listen_group", CONF_STRING, CONF_LISTENER, POOL(listen_group), NOTHING, NULL },
	{ "listen_mode", CONF_MODE, CONF_LISTENER, POOL(listen_mode), 0, 0777, NULL, "0660" },
	{ "ipv6only", CONF_BOOL, CONF_GENERATION, POOL(ipv6only), NOTHING, "false" },
	{ "defer_accept", CONF_BOOL, CONF_LISTENER, POOL(defer_accept), NOTHING, "false" },
	{ "workers", CONF_COUNT, CONF_LIVE, POOL(workers), 1, CONF_MAX_WORKERS, NULL, NULL },
	{ "start_workers", CONF_COUNT, CONF_LIVE, POOL(start_workers), 0, CONF_MAX_WORKERS, NULL,
	  "5" },
	{ "min_spare_workers", CONF_COUNT, CONF_LIVE, POOL(min_spare_workers), 0, CONF_MAX_WORKERS,
	  NULL, "5" },
	{ "max_spare_workers", CONF_COUNT, CONF_LIVE, POOL(max_spare_workers), 0, CONF_MAX_WORKERS,
	  NULL, "10" },
	{ "max_workers", CONF_COUNT, CONF_LIVE, POOL(max_workers), 1, CONF_MAX_WORKERS, NULL,
	  "150" },
	{ "spare_timeout", CONF_TIME, CONF_LIVE, POOL(spare_timeout), 0, DAY, NULL, "10s" },
	{ "old_generation_max", CONF_COUNT, CONF_LIVE, POOL(old_generation_max), 1,
	  CONF_MAX_WORKERS, NULL, NULL },
	{ "max_requests_per_worker", CONF_COUNT, CONF_LIVE, POOL(max_requests_per_worker), 0,
	  INT32_MAX, NULL, "0" },
	{ "max_worker_age", CONF_TIME, CONF_LIVE, POOL(max_worker_age), 0, 52 * WEEK, NULL, "0s" },
	{ "max_worker_memory", CONF_SIZE, CONF_GENERATION, POOL(max_worker_memory), 0,
	  INT64_MAX / 2, NULL, "0" },
	{ "request_timeout", CONF_TIME, CONF_LIVE, POOL(request_timeout), 0, WEEK, NULL, "0s" },
	{ "slow_request", CONF_TIME, CONF_LIVE, POOL(slow_request), 0, WEEK, NULL, "0s" },
	{ "max_queue_wait", CONF_TIME, CONF_LIVE, POOL(max_queue_wait), 0, DAY, NULL, "0s" },
	{ "boot_timeout", CONF_TIME, CONF_LIVE, POOL(boot_timeout), 1000, 3600000, NULL, "30s" },
	{ "graceful_timeout", CONF_TIME, CONF_LIVE, POOL(graceful_timeout), 0, DAY, NULL, NULL },
	{ "allow", CONF_LIST, CONF_GENERATION, POOL(allow), NOTHING, NULL },
	{ "deny", CONF_LIST, CONF_GENERATION, POOL(deny), NOTHING, NULL },
	{ "access_times", CONF_LIST, CONF_GENERATION, POOL(access_times), NOTHING, NULL },
	{ "max_load", CONF_DECIMAL, CONF_GENERATION, POOL(max_load), 0, 1000000000, NULL, "0" },
	{ "max_connections_per_source", CONF_COUNT, CONF_GENERATION,
	  POOL(max_connections_per_source), 0, CONF_MAX_WORKERS, NULL, "0" },
	{ "rate_limit", CONF_COUNT, CONF_GENERATION, POOL(rate_limit), 0, MAX_RATE, NULL, "0" },
	{ "rate_burst", CONF_COUNT, CONF_GENERATION, POOL(rate_burst), 1, MAX_RATE, NULL, "1" },
	{ "rate_limit_per_source", CONF_COUNT, CONF_GENERATION, POOL(rate_limit_per_source), 0,
	  MAX_RATE, NULL, "0" },
	{ "rate_burst_per_source", CONF_COUNT, CONF_GENERATION, POOL(rate_burst_per_source), 1,
	  MAX_RATE, NULL, "1" },
	{ "banner", CONF_STRING, CONF_GENERATION, POOL(banner), NOTHING, NULL },
	{ "banner_file", CONF_PATH, CONF_GENERATION, POOL(banner_file), NOTHING, NULL },
	{ "deny_message", CONF_STRING, CONF_GENERATION, POOL(deny_message), NOTHING, NULL },
	{ "proxy_protocol", CONF_CHOICE, CONF_GENERATION, POOL(proxy_protocol), 0, 0,
	  proxy_choices, "off" },
	{ "proxy_from", CONF_LIST, CONF_GENERATION, POOL(proxy_from), NOTHING, NULL },
	{ "access_log", CONF_PATH, CONF_GENERATION, POOL(access_log), NOTHING, NULL },
	{ "access_format", CONF_STRING, CONF_GENERATION, POOL(access_format), NOTHING, "combined" },
	{ "user", CONF_STRING, CONF_GENERATION, POOL(user), NOTHING, NULL },
	{ "group", CONF_STRING, CONF_GENERATION, POOL(group), NOTHING, NULL },
	{ "supplementary_groups", CONF_LIST, CONF_GENERATION, POOL(supplementary_groups), NOTHING,
	  NULL },
	{ "chroot", CONF_PATH, CONF_GENERATION, POOL(chroot), NOTHING, NULL },
	{ "directory", CONF_PATH, CONF_GENERATION, POOL(directory), NOTHING, "/" },
	{ "umask", CONF_MODE, CONF_GENERATION, POOL(umask), 0, 0777, NULL, "022" },
	{ "nice", CONF_INTEGER, CONF_GENERATION, POOL(nice), -20, 19, NULL, NULL },
	RLIMITS(POOL(rlimit)),
	{ "environment", CONF_ENVIRONMENT, CONF_GENERATION, POOL(environment), NOTHING, NULL },
	{ "pass_environment", CONF_NAMES, CONF_GENERATION, POOL(pass_environment), NOTHING, NULL },
	{ "no_new_privs", CONF_BOOL, CONF_GENERATION, POOL(no_new_privs), NOTHING, "false" },
};

static const struct conf_option exec_options[] = {
	{ "command", CONF_LIST, CONF_GENERATION, POOL(exec.command), NOTHING, NULL },
	{ "stderr", CONF_CHOICE, CONF_GENERATION, POOL(exec.errors), 0, 0, errors_choices, "log" },
	{ "hostname_lookup", CONF_CHOICE, CONF_GENERATION, POOL(exec.hostname_lookup), 0, 0,
	  lookup_choices, "off" },
	{ "hostname_timeout", CONF_TIME, CONF_GENERATION, POOL(exec.hostname_timeout), 1, 60000,
	  NULL, "5s" },
	{ "max_time", CONF_TIME, CONF_GENERATION, POOL(exec.max_time), 0, WEEK, NULL, "0s" },
	{ "idle_timeout", CONF_TIME, CONF_GENERATION, POOL(exec.idle_timeout), 0, WEEK, NULL,
	  "0s" },
	{ "stop_signal", CONF_CHOICE, CONF_GENERATION, POOL(exec.stop_signal), 0, 0,
	  signal_choices, "TERM" },
};

static const struct conf_option program_options[] = {
	{ "command", CONF_LIST, CONF_GENERATION, POOL(program.command), NOTHING, NULL },
	{ "socket_fd", CONF_CHOICE, CONF_GENERATION, POOL(program.socket_fd), 0, 0,
	  socket_fd_choices, "0" },
	{ "ready", CONF_READY, CONF_GENERATION, POOL(program.ready), 0, 3600000, NULL, "1s" },
	{ "stop_signal", CONF_CHOICE, CONF_GENERATION, POOL(program.stop_signal), 0, 0,
	  signal_choices, "TERM" },
	{ "stop_timeout", CONF_TIME, CONF_GENERATION, POOL(program.stop_timeout), 0, DAY, NULL,
	  NULL },
	{ "stdout", CONF_CHOICE, CONF_GENERATION, POOL(program.output), 0, 0, output_choices,
	  "log" },
	{ "stderr", CONF_CHOICE, CONF_GENERATION, POOL(program.errors), 0, 0, output_choices,
	  "log" },
};

static const struct conf_option echo_options[] = {
	{ "idle_timeout", CONF_TIME, CONF_GENERATION, POOL(echo.idle_timeout), 0, DAY, NULL,
	  "60s" },
};

static const struct conf_option rot13_options[] = {
	{ "idle_timeout", CONF_TIME, CONF_GENERATION, POOL(rot13.idle_timeout), 0, DAY, NULL,
	  "60s" },
};

static const struct conf_option module_options[] = {
	{ "file", CONF_PATH, CONF_GENERATION, POOL(module.file), NOTHING, NULL },
	{ "option", CONF_LIST, CONF_GENERATION, POOL(module.option), NOTHING, NULL },
};

#define SITE(field) offsetof(struct conf_site, field)
#define SITE_OPTIONS                                                                             \
	{ "server_name", CONF_STRING, CONF_GENERATION, SITE(server_name), NOTHING, NULL },       \
	    { "server_alias", CONF_LIST, CONF_GENERATION, SITE(server_alias), NOTHING, NULL },   \
	    { "document_root", CONF_PATH, CONF_GENERATION, SITE(document_root), NOTHING, NULL }, \
	    { "index", CONF_LIST, CONF_GENERATION, SITE(index), NOTHING, NULL },                 \
	    { "directory_listing",     CONF_BOOL, CONF_GENERATION,                               \
	      SITE(directory_listing), NOTHING,   NULL },                                        \
	    { "follow_symlinks", CONF_CHOICE, CONF_GENERATION, SITE(follow_symlinks), 0, 0,      \
	      symlink_choices,   NULL },                                                         \
	    { "dotfiles", CONF_BOOL, CONF_GENERATION, SITE(dotfiles), NOTHING, NULL },           \
	    { "precompressed", CONF_LIST, CONF_GENERATION, SITE(precompressed), NOTHING, NULL }, \
	    { "header", CONF_LIST, CONF_GENERATION, SITE(header), NOTHING, NULL },               \
	    { "server_admin", CONF_STRING, CONF_GENERATION, SITE(server_admin), NOTHING, NULL },

static const struct conf_option site_options[] = {
	SITE_OPTIONS
};

#define HTTP(field) offsetof(struct conf_http, field)
static const struct conf_option http_options[] = {
	SITE_OPTIONS{ "mime_types", CONF_PATH, CONF_GENERATION, HTTP(mime_types), NOTHING,
		      "/etc/mime.types" },
	{ "keepalive_timeout", CONF_TIME, CONF_GENERATION, HTTP(keepalive_timeout), 0, DAY, NULL,
	  "5s" },
	{ "keepalive_requests", CONF_COUNT, CONF_GENERATION, HTTP(keepalive_requests), 1, INT32_MAX,
	  NULL, "100" },
	{ "header_timeout", CONF_TIME, CONF_GENERATION, HTTP(header_timeout), 1, DAY, NULL, "20s" },
	{ "body_timeout", CONF_TIME, CONF_GENERATION, HTTP(body_timeout), 1, DAY, NULL, "20s" },
	{ "body_min_rate", CONF_COUNT, CONF_GENERATION, HTTP(body_min_rate), 1, INT32_MAX, NULL,
	  "500" },
	{ "send_timeout", CONF_TIME, CONF_GENERATION, HTTP(send_timeout), 1, DAY, NULL, "60s" },
	{ "limit_request_line", CONF_COUNT, CONF_GENERATION, HTTP(limit_request_line), 64, 65536,
	  NULL, "8190" },
	{ "limit_request_fields", CONF_COUNT, CONF_GENERATION, HTTP(limit_request_fields), 1, 1000,
	  NULL, "100" },
	{ "limit_request_field_size", CONF_COUNT, CONF_GENERATION, HTTP(limit_request_field_size),
	  64, 65536, NULL, "8190" },
	{ "limit_request_body", CONF_SIZE, CONF_GENERATION, HTTP(limit_request_body), 0,
	  INT64_MAX / 2, NULL, "64M" },
	{ "spool_dir", CONF_PATH, CONF_GENERATION, HTTP(spool_dir), NOTHING, "/var/tmp" },
};

#define ALIAS(field) offsetof(struct conf_alias, field)
static const struct conf_option alias_options[] = {
	{ "path", CONF_PATH, CONF_GENERATION, ALIAS(path), NOTHING, NULL },
};

#define CGI(field) offsetof(struct conf_cgi, field)
static const struct conf_option cgi_options[] = {
	{ "path", CONF_PATH, CONF_GENERATION, CGI(path), NOTHING, NULL },
	{ "script", CONF_PATH, CONF_GENERATION, CGI(script), NOTHING, NULL },
	{ "timeout", CONF_TIME, CONF_GENERATION, CGI(timeout), 1, DAY, NULL, "60s" },
	{ "max_time", CONF_TIME, CONF_GENERATION, CGI(max_time), 0, WEEK, NULL, "0s" },
	{ "limit", CONF_COUNT, CONF_GENERATION, CGI(limit), 0, CONF_MAX_WORKERS, NULL, "0" },
	{ "environment", CONF_ENVIRONMENT, CONF_GENERATION, CGI(environment), NOTHING, NULL },
	{ "pass_environment", CONF_NAMES, CONF_GENERATION, CGI(pass_environment), NOTHING, NULL },
	{ "pass_authorization", CONF_BOOL, CONF_GENERATION, CGI(pass_authorization), NOTHING, "false" },
	{ "keep_running", CONF_BOOL, CONF_GENERATION, CGI(keep_running), NOTHING, "false" },
	{ "user", CONF_STRING, CONF_GENERATION, CGI(user), NOTHING, NULL },
	{ "group", CONF_STRING, CONF_GENERATION, CGI(group), NOTHING, NULL },
	{ "umask", CONF_MODE, CONF_GENERATION, CGI(umask), 0, 0777, NULL, NULL },
	{ "nice", CONF_INTEGER, CONF_GENERATION, CGI(nice), -20, 19, NULL, NULL },
	RLIMITS(CGI(rlimit)),
};

#define STATUS(field) offsetof(struct conf_status, field)
static const struct conf_option status_options[] = {
	{ "allow", CONF_LIST, CONF_GENERATION, STATUS(allow), NOTHING, NULL },
	{ "deny", CONF_LIST, CONF_GENERATION, STATUS(deny), NOTHING, NULL },
	{ "pools", CONF_LIST, CONF_GENERATION, STATUS(pools), NOTHING, NULL },
	{ "agent", CONF_BOOL, CONF_GENERATION, STATUS(agent), NOTHING, "false" },
};

#define REDIRECT(field) offsetof(struct conf_redirect, field)
static const struct conf_option redirect_options[] = {
	{ "to", CONF_STRING, CONF_GENERATION, REDIRECT(to), NOTHING, NULL },
	{ "code", CONF_COUNT, CONF_GENERATION, REDIRECT(code), 301, 308, NULL, "302" },
};

#define LOCATION(field) offsetof(struct conf_location, field)
static const struct conf_option location_options[] = {
	{ "allow", CONF_LIST, CONF_GENERATION, LOCATION(allow), NOTHING, NULL },
	{ "deny", CONF_LIST, CONF_GENERATION, LOCATION(deny), NOTHING, NULL },
	{ "auth_realm", CONF_STRING, CONF_GENERATION, LOCATION(auth_realm), NOTHING, NULL },
	{ "auth_user_file", CONF_PATH, CONF_GENERATION, LOCATION(auth_user_file), NOTHING, NULL },
};

#define ERROR_DOCUMENT(field) offsetof(struct conf_error_document, field)
static const struct conf_option error_document_options[] = {
	{ "file", CONF_PATH, CONF_GENERATION, ERROR_DOCUMENT(file), NOTHING, NULL },
};
/* clang-format on */

#define SECTION(name, options) name, options, ARRAY_LEN(options)

const struct conf_section conf_global_section = { SECTION(NULL, global_options), 0, { NULL } };
const struct conf_section conf_pool_section = { SECTION("pool", pool_options), 0, { NULL } };

const struct conf_section conf_alias_section = { SECTION("alias", alias_options),
						 sizeof(struct conf_alias),
						 { NULL } };
const struct conf_section conf_cgi_section = { SECTION("cgi", cgi_options),
					       sizeof(struct conf_cgi),
					       { NULL } };
const struct conf_section conf_status_section = { SECTION("status", status_options),
						  sizeof(struct conf_status),
						  { NULL } };
const struct conf_section conf_redirect_section = { SECTION("redirect", redirect_options),
						    sizeof(struct conf_redirect),
						    { NULL } };
const struct conf_section conf_location_section = { SECTION("location", location_options),
						    sizeof(struct conf_location),
						    { NULL } };
const struct conf_section conf_error_document_section = {
	SECTION("error_document", error_document_options),
	sizeof(struct conf_error_document),
	{ NULL },
};
const struct conf_section conf_site_section = {
	SECTION("site", site_options),
	sizeof(struct conf_site),
	{ &conf_alias_section, &conf_cgi_section, &conf_redirect_section, &conf_location_section,
	  &conf_error_document_section, &conf_status_section, NULL },
};

const struct conf_section conf_service_sections[CONF_SERVICES] = {
	[CONF_SERVICE_EXEC] = { SECTION("exec", exec_options), 0, { NULL } },
	[CONF_SERVICE_PROGRAM] = { SECTION("program", program_options), 0, { NULL } },
	[CONF_SERVICE_ECHO] = { SECTION("echo", echo_options), 0, { NULL } },
	[CONF_SERVICE_ROT13] = { SECTION("rot13", rot13_options), 0, { NULL } },
	[CONF_SERVICE_HTTP] = {
		SECTION("http", http_options),
		sizeof(struct conf_http),
		{ &conf_alias_section, &conf_cgi_section, &conf_redirect_section,
		  &conf_location_section, &conf_error_document_section, &conf_status_section,
		  &conf_site_section, NULL },
	},
	[CONF_SERVICE_STATUS] = { SECTION("status", status_options), 0, { NULL } },
	[CONF_SERVICE_MODULE] = { SECTION("module", module_options), 0, { NULL } },
};

_Static_assert(ARRAY_LEN(pool_options) <= CONF_SECTION_OPTIONS, "conf_pool.set is too small");

const struct conf_section *const conf_all_sections[] = {
	&conf_global_section,
	&conf_pool_section,
	&conf_service_sections[CONF_SERVICE_EXEC],
	&conf_service_sections[CONF_SERVICE_PROGRAM],
	&conf_service_sections[CONF_SERVICE_ECHO],
	&conf_service_sections[CONF_SERVICE_ROT13],
	&conf_service_sections[CONF_SERVICE_HTTP],
	&conf_service_sections[CONF_SERVICE_MODULE],
	&conf_service_sections[CONF_SERVICE_STATUS],
	&conf_site_section,
	&conf_alias_section,
	&conf_cgi_section,
	&conf_status_section,
	&conf_redirect_section,
	&conf_location_section,
	&conf_error_document_section,
	NULL,
};
