/*
 * The words of the control socket: one request a connection, one line of words; the
 * answer is any number of records, then one line that begins with "ok" or "failed".
 *
 *	request = word *( SP word ) LF              at most CONTROL_LINE_BYTES
 *	record  = kind *( TAB key "=" value ) LF
 *	last    = ( "ok" / "failed" ) SP text LF    for people: as it is
 *
 * In a value the bytes below 0x20, 0x7f and the backslash are written \xNN.  So they are
 * in a word, and the blank too: a pool's name may have blanks.  A word that begins with
 * "--" is an option; a name that does begins with \x2d.
 *
 * Pure text: used by the daemon, by preforkctl(8), and by whoever shows the same.
 */
#ifndef PREFORKD_CONTROL_PROTO_H
#define PREFORKD_CONTROL_PROTO_H

#include "util.h"

#include <stdbool.h>
#include <stdio.h>

#define CONTROL_LINE_BYTES 1024 /* of a request, with its end of line */
#define CONTROL_WORDS      8
#define CONTROL_FIELDS     64 /* of a record */

struct control_request {
	char text[CONTROL_LINE_BYTES]; /* as received: the words, each terminated */
	const char *words[CONTROL_WORDS];
	size_t n; /* at least 1 */
	bool no_wait, now;
};

/*
 * One line without its end.  --no-wait and --now may stand anywhere and are not among
 * the words, which are neither empty nor have control bytes.  -1 with *err.
 */
int control_request_parse(struct control_request *request, const char *line, size_t len,
			  char **err);

/* The opposite: the words (not text) and options as a line with its end.  NULL with *err. */
char *control_request_format(const struct control_request *request, char **err);

/* The writing of a record: begin, fields, end. */
void control_record_begin(FILE *out, const char *kind);
void control_record_text(FILE *out, const char *key, const char *value); /* NULL: empty */
void control_record_number(FILE *out, const char *key, int64_t value);
void control_record_end(FILE *out);

/* A record as read: kind, keys and values lie in the line, which is changed. */
struct control_record {
	const char *kind;
	const char *keys[CONTROL_FIELDS], *values[CONTROL_FIELDS];
	size_t n;
};

/* A line without its end; fields beyond CONTROL_FIELDS are dropped.  -1: it is no record. */
int control_record_parse(struct control_record *record, char *line);

/* The value of a key, or NULL; as a number, or fallback. */
const char *control_record_get(const struct control_record *record, const char *key);
int64_t control_record_get_number(const struct control_record *record, const char *key,
				  int64_t fallback);

/* The text of an answer's last line if it is that ("ok" or "failed" in *ok), or NULL. */
const char *control_last_parse(const char *line, bool *ok);

#endif
