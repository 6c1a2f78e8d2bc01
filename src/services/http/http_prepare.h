/*
 * The master's side of http: all that the configuration names, checked and ready to be
 * shared by the workers.
 */
#ifndef PREFORKD_SERVICES_HTTP_PREPARE_H
#define PREFORKD_SERVICES_HTTP_PREPARE_H

#include "access_file.h"
#include "http_log.h"
#include "http_mime.h"
#include "http_site.h"

struct http_prepared {
	const struct conf_pool *pool;
	const struct conf_http *conf;
	struct http_sites sites;
	struct http_mime *mime;
	struct http_log_format *format;
	struct access_file *log; /* or NULL */
};

/* As struct service wants them. */
int http_prepare_new(const struct conf_pool *conf, const struct identity *id, void **prepared,
		     char **err);
int http_prepare_status(const struct conf_pool *conf, const struct identity *id, void **prepared,
			char **err);
bool http_prepare_asks_status(const void *prepared);
void http_prepare_free(void *prepared);
int http_prepare_open(void *prepared, char **err);
int http_prepare_reopen(void *prepared, char **err);
size_t http_prepare_descriptors(void *prepared, int *places[]);

#endif
