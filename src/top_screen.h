/*
 * The screen of `preforkctl top`: ncurses(3) is used here and nowhere else.
 */
#ifndef PREFORKD_TOP_SCREEN_H
#define PREFORKD_TOP_SCREEN_H

#include "top_rows.h"

struct top_view {
	const struct status_doc *doc, *before; /* doc NULL: nothing is known yet */
	int64_t elapsed_ms;                    /* between the two */
	const char *trouble;                   /* why there is no newer one; or NULL */
	struct top_choice choice;
	bool paused, help;
	const char *typed; /* the filter while it is typed; or NULL */
	size_t top;        /* the first row that is shown; corrected by drawing */
	int64_t delay_ms;
};

/* false: this terminal cannot do it. */
bool top_screen_open(void);
void top_screen_close(void);
void top_screen_draw(struct top_view *view);

enum {
	TOP_KEY_NONE = -1,   /* time is up, or a signal */
	TOP_KEY_HANGUP = -2, /* there is no terminal any more */
	TOP_KEY_RESIZE = 0x100000,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACKSPACE,
};

/* A byte, or one of these. */
int top_screen_key(int64_t timeout_ms);

#endif
