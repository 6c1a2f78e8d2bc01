/*
 * Which options a file has set, and in which lines: of each section its own, so there may be
 * as many as a file has room for.
 */
#ifndef PREFORKD_CONF_SEEN_H
#define PREFORKD_CONF_SEEN_H

/* All zero: none. */
struct conf_seen {
	void *tree;
};

/* It is told from others by its address. */
void conf_seen_add(struct conf_seen *seen, const void *option, int line);

/* 0: it was not set. */
int conf_seen_line(const struct conf_seen *seen, const void *option);

void conf_seen_free(struct conf_seen *seen);

#endif
