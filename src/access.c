#include "access.h"

#include <stdlib.h>
#include <string.h>

static bool
is_asked_for(const struct conf_pool *conf)
{
	return conf->allow || conf->deny || conf->access_times || conf->max_load > 0 ||
	       conf->max_connections_per_source > 0 || conf->rate_limit > 0 ||
	       conf->rate_limit_per_source > 0 || conf->banner || conf->banner_file ||
	       conf->proxy_protocol != CONF_PROXY_OFF;
}

/* Who writes an empty list can mean everybody or nobody. */
static int
check_list(const struct conf_pool *conf, const char *option, char *const *list, char **err)
{
	if (!list || list[0])
		return 0;
	return conf_pool_fail(conf, option,
			      util_strdup("an empty list: leave the option out, or say who"), err);
}

static int
add_prefixes(struct cidr_list *to, const struct conf_pool *conf, const char *option,
	     char *const *list, bool deny, char **err)
{
	char *why = NULL;

	if (check_list(conf, option, list, err) < 0)
		return -1;
	for (size_t i = 0; list && list[i]; i++)
		if (cidr_add(to, list[i], deny, &why) < 0)
			return conf_pool_fail(conf, option, why, err);
	return 0;
}

static int
add_times(struct access_times *to, const struct conf_pool *conf, char **err)
{
	char *why = NULL;

	if (check_list(conf, "access_times", conf->access_times, err) < 0)
		return -1;
	for (size_t i = 0; conf->access_times && conf->access_times[i]; i++)
		if (access_times_add(to, conf->access_times[i], &why) < 0)
			return conf_pool_fail(conf, "access_times", why, err);
	return 0;
}

/* Whoever is trusted as a proxy can name any client: that is never for all. */
static int
add_proxies(struct cidr_list *to, const struct conf_pool *conf, char **err)
{
	for (size_t i = 0; conf->proxy_from && conf->proxy_from[i]; i++)
		if (strcmp(conf->proxy_from[i], "all") == 0)
			return conf_pool_fail(
			    conf, "proxy_from",
			    util_strdup("\"all\": a proxy is trusted, so say which"), err);
	return add_prefixes(to, conf, "proxy_from", conf->proxy_from, false, err);
}

int
access_new(const struct conf_pool *conf, struct access **access, char **err)
{
	struct access *a;

	*access = NULL;
	if (!is_asked_for(conf))
		return 0;
	a = util_calloc(1, sizeof(*a));
	a->rate = rate_of(conf->rate_limit, conf->rate_burst);
	a->source_rate = rate_of(conf->rate_limit_per_source, conf->rate_burst_per_source);
	if (add_prefixes(&a->clients, conf, "allow", conf->allow, false, err) < 0 ||
	    add_prefixes(&a->clients, conf, "deny", conf->deny, true, err) < 0 ||
	    add_times(&a->times, conf, err) < 0 || add_proxies(&a->proxies, conf, err) < 0) {
		access_free(a);
		return -1;
	}
	*access = a;
	return 0;
}

void
access_free(struct access *access)
{
	if (!access)
		return;
	cidr_free(&access->clients);
	access_times_free(&access->times);
	cidr_free(&access->proxies);
	free(access);
}
