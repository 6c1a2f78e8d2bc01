/*
 * A request as llhttp reads it, built strict.  Apart, because its names are ours.
 */
#ifndef PREFORKD_TESTS_ORACLE_H
#define PREFORKD_TESTS_ORACLE_H

#include "http_text.h"

#include <stdint.h>

#define ORACLE_FIELDS 100

struct oracle_field {
	struct http_text name, value;
};

struct oracle {
	const char *error; /* NULL: accepted, as far as it is there */
	bool head, whole;  /* the head, the message has ended */
	const char *method;
	struct http_text target;
	int minor;
	bool has_length, chunked;
	uint64_t content_length;
	struct oracle_field fields[ORACLE_FIELDS];
	size_t nfields;
	char *body; /* the caller's, with room for all that there could be */
	size_t body_len, used;
};

void oracle_read(struct oracle *oracle, const char *buf, size_t len);

#endif
