/*
 * The rules of a pool for who may connect, when, and how often: what its configuration
 * says, checked and made ready in the master, so that workers share it.
 */
#ifndef PREFORKD_ACCESS_H
#define PREFORKD_ACCESS_H

#include "access_times.h"
#include "cidr.h"
#include "conf.h"
#include "rate.h"

struct access {
	struct cidr_list clients; /* allow, deny */
	struct access_times times;
	struct rate rate, source_rate;
	struct cidr_list proxies; /* proxy_from */
};

/*
 * *access is NULL if there is no rule: then nothing at all has to be looked at.  -1 with
 * *err as "FILE:LINE: text".
 */
int access_new(const struct conf_pool *conf, struct access **access, char **err);
void access_free(struct access *access);

#endif
