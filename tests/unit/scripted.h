/*
 * What becomes of a script's output: given bytes in given pieces to http_cgi_answer, and
 * what comes out read as a strict client reads it.
 */
#ifndef PREFORKD_TESTS_SCRIPTED_H
#define PREFORKD_TESTS_SCRIPTED_H

#include "http_cgi_answer.h"

struct scripted {
	/* The request, and how the script ends. */
	struct http_head asked; /* method, minor */
	struct http_body input;
	bool closes; /* the client wants the connection to end */
	bool raw, killed;

	struct http_request request;
	struct http_cgi_answer answer;
	char *out; /* all that went to the client */
	size_t len, size;

	/* As the client reads it. */
	char *head; /* lines that end with LF, without Date and Server, terminated */
	int status;
	bool chunked, says_close;
	int64_t length; /* -1: not said */
	char *body;     /* without its framing */
	size_t body_len;
	bool ended; /* the client can tell that nothing is missing, or has no means to */
};

/* Pieces of these sizes by turns, to the end or to a fault; what was set above goes in. */
void scripted_run(struct scripted *s, const char *output, size_t len, const size_t *pieces,
		  size_t npieces);

/* NULL; or what is wrong with it as an answer to that request. */
const char *scripted_read(struct scripted *s);

void scripted_free(struct scripted *s);

#endif
