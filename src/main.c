/*
 * preforkd(8): the command line.
 */
#include "child.h"
#include "conf_parse.h"
#include "handover.h"
#include "log.h"
#include "master.h"
#include "notify.h"
#include "reload.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HEAP_SPARE_BYTES 131072

enum { EXIT_USAGE = 2, KERNEL_SIGSET_BYTES = 8, KERNEL_SIGACTION_BYTES = 64 };

static const char usage_text[] =
    "usage: preforkd [-f FILE] [-n] [-t] [-T] [-l LEVEL] [-p PIDFILE] [-s SOCKET] [-V] [-h]\n"
    "  -f FILE     configuration, default " PREFORKD_CONF "\n"
    "  -n          stay in the foreground and log to stderr\n"
    "  -t          check the configuration and exit\n"
    "  -T          print the configuration in force and exit\n"
    "  -l LEVEL    log level: error, warning, notice, info, debug\n"
    "  -p PIDFILE  write the process id there\n"
    "  -s SOCKET   the control socket\n"
    "  -V          print the version\n"
    "  -h          print this help\n"
    "Signals: HUP reload, TERM stop now, QUIT stop gracefully, USR1 reopen logs,\n"
    "USR2 upgrade, TTIN and TTOU one worker more or less.  See preforkd(8), preforkctl(8),\n"
    "preforkd.conf(5).\n";

struct command_line {
	const char *file, *pid_file, *control_socket;
	const char *level; /* the name of log_level */
	bool foreground, check, dump;
	int log_level;
};

static int
complain(const char *what, const char *about)
{
	fprintf(stderr, "preforkd: %s: %s\n", what, about);
	return 1;
}

/* 0: go on; else the exit status + 1. */
static int
parse_command_line(int argc, char **argv, struct command_line *line)
{
	int option;

	*line = (struct command_line){ .file = PREFORKD_CONF, .log_level = -1 };
	while ((option = getopt(argc, argv, "f:ntTl:p:s:Vh")) != -1) {
		switch (option) {
		case 'f':
			line->file = optarg;
			break;
		case 'n':
			line->foreground = true;
			break;
		case 't':
			line->check = true;
			break;
		case 'T':
			line->dump = true;
			break;
		case 'l':
			line->level = optarg;
			line->log_level = conf_log_level_from_name(optarg);
			if (line->log_level < 0) {
				complain(optarg,
					 "not a log level: error, warning, notice, info, debug");
				return EXIT_USAGE + 1;
			}
			break;
		case 'p':
			line->pid_file = optarg;
			break;
		case 's':
			line->control_socket = optarg;
			break;
		case 'V':
			puts(PACKAGE_STRING);
			return 1;
		case 'h':
			fputs(usage_text, stdout);
			return 1;
		default:
			fputs(usage_text, stderr);
			return EXIT_USAGE + 1;
		}
	}
	if (optind == argc)
		return 0;
	complain(argv[optind], "unexpected argument");
	fputs(usage_text, stderr);
	return EXIT_USAGE + 1;
}

/* Absolute before the directory changes.  A link stays one: a reload follows where it leads then.
 */
static char *
absolute(const char *path)
{
	char *cwd, *joined;

	if (!path || path[0] == '/')
		return util_strdup(path);
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		exit(complain(path, "cannot be found: the working directory is gone"));
	joined = util_format("%s/%s", cwd, path);
	free(cwd);
	return joined;
}

static int
check(const struct command_line *line, const char *file)
{
	char *pid_file = absolute(line->pid_file), *control = absolute(line->control_socket);
	const struct reload_line given = { line->foreground, pid_file, control };
	char *err = NULL;
	int status = reload_check(file, &given, &err) < 0;

	if (status == 0)
		fprintf(stderr, "%s is valid\n", file);
	else
		fprintf(stderr, "%s\n", err);
	free(pid_file);
	free(control);
	free(err);
	return status;
}

static int
dump(const char *file)
{
	char *err = NULL;
	struct conf *conf = conf_parse(file, &err);

	if (!conf) {
		fprintf(stderr, "%s\n", err);
		free(err);
		return 1;
	}
	conf_dump(conf, stdout);
	conf_free(conf);
	return fflush(stdout) == 0 ? 0 : complain("stdout", strerror(errno));
}

/* Whatever we inherited: ignored and blocked signals, descriptors, a closed stdin. */
static void
clean_inheritance(void)
{
	static const char dfl[KERNEL_SIGACTION_BYTES]; /* all zero: SIG_DFL, no flags */
	sigset_t none;
	int fd;

	/* By the kernel's own call: sigaction(3) does not let us reset 32 and 33. */
	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, KERNEL_SIGSET_BYTES);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
	fd = (int)util_max(notify_last_fd(), handover_last_fd());
	util_close_from(fd + 1);
	umask(022);
}

/* So that another master, wherever it starts, does the same as this one. */
static char **
arguments_again(const struct command_line *line, const struct master_options *options)
{
	char **list = NULL;

	util_list_add(&list, "preforkd");
	util_list_add(&list, "-f");
	util_list_add(&list, options->file);
	if (options->foreground)
		util_list_add(&list, "-n");
	if (line->level) {
		util_list_add(&list, "-l");
		util_list_add(&list, line->level);
	}
	if (options->pid_file) {
		util_list_add(&list, "-p");
		util_list_add(&list, options->pid_file);
	}
	if (options->control_socket) {
		util_list_add(&list, "-s");
		util_list_add(&list, options->control_socket);
	}
	return list;
}

/* Where our program is, or what will be put in its place. */
static char *
own_program(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	return util_strdup(path);
}

static int
run(const struct command_line *line, char *file)
{
	struct master_options options = {
		.file = file,
		.pid_file = absolute(line->pid_file),
		.control_socket = absolute(line->control_socket),
		.log_level = line->log_level,
		.foreground = line->foreground,
		.program = own_program(),
		.ready_fd = -1,
	};
	char *err = NULL;

	options.arguments = arguments_again(line, &options);

	/* The commonest mistakes are told before anything else happens. */
	if (!line->foreground) {
		struct conf *conf = conf_parse(file, &err);

		if (!conf) {
			fprintf(stderr, "%s\n", err);
			handover_tell("failed %s", err);
			free(err);
			return 1;
		}
		conf_free(conf);
		if (handover_fd() < 0 && (options.ready_fd = child_daemonize()) < 0)
			return complain("cannot go into the background", strerror(errno));
	}
	return master_run(&options);
}

/*
 * What a large page took goes back to the kernel, from each worker too.  Unasked, malloc(3) of
 * glibc keeps the more behind it, the larger a piece was that it has given back.
 */
static void
keep_little_memory(void)
{
#ifdef M_TRIM_THRESHOLD
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE_BYTES);
#endif
}

int
main(int argc, char **argv)
{
	struct command_line line;
	int done = parse_command_line(argc, argv, &line), status;
	char *file;

	if (done)
		return done - 1;
	file = absolute(line.file);
	title_init(argc, argv);
	keep_little_memory();
	notify_init();
	handover_init();
	clean_inheritance();
	notify_connect();
	log_start("preforkd");
	if (line.check || line.dump)
		log_set_plain();
	if (line.check)
		status = check(&line, file);
	else if (line.dump)
		status = dump(file);
	else
		status = run(&line, file);
	free(file);
	return status;
}
