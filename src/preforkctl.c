/*
 * preforkctl(8): the command line.  What a command takes stands in one table; what its
 * words mean, only the daemon knows.
 */
#include "conf_value.h"
#include "ctl_client.h"
#include "status_json.h"
#include "status_page.h"
#include "status_prometheus.h"
#include "status_text.h"
#include "top.h"
#include "utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_DONE = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, EXIT_TIME = 4 };

enum {
	QUICK_MS = 20000, /* a limit for answers that wait for nothing, against a dead daemon */
	TOP_MS = 1000,    /* from one look to the next */
	MONTH_MS = 30 * 86400 * INT64_C(1000),
};

static const char usage_text[] =
    "usage: preforkctl [-s SOCKET] [--timeout TIME] COMMAND [ARG...]\n"
    "  status [POOL]               what runs and how it fares\n"
    "  workers [POOL]              what each worker does\n"
    "  top                         both, again and again\n"
    "  reload                      read the configuration again, if it is right\n"
    "  test                        only check the configuration\n"
    "  reopen                      open the log file again\n"
    "  scale POOL N|+N|-N          change a pool's number of (spare) workers\n"
    "  recycle [POOL]              replace the workers with new ones\n"
    "  drain POOL                  accept nothing more; resume POOL: accept again\n"
    "  kill [--now] PID            let a worker finish and leave, or end it at once\n"
    "  upgrade                     start the new program on the same sockets\n"
    "  stop [--now]                finish what is there and end, or end at once\n"
    "  version                     of preforkctl and of the daemon\n"
    "  -s SOCKET       control socket, default " PREFORKD_RUNDIR "/control.sock\n"
    "  --json, --prometheus, --html\n"
    "                  print the status for programs, for Prometheus, as a page\n"
    "  --no-wait       return when it has begun, not when it is done\n"
    "  --timeout TIME  wait so long at most: 500ms, 20s, 5m (a bare number is seconds)\n"
    "  -V, --version   print the version of preforkctl\n"
    "  -h, --help      print this help\n"
    "Exit status: 0 done, 1 refused, 2 wrong usage, 3 no daemon, 4 time is up.\n"
    "See preforkctl(8).\n";

enum flag { FLAG_JSON = 1, FLAG_NO_WAIT = 2, FLAG_NOW = 4, FLAG_PROMETHEUS = 8, FLAG_HTML = 16 };

#define FLAGS_FORMAT (FLAG_JSON | FLAG_PROMETHEUS | FLAG_HTML)

struct command {
	const char *name, *arguments; /* as in the usage */
	size_t least, most;           /* words behind the name */
	unsigned flags;               /* that go with it */
	bool waits;                   /* for something to be done, unless --no-wait */
};

static const struct command commands[] = {
	{ "status", " [POOL]", 0, 1, FLAGS_FORMAT, false },
	{ "workers", " [POOL]", 0, 1, 0, false },
	{ "top", "", 0, 0, 0, false },
	{ "reload", "", 0, 0, FLAG_NO_WAIT, true },
	{ "test", "", 0, 0, 0, true },
	{ "reopen", "", 0, 0, 0, false },
	{ "scale", " POOL N|+N|-N", 2, 2, FLAG_NO_WAIT, true },
	{ "recycle", " [POOL]", 0, 1, FLAG_NO_WAIT, true },
	{ "drain", " POOL", 1, 1, FLAG_NO_WAIT, true },
	{ "resume", " POOL", 1, 1, FLAG_NO_WAIT, true },
	{ "kill", " PID", 1, 1, FLAG_NOW | FLAG_NO_WAIT, true },
	{ "upgrade", "", 0, 0, FLAG_NO_WAIT, true },
	{ "stop", "", 0, 0, FLAG_NOW | FLAG_NO_WAIT, true },
	{ "version", "", 0, 0, 0, false },
};

static const struct {
	const char *name;
	unsigned flag;
} flags[] = {
	{ "--json", FLAG_JSON }, { "--prometheus", FLAG_PROMETHEUS },
	{ "--html", FLAG_HTML }, { "--no-wait", FLAG_NO_WAIT },
	{ "--now", FLAG_NOW },
};

struct command_line {
	const char *socket;
	int64_t timeout_ms; /* 0: not given */
	unsigned flags;
	bool help, version;
	const char *words[CONTROL_WORDS];
	size_t n;
	const struct command *command;
};

static int
set_timeout(struct command_line *line, const char *value, char **err)
{
	char *why = NULL;

	if (conf_value_time(value, 1, MONTH_MS, &line->timeout_ms, &why) == 0)
		return 0;
	util_fail(err, "--timeout: %s", why);
	free(why);
	return -1;
}

/* The option's value, in the same argument or the next one; NULL: it is another option. */
static const char *
value_of(const char *option, const char *glue, char **argv, int *i)
{
	size_t len = strlen(option);

	if (strncmp(argv[*i], option, len) != 0)
		return NULL;
	if (argv[*i][len] == '\0')
		return argv[*i + 1] ? argv[++*i] : "";
	if (strncmp(argv[*i] + len, glue, strlen(glue)) != 0)
		return NULL;
	return argv[*i] + len + strlen(glue);
}

static int
parse_option(struct command_line *line, char **argv, int *i, char **err)
{
	const char *option = argv[*i], *value;

	for (size_t k = 0; k < ARRAY_LEN(flags); k++)
		if (strcmp(option, flags[k].name) == 0) {
			line->flags |= flags[k].flag;
			return 0;
		}
	if (strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0) {
		line->help = true;
	} else if (strcmp(option, "-V") == 0 || strcmp(option, "--version") == 0) {
		line->version = true;
	} else if ((value = value_of("-s", "", argv, i))) {
		line->socket = value;
		return *value ? 0 : util_fail(err, "-s needs the path of a socket");
	} else if ((value = value_of("--timeout", "=", argv, i))) {
		return set_timeout(line, value, err);
	} else {
		return util_fail(err, "unknown option %s", option);
	}
	return 0;
}

static int
add_word(struct command_line *line, const char *word, char **err)
{
	if (line->n == CONTROL_WORDS)
		return util_fail(err, "too many arguments");
	line->words[line->n++] = word;
	return 0;
}

/* Options may stand anywhere before "--"; -5 is none: "scale POOL -5". */
static int
parse_arguments(struct command_line *line, char **argv, char **err)
{
	bool options = true;

	for (int i = 1; argv[i]; i++) {
		const char *word = argv[i];
		bool option = options && word[0] == '-' && !isdigit((unsigned char)word[1]);

		if (option && strcmp(word, "--") == 0)
			options = false;
		else if ((option ? parse_option(line, argv, &i, err) : add_word(line, word, err)) <
			 0)
			return -1;
	}
	return 0;
}

static int
check_command(struct command_line *line, char **err)
{
	const struct command *command = NULL;

	if (line->n == 0)
		return util_fail(err, "a command is missing");
	for (size_t i = 0; i < ARRAY_LEN(commands) && !command; i++)
		if (strcmp(line->words[0], commands[i].name) == 0)
			command = &commands[i];
	if (!command)
		return util_fail(err, "unknown command %s", line->words[0]);
	if (line->n - 1 < command->least || line->n - 1 > command->most)
		return util_fail(err, "usage: preforkctl %s%s", command->name, command->arguments);
	for (size_t k = 0; k < ARRAY_LEN(flags); k++)
		if (line->flags & ~command->flags & flags[k].flag)
			return util_fail(err, "%s does not go with %s", flags[k].name,
					 command->name);
	if ((line->flags & FLAGS_FORMAT) & ((line->flags & FLAGS_FORMAT) - 1))
		return util_fail(err, "--json, --prometheus and --html do not go together");
	line->command = command;
	return 0;
}

static int
complain(const char *text, int status)
{
	char *clean = utf8_printable(text);

	fprintf(stderr, "preforkctl: %s\n", clean);
	free(clean);
	return status;
}

static int
complain_usage(char *err)
{
	complain(err, EXIT_USAGE);
	fputs("Try: preforkctl --help\n", stderr);
	free(err);
	return EXIT_USAGE;
}

static bool
is_command(const struct command_line *line, const char *name)
{
	return strcmp(line->command->name, name) == 0;
}

/* NULL with *err: it cannot be said on one line. */
static char *
request_line(const struct command_line *line, char **err)
{
	struct control_request request = {
		.n = line->n,
		.no_wait = line->flags & FLAG_NO_WAIT,
		.now = line->flags & FLAG_NOW,
	};

	memcpy(request.words, line->words, sizeof(request.words));
	if (is_command(line, "workers"))
		request.words[0] = "status";
	return control_request_format(&request, err);
}

static int
take_record(void *doc, const struct control_record *record, char **err)
{
	return status_doc_add(doc, record, err);
}

static int
show_document(const struct command_line *line, const struct status_doc *doc)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (line->flags & FLAG_JSON)
		return status_json_print(doc, stdout) == 0 ? EXIT_DONE : EXIT_REFUSED;
	if (line->flags & FLAG_PROMETHEUS)
		status_prometheus_print(doc, (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
					stdout);
	else if (line->flags & FLAG_HTML)
		status_page_print(doc, now.tv_sec, STATUS_PAGE_ONCE, stdout);
	else if (is_command(line, "workers"))
		status_text_print_workers(doc, stdout);
	else
		status_text_print(doc, stdout);
	return EXIT_DONE;
}

/* The answer to an ok: a document, or the sentence itself. */
static int
show(const struct command_line *line, const struct status_doc *doc, const char *text)
{
	char *clean = utf8_printable(text), *err = NULL;
	int status = EXIT_DONE;

	if (doc && status_doc_check(doc, &err) < 0)
		status = complain(err, EXIT_NO_DAEMON);
	else if (doc)
		status = show_document(line, doc);
	else if (clean[0])
		puts(clean);
	free(clean);
	free(err);
	return status;
}

/* The daemon's own words stand alone: FILE:LINE: message is for editors, too. */
static int
show_refusal(const char *text)
{
	char *clean = utf8_printable(text);

	fprintf(stderr, "%s\n", clean[0] ? clean : "refused");
	free(clean);
	return EXIT_REFUSED;
}

static int
finish(const struct command_line *line, enum ctl_outcome outcome, const struct status_doc *doc,
       const char *text)
{
	switch (outcome) {
	case CTL_DONE:
		return show(line, doc, text);
	case CTL_FAILED:
		return show_refusal(text);
	case CTL_NO_DAEMON:
		return complain(text, EXIT_NO_DAEMON);
	case CTL_WAITING:
		if (line->command->waits && !(line->flags & FLAG_NO_WAIT)) {
			fprintf(stderr, "preforkctl: %s is still under way after ",
				line->command->name);
			conf_value_print_time(stderr, line->timeout_ms);
			fputs("; it goes on\n", stderr);
			return EXIT_TIME;
		}
		break;
	case CTL_STUCK:
		break;
	}
	return complain(text, EXIT_TIME);
}

static int
run(const struct command_line *line)
{
	bool waits = line->command->waits && !(line->flags & FLAG_NO_WAIT);
	bool document = is_command(line, "status") || is_command(line, "workers");
	struct status_doc *doc = document ? status_doc_new() : NULL;
	struct ctl_request request = {
		.socket = line->socket,
		.timeout_ms = line->timeout_ms || waits ? line->timeout_ms : QUICK_MS,
		.take = doc ? take_record : NULL,
		.arg = doc,
	};
	char *text = NULL, *requested = request_line(line, &text);
	int status;

	if (requested) {
		enum ctl_outcome outcome;

		request.line = requested;
		outcome = ctl_client_ask(&request, &text);
		status = finish(line, outcome, doc, text);
	} else {
		status = complain(text, EXIT_USAGE);
	}
	if (doc)
		status_doc_free(doc);
	free(requested);
	free(text);
	return status;
}

int
main(int argc, char **argv)
{
	struct command_line line = { .socket = PREFORKD_RUNDIR "/control.sock" };
	char *err = NULL;
	int status = EXIT_DONE;

	(void)argc;
	if (parse_arguments(&line, argv, &err) < 0)
		return complain_usage(err);
	if (line.help)
		fputs(usage_text, stdout);
	else if (line.version)
		puts("preforkctl " PACKAGE_VERSION);
	else if (check_command(&line, &err) < 0)
		return complain_usage(err);
	else {
		if (is_command(&line, "version"))
			puts("preforkctl " PACKAGE_VERSION);
		status = is_command(&line, "top") ? top_run(line.socket, TOP_MS) : run(&line);
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	return complain("standard output cannot be written", EXIT_REFUSED);
}
