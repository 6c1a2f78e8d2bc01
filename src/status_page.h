/*
 * The status as a page for a browser: one HTML document that needs nothing else.  Without
 * its script it shows one moment; with it, it asks for status.json, beside itself, each
 * second that somebody looks.
 */
#ifndef PREFORKD_STATUS_PAGE_H
#define PREFORKD_STATUS_PAGE_H

#include "status_doc.h"

#include <time.h>

#define STATUS_PAGE_TYPE "text/html; charset=utf-8"

enum status_page_kind {
	STATUS_PAGE_ONCE, /* for a file: without the script */
	STATUS_PAGE_LIVE,
};

/*
 * What goes with it as Content-Security-Policy: its own style and script, by their hashes,
 * and nothing else.  The document has the same in itself, for when it is a file.
 */
const char *status_page_policy(void);

void status_page_print(const struct status_doc *doc, time_t now, enum status_page_kind kind,
		       FILE *out);

#endif
