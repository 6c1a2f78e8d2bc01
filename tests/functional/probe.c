/*
 * A module that does what test_module.py tells it to, by options and by lines.
 * VERSION tells one build from another one; API and SIZE are for modules that do not fit.
 */
#include <preforkd/module.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION 1
#endif
#ifndef API
#define API PREFORKD_MODULE_API
#endif
#ifndef SIZE
#define SIZE sizeof(struct preforkd_module)
#endif

struct shared {
	pid_t maker;
	char *mark; /* a file that gets a line for each call */
};

struct state {
	const struct shared *shared;
	unsigned connections;
};

static void
mark(const char *path, const char *word)
{
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;

	if (fd < 0)
		return;
	dprintf(fd, "%s\n", word);
	close(fd);
}

static bool
is(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

/* As the run time of a language may. */
static void
take_process(void)
{
	sigset_t all;

	umask(0777);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static int
misbehave(const char *how, struct preforkd_error *error)
{
	if (is(how, "fail"))
		return preforkd_fail(error, "the %s is\nwrong", "moon");
	if (is(how, "silent"))
		return -1;
	if (is(how, "crash"))
		abort();
	if (is(how, "exit"))
		exit(0);
	while (is(how, "hang"))
		pause();
	if (is(how, "take"))
		take_process();
	if (is(how, "slow"))
		usleep(700000);
	return 0;
}

static int
prepare(const struct preforkd_pool *pool, void **shared, struct preforkd_error *error)
{
	struct shared *s = calloc(1, sizeof(*s));
	const char *path = preforkd_option(pool, "mark");

	s->maker = getpid();
	s->mark = path ? strdup(path) : NULL;
	mark(path, "prepare");
	preforkd_log(pool, LOG_NOTICE, "prepared");
	*shared = s;
	return misbehave(preforkd_option(pool, "prepare"), error); /* and leaks when it fails */
}

static void
release(void *shared)
{
	struct shared *s = shared;

	mark(s->mark, "release");
	free(s->mark);
	free(s);
}

static int
start(const struct preforkd_pool *pool, void *shared, void **state, struct preforkd_error *error)
{
	static struct state s;

	s.shared = shared;
	*state = &s;
	return misbehave(preforkd_option(pool, "start"), error);
}

static void
leak(size_t megabytes)
{
	memset(malloc(megabytes << 20), 1, megabytes << 20);
}

/* false: no more lines are wanted. */
static bool
obey(struct preforkd_conn *c, const char *word, const char *rest)
{
	struct state *s = c->state;
	const char *value;

	if (is(word, "version"))
		preforkd_print(c, "%d\n", VERSION);
	else if (is(word, "pid"))
		preforkd_print(c, "%d\n", (int)getpid());
	else if (is(word, "maker"))
		preforkd_print(c, "%d\n", (int)s->shared->maker);
	else if (is(word, "connections"))
		preforkd_print(c, "%u\n", s->connections);
	else if (is(word, "peer"))
		preforkd_print(c, "%s\n", preforkd_peer(c));
	else if (is(word, "pool"))
		preforkd_print(c, "%s\n", c->pool->name);
	else if (is(word, "option"))
		preforkd_print(c, "%s\n", (value = preforkd_option(c->pool, rest)) ? value : "-");
	else if (is(word, "echo"))
		preforkd_print(c, "%s\n", rest);
	else if (is(word, "big"))
		for (long i = 0; i < atol(rest); i++)
			preforkd_print(c, "%ld\n", i);
	else if (is(word, "log"))
		for (long i = 0; i < atol(rest); i++)
			preforkd_log(c->pool, LOG_WARNING, "line %ld\x1b of %s", i, rest);
	else if (is(word, "say"))
		preforkd_say(c, rest);
	else if (is(word, "abort"))
		abort();
	else if (is(word, "exit"))
		exit(atoi(rest));
	else if (is(word, "fork"))
		return fork() != 0 && preforkd_print(c, "forked\n") == 0;
	else if (is(word, "leak"))
		leak((size_t)atol(rest));
	else
		while (is(word, "loop"))
			;
	return !is(word, "end");
}

static void
serve(struct preforkd_conn *c)
{
	const char *idle = preforkd_option(c->pool, "idle"),
		   *keep = preforkd_option(c->pool, "keep");
	struct state *s = c->state;
	char line[100];

	s->connections++;
	preforkd_idle_timeout(c, idle ? atol(idle) : 0);
	while (!keep || preforkd_next_request(c)) {
		char *rest = line;
		const char *word;

		if (preforkd_read_line(c, line, sizeof(line)) < 0)
			return;
		word = strsep(&rest, " ");
		if (!obey(c, word, rest ? rest : ""))
			return;
	}
}

static void
stop(void *state)
{
	struct state *s = state;

	mark(s->shared->mark, "stop");
}

static const char *const options[] = { "mark", "prepare", "start", "idle", "keep", "word", NULL };

const struct preforkd_module preforkd_module = {
	.api = API,
	.size = SIZE,
	.description = "a probe",
	.options = options,
	.prepare = prepare,
	.release = release,
	.start = start,
#ifndef NO_SERVE
	.serve = serve,
#endif
	.stop = stop,
};
