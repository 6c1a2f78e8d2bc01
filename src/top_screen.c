#include "top_screen.h"

#include "status_text.h"
#include "status_units.h"
#include "utf8.h"

#include <limits.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { PAIR_WORK = 1, PAIR_WAIT, PAIR_TROUBLE };

static bool has_curses;

bool
top_screen_open(void)
{
	const char *term = getenv("TERM");

	setlocale(LC_ALL, "");
	if (!term || !*term || strcmp(term, "dumb") == 0 || !newterm(NULL, stdout, stdin))
		return false;
	has_curses = true;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	if (has_colors()) {
		start_color();
		use_default_colors();
		init_pair(PAIR_WORK, COLOR_CYAN, -1);
		init_pair(PAIR_WAIT, COLOR_YELLOW, -1);
		init_pair(PAIR_TROUBLE, COLOR_RED, -1);
	}
	return true;
}

void
top_screen_close(void)
{
	if (has_curses)
		endwin();
	has_curses = false;
}

/* ---- text ---- */

/* Columns of the character of n bytes that the text begins with. */
static int
columns_of(const char *text, size_t n)
{
	wchar_t c;
	int columns = mbtowc(&c, text, n) > 0 ? wcwidth(c) : 1;

	return columns >= 0 ? columns : 1;
}

/* The width of a line, and never more; what others have written is made harmless before. */
static void
put(int y, int x, attr_t attributes, const char *text)
{
	char *clean = utf8_printable(text);
	int room = COLS - x;
	size_t at = 0, n;

	attrset(attributes);
	for (; clean[at]; at += n) {
		n = utf8_char(clean + at);
		room -= columns_of(clean + at, n);
		if (room < 0)
			break;
	}
	if (y < LINES && at > 0)
		mvaddnstr(y, x, clean, (int)at);
	attrset(A_NORMAL);
	free(clean);
}

static void putf(int y, int x, attr_t attributes, const char *fmt, ...) PRINTF_LIKE(4, 5);

static void
putf(int y, int x, attr_t attributes, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0) {
		put(y, x, attributes, text);
		free(text);
	}
	va_end(ap);
}

static int
width_of(const char *text)
{
	char *clean = utf8_printable(text);
	int width = 0;

	for (size_t at = 0, n; clean[at]; at += n) {
		n = utf8_char(clean + at);
		width += columns_of(clean + at, n);
	}
	free(clean);
	return width;
}

/* The names of pools get what they need beyond `least`, and at most `more` columns more. */
static int
name_width(const struct top_view *v, int least, int more)
{
	int width = least;

	for (size_t i = 0; i < v->doc->n; i++)
		width = (int)util_max(width, width_of(v->doc->pools[i].name));
	return (int)util_min(width, least + util_max(more, 0));
}

static attr_t
attributes_of(const char *state)
{
	static const struct {
		const char *state;
		attr_t attributes;
	} looks[] = {
		{ "idle", A_DIM },
		{ "keepalive", A_DIM },
		{ "busy", COLOR_PAIR(PAIR_WORK) | A_BOLD },
		{ "reading", COLOR_PAIR(PAIR_WORK) },
		{ "writing", COLOR_PAIR(PAIR_WORK) | A_BOLD },
		{ "starting", COLOR_PAIR(PAIR_WAIT) },
		{ "draining", COLOR_PAIR(PAIR_WAIT) },
		{ "drained", COLOR_PAIR(PAIR_WAIT) },
		{ "held", COLOR_PAIR(PAIR_WAIT) },
		{ "killed", COLOR_PAIR(PAIR_TROUBLE) | A_BOLD },
		{ "backed off", COLOR_PAIR(PAIR_TROUBLE) | A_BOLD },
	};

	for (size_t i = 0; i < ARRAY_LEN(looks); i++)
		if (strcmp(looks[i].state, state) == 0)
			return looks[i].attributes;
	return A_NORMAL;
}

/* ---- parts of the screen: each returns the line behind it ---- */

static int
draw_daemon(const struct top_view *v)
{
	char *up = status_text_span(v->doc->uptime_ms),
	     *ago = status_text_span(v->doc->reload_ago_ms);
	const char *what = v->doc->reload_what[0] ? v->doc->reload_what : "reload";

	putf(0, 0, A_BOLD, "preforkd %s", v->doc->version);
	putf(0, 18, A_NORMAL, "pid %lld  up %s  %s  %lld of %lld workers", (long long)v->doc->pid,
	     up, v->doc->state, (long long)v->doc->workers, (long long)v->doc->max_workers);
	if (strcmp(v->doc->reload_state, "none") == 0)
		putf(1, 0, A_NORMAL, "not reloaded since the start");
	else if (status_text_is_under_way(v->doc))
		putf(1, 0, A_NORMAL, "%s under way for %s", what, ago);
	else
		putf(1, 0,
		     strcmp(v->doc->reload_state, "refused") == 0
			 ? COLOR_PAIR(PAIR_TROUBLE) | A_BOLD
			 : A_NORMAL,
		     "%s %s %s ago: %s", what, v->doc->reload_state, ago, v->doc->reload_text);
	free(up);
	free(ago);
	return 2;
}

static void
draw_pool(int y, int x, const struct top_view *v, const struct status_pool *p)
{
	double rate = top_rate(p, v->before, v->elapsed_ms);
	char speed[32] = "-", queue[48] = "-";

	if (rate >= 0)
		snprintf(speed, sizeof(speed), rate < 10 ? "%.1f" : "%.0f", rate);
	if (p->queue_length >= 0)
		snprintf(queue, sizeof(queue), "%lld/%lld", (long long)p->queue_length,
			 (long long)p->queue_limit);
	put(y, 0, A_BOLD, p->name);
	putf(y, x, A_NORMAL, " %-8.8s", p->service);
	putf(y, x + 9, attributes_of(p->state), " %-10.10s", p->state);
	putf(y, x + 20, A_NORMAL, " %5lld %5lld %5lld", (long long)p->idle, (long long)p->busy,
	     (long long)p->max_workers);
	putf(y, x + 38, p->queue_length > 0 ? COLOR_PAIR(PAIR_TROUBLE) | A_BOLD : A_NORMAL, " %10s",
	     queue);
	putf(y, x + 49, A_NORMAL, " %7s %8lld", speed, (long long)p->accepted);
	if (COLS > x + 86)
		putf(y, x + 67, A_NORMAL, "%s", p->last_failure);
}

static int
draw_pools(int y, const struct top_view *v)
{
	size_t shown = v->doc->n, room = LINES > 12 ? (size_t)(LINES - y) / 2 : 3;
	int x = name_width(v, 14, COLS - 80);

	putf(y++, 0, A_REVERSE, "%-*s %-8s %-10s %5s %5s %5s %10s %7s %8s%*s", x, "POOL", "SERVICE",
	     "STATE", "IDLE", "BUSY", "MAX", "QUEUE", "CONN/S", "ACCEPTED", COLS, "");
	if (shown > room)
		shown = room > 1 ? room - 1 : 1;
	for (size_t i = 0; i < shown; i++)
		draw_pool(y++, x, v, &v->doc->pools[i]);
	if (shown < v->doc->n)
		putf(y++, 0, A_DIM, "... and %zu more", v->doc->n - shown);
	return y;
}

/* A wide screen has a column for it. */
static bool
shows_age(void)
{
	return COLS >= 100;
}

/* x: behind the name of the pool. */
static void
draw_worker(int y, int x, const struct top_row *row)
{
	const struct status_worker *w = row->worker;
	char *since = status_text_span(w->since_ms), *age = status_text_span(w->age_ms);
	char *requests = status_units_count(w->requests);

	putf(y, 0, A_NORMAL, "%7lld", (long long)w->pid);
	put(y, 8, A_NORMAL, row->pool->name);
	putf(y, x, attributes_of(w->state), " %-9.9s", w->state);
	putf(y, x + 10, A_NORMAL, " %7s %7s", since, requests);
	x += 26;
	if (shows_age()) {
		putf(y, x, A_NORMAL, " %7s", age);
		x += 8;
	}
	putf(y, x, A_NORMAL, " %s", w->client);
	putf(y, x + 22, A_NORMAL, " %s%*s", w->request, COLS, "");
	free(since);
	free(age);
	free(requests);
}

static void
draw_workers(int y, struct top_view *v)
{
	size_t n, room;
	struct top_row *rows = top_rows(v->doc, &v->choice, &n);
	int name = name_width(v, 10, (COLS - 80) / 2);

	putf(y++, 0, A_REVERSE, "%7s %-*s %-9s %7s %7s %s%-21s %s%*s", "PID", name, "POOL", "STATE",
	     "SINCE", "REQS", shows_age() ? "    AGE " : "", "CLIENT", "REQUEST", COLS, "");
	room = y < LINES - 1 ? (size_t)(LINES - 1 - y) : 0;
	v->top = n > room ? util_min((int64_t)v->top, (int64_t)(n - room)) : 0;
	for (size_t i = v->top; i < n && i - v->top < room; i++)
		draw_worker(y + (int)(i - v->top), 8 + name, &rows[i]);
	if (n == 0 && room > 0)
		put(y, 0, A_DIM, v->choice.idle ? "no worker" : "no worker is busy");
	free(rows);
}

static void
draw_foot(const struct top_view *v)
{
	int y = LINES - 1;

	if (v->trouble)
		put(y, 0, COLOR_PAIR(PAIR_TROUBLE) | A_BOLD, v->trouble);
	else if (v->typed)
		putf(y, 0, A_BOLD, "filter: %s_", v->typed);
	else
		putf(y, 0, A_DIM, "%sby %s%s%s%s%s   q quit  h help", v->paused ? "PAUSED   " : "",
		     top_order_name(v->choice.order), v->choice.reverse ? ", reversed" : "",
		     v->choice.idle ? "" : ", without idle ones",
		     v->choice.filter[0] ? "   filter: " : "", v->choice.filter);
}

static void
draw_help(const struct top_view *v)
{
	static const char *const lines[] = {
		"s            the next order: time in its state, requests, age, pid, pool",
		"r            the other way round",
		"i            with idle workers, or without",
		"/            only what has a text in it; Enter ends it, Escape drops it",
		"+ -          look more often, or less",
		"p, space     pause and go on",
		"up, down, page up, page down, home, end     through the workers",
		"h, ?         this help; any key ends it",
		"q            quit",
	};

	put(0, 0, A_BOLD, "preforkctl top");
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		put((int)i + 2, 2, A_NORMAL, lines[i]);
	putf((int)ARRAY_LEN(lines) + 3, 2, A_NORMAL, "It looks every %lld.%lld s.",
	     (long long)(v->delay_ms / 1000), (long long)(v->delay_ms % 1000 / 100));
}

void
top_screen_draw(struct top_view *v)
{
	erase();
	if (v->help) {
		draw_help(v);
	} else {
		if (v->doc)
			draw_workers(draw_pools(draw_daemon(v), v), v);
		draw_foot(v);
	}
	refresh();
}

/* Reading from it fails at once then, not when time is up. */
static bool
terminal_is_gone(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&in, 1, 0) > 0 && (in.revents & (POLLHUP | POLLERR | POLLNVAL));
}

int
top_screen_key(int64_t timeout_ms)
{
	static const struct {
		int curses, key;
	} keys[] = {
		{ KEY_RESIZE, TOP_KEY_RESIZE },
		{ KEY_UP, TOP_KEY_UP },
		{ KEY_DOWN, TOP_KEY_DOWN },
		{ KEY_PPAGE, TOP_KEY_PAGE_UP },
		{ KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, TOP_KEY_HOME },
		{ KEY_END, TOP_KEY_END },
		{ KEY_BACKSPACE, TOP_KEY_BACKSPACE },
		{ 127, TOP_KEY_BACKSPACE },
		{ '\b', TOP_KEY_BACKSPACE },
		{ KEY_ENTER, '\r' },
	};
	int c;

	timeout((int)util_min(util_max(timeout_ms, 0), INT_MAX));
	c = getch();
	if (c == ERR && terminal_is_gone())
		return TOP_KEY_HANGUP;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (c == keys[i].curses)
			return keys[i].key;
	return c >= 0 && c < 256 ? c : TOP_KEY_NONE;
}
