/*
 * HTML from templates: text with places %{name}, which a function fills.  Whatever comes
 * from outside goes through status_html_text(), which makes text of it, anywhere in a
 * document but in a script or a style.
 */
#ifndef PREFORKD_STATUS_HTML_H
#define PREFORKD_STATUS_HTML_H

#include <stdio.h>

#define STATUS_HTML_NAME 32 /* of a place, with its end */

/* Escaped, control bytes and what is not UTF-8 as \xNN. */
void status_html_text(FILE *out, const char *text);

/* The same of a text that it frees. */
void status_html_put(FILE *out, char *text);

void status_html_fill(FILE *out, const char *template,
		      void (*place)(FILE *out, const char *name, const void *of), const void *of);

#endif
