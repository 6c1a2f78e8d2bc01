#include "top.h"

#include "status_query.h"
#include "status_text.h"
#include "top_screen.h"
#include "utf8.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS    5000
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 60000
#define PAGE_ROWS    10
#define FILTER_BYTES 64

static volatile sig_atomic_t ended_by;

static struct {
	const char *socket;
	struct status_doc *doc, *before;
	int64_t doc_ms, before_ms;
	char *trouble;
	char filter[FILTER_BYTES], typed[FILTER_BYTES];
	bool typing;
	struct top_view view;
} self;

static void
on_signal(int sig)
{
	ended_by = sig;
}

/* The screen must be left in order, whoever ends us. */
static void
catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction sa = { .sa_handler = on_signal };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

static void
look(void)
{
	char *err = NULL;
	struct status_doc *doc = status_query(self.socket, NULL, ANSWER_MS, &err);

	free(self.trouble);
	self.trouble = err;
	if (!doc)
		return;
	if (self.before)
		status_doc_free(self.before);
	self.before = self.doc;
	self.before_ms = self.doc_ms;
	self.doc = doc;
	self.doc_ms = util_now_ms();
}

static void
forget(void)
{
	if (self.before)
		status_doc_free(self.before);
	if (self.doc)
		status_doc_free(self.doc);
	free(self.trouble);
}

static void
draw(void)
{
	struct top_view *v = &self.view;

	v->doc = self.doc;
	v->before = self.before;
	v->elapsed_ms = self.doc_ms - self.before_ms;
	v->trouble = self.trouble;
	v->choice.filter = self.filter;
	v->typed = self.typing ? self.typed : NULL;
	top_screen_draw(v);
}

/* ---- keys ---- */

static void
type(int key)
{
	size_t len = strlen(self.typed);

	if (key == '\r' || key == '\n') {
		memcpy(self.filter, self.typed, sizeof(self.filter));
		self.typing = false;
	} else if (key == 27) {
		self.typing = false;
	} else if (key == TOP_KEY_BACKSPACE && len > 0) {
		self.typed[len - 1] = '\0';
	} else if (key >= ' ' && key < 256 && len + 1 < sizeof(self.typed)) {
		self.typed[len] = (char)key;
		self.typed[len + 1] = '\0';
	}
}

static void
scroll_by(int64_t rows)
{
	self.view.top = (size_t)util_max((int64_t)self.view.top + rows, 0);
}

static void
move(int key)
{
	switch (key) {
	case TOP_KEY_UP:
		scroll_by(-1);
		break;
	case TOP_KEY_DOWN:
		scroll_by(1);
		break;
	case TOP_KEY_PAGE_UP:
		scroll_by(-PAGE_ROWS);
		break;
	case TOP_KEY_PAGE_DOWN:
		scroll_by(PAGE_ROWS);
		break;
	case TOP_KEY_HOME:
		self.view.top = 0;
		break;
	case TOP_KEY_END:
		self.view.top = STATUS_WORKERS; /* drawing corrects it */
		break;
	}
}

/* false: that is the end. */
static bool
obey(int key)
{
	struct top_view *v = &self.view;

	if (v->help) {
		v->help = key == TOP_KEY_RESIZE;
		return true;
	}
	switch (key) {
	case 'q':
		return false;
	case 's':
		v->choice.order = (v->choice.order + 1) % TOP_ORDERS;
		break;
	case 'r':
		v->choice.reverse = !v->choice.reverse;
		break;
	case 'i':
		v->choice.idle = !v->choice.idle;
		break;
	case 'p':
	case ' ':
		v->paused = !v->paused;
		break;
	case 'h':
	case '?':
		v->help = true;
		break;
	case '/':
		self.typing = true;
		self.typed[0] = '\0';
		break;
	case '+':
		v->delay_ms = util_max(v->delay_ms / 2, DELAY_MIN_MS);
		break;
	case '-':
		v->delay_ms = util_min(v->delay_ms * 2, DELAY_MAX_MS);
		break;
	default:
		move(key);
	}
	return true;
}

/* ---- the two ways to show it ---- */

static void
run_screen(void)
{
	int64_t next = util_now_ms();

	while (!ended_by) {
		int key;

		if (util_now_ms() >= next && !self.view.paused) {
			look();
			next = util_now_ms() + self.view.delay_ms; /* keys, if it does not answer */
		}
		draw();
		key = top_screen_key(self.view.paused ? DELAY_MAX_MS : next - util_now_ms());
		if (key == TOP_KEY_HANGUP)
			return;
		if (key == TOP_KEY_NONE)
			continue;
		if (self.typing)
			type(key);
		else if (!obey(key))
			return;
		next = util_min(next, util_now_ms() + self.view.delay_ms);
	}
}

static void
run_plain(void)
{
	while (!ended_by) {
		struct timespec pause = { .tv_sec = self.view.delay_ms / 1000,
					  .tv_nsec = self.view.delay_ms % 1000 * 1000000 };

		look();
		if (self.trouble) {
			char *clean = utf8_printable(self.trouble);

			printf("%s\n", clean);
			free(clean);
		} else {
			status_text_print(self.doc, stdout);
			status_text_print_workers(self.doc, stdout);
		}
		putchar('\n');
		if (fflush(stdout) != 0)
			return;
		nanosleep(&pause, NULL);
	}
}

int
top_run(const char *socket, int64_t delay_ms)
{
	self.socket = socket;
	self.view.delay_ms = util_min(util_max(delay_ms, DELAY_MIN_MS), DELAY_MAX_MS);
	catch_signals();
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && top_screen_open()) {
		run_screen();
		top_screen_close();
	} else {
		run_plain();
	}
	forget();
	return 0;
}
