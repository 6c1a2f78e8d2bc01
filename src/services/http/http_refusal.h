/*
 * What a client gets whose connection is not served, before it has asked for anything.
 */
#ifndef PREFORKD_SERVICES_HTTP_REFUSAL_H
#define PREFORKD_SERVICES_HTTP_REFUSAL_H

#include "scoreboard.h"

/* A whole answer; returns its length. */
size_t http_refusal(enum refusal why, char *text, size_t size);

#endif
