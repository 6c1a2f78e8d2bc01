#include "http_prepare.h"

#include "http_exposure.h"

#include <stdlib.h>

void
http_prepare_free(void *data)
{
	struct http_prepared *p = data;

	if (!p)
		return;
	http_sites_free(&p->sites);
	http_mime_free(p->mime);
	http_log_format_free(p->format);
	access_file_free(p->log);
	free(p);
}

static int
prepare_log(struct http_prepared *p, char **err)
{
	char *why = NULL;

	p->format = http_log_format_new(p->pool->access_format, &why);
	if (!p->format)
		return conf_pool_fail(p->pool, "access_format", why, err);
	if (!p->pool->access_log)
		return 0;
	p->log = access_file_new(p->pool->access_log);
	return access_file_check(p->log, &why) < 0 ? conf_pool_fail(p->pool, "access_log", why, err)
						   : 0;
}

static int
prepare_mime(struct http_prepared *p, char **err)
{
	char *why = NULL;

	p->mime = http_mime_load(p->conf->mime_types, &why);
	return p->mime ? 0 : conf_block_fail(p->pool->http, "mime_types", why, err);
}

int
http_prepare_new(const struct conf_pool *conf, const struct identity *id, void **prepared,
		 char **err)
{
	struct http_prepared *p = util_calloc(1, sizeof(*p));

	p->pool = conf;
	p->conf = conf->http->values;
	if (http_sites_prepare(&p->sites, conf, id, err) < 0 ||
	    http_exposure_check(&p->sites, conf, err) < 0 || prepare_mime(p, err) < 0 ||
	    prepare_log(p, err) < 0) {
		http_prepare_free(p);
		return -1;
	}
	*prepared = p;
	return 0;
}

int
http_prepare_status(const struct conf_pool *conf, const struct identity *id, void **prepared,
		    char **err)
{
	struct http_prepared *p = util_calloc(1, sizeof(*p));

	(void)id;
	p->pool = conf;
	p->conf = conf->http->values;
	if (http_sites_prepare_status(&p->sites, conf, err) < 0) {
		http_prepare_free(p);
		return -1;
	}
	*prepared = p;
	return 0;
}

bool
http_prepare_asks_status(const void *data)
{
	const struct http_prepared *p = data;

	return p->sites.has_status;
}

int
http_prepare_open(void *data, char **err)
{
	struct http_prepared *p = data;
	char *why = NULL;

	if (p->log && access_file_open(p->log, &why) < 0)
		return conf_pool_fail(p->pool, "access_log", why, err);
	return 0;
}

int
http_prepare_reopen(void *data, char **err)
{
	struct http_prepared *p = data;

	return p->log ? access_file_reopen(p->log, err) : 0;
}

size_t
http_prepare_descriptors(void *data, int *places[])
{
	struct http_prepared *p = data;

	return p->log ? access_file_descriptors(p->log, places) : 0;
}
