#include "exec_prepare.h"

#include "exec_env.h"
#include "exec_words.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

/* A name without a slash is looked for in the PATH that the program will have. */
static char *
find_program(const struct conf_pool *conf, const char *name, char *const *environment)
{
	const char *dirs = exec_env_get(environment, "PATH");

	if (strchr(name, '/'))
		return util_strdup(name);
	while (dirs && *dirs) {
		size_t len = strcspn(dirs, ":");
		char *inside = util_format("%.*s/%s", (int)len, dirs, name);
		char *outside = util_format("%s%s", conf->chroot ? conf->chroot : "", inside);
		bool found = len > 0 && is_program(outside);

		free(outside);
		if (found)
			return inside;
		free(inside);
		dirs += len + (dirs[len] == ':');
	}
	return NULL;
}

static int
check_program(const struct conf_pool *conf, const struct identity *id, const char *path, char **err)
{
	char *why = NULL, *outside = util_format("%s%s", conf->chroot ? conf->chroot : "", path);
	struct stat st;
	bool there = stat(outside, &st) == 0;

	if (!there && strchr(path, ' '))
		util_fail(&why,
			  "there is no program \"%s\": arguments are items of their own, as in "
			  "{ \"/bin/date\", \"-u\" }",
			  path);
	else if (path[0] != '/')
		util_fail(&why,
			  "\"%s\" is not an absolute path, and no program of that name is in "
			  "the PATH",
			  path);
	else if (there && !S_ISREG(st.st_mode))
		util_fail(&why, "%s is not a program: not a regular file", outside);
	else
		identity_may(id, conf->chroot, path, X_OK, &why);
	free(outside);
	return why ? conf_service_fail(conf, "command", why, err) : 0;
}

void
exec_release(void *prepared)
{
	struct exec_prepared *p = prepared;

	if (!p)
		return;
	free(p->path);
	util_list_free(p->argv);
	util_list_free(p->environment);
	util_list_free(p->words);
	free(p->room);
	free(p);
}

struct exec_prepared *
exec_prepare_command(const struct conf_pool *conf, char *const *command, const struct identity *id,
		     char **err)
{
	struct exec_prepared *p = util_calloc(1, sizeof(*p));

	p->environment = exec_env_fixed(conf, id);
	p->argv = util_list_copy(command);
	p->path = find_program(conf, command[0], p->environment);
	if (!p->path)
		p->path = util_strdup(command[0]);
	if (check_program(conf, id, p->path, err) == 0)
		return p;
	exec_release(p);
	return NULL;
}

/* ---- words ---- */

/* A word for what can never be known is a mistake, and not an empty text each time. */
static int
check_known(const struct conf_pool *conf, const bool used[EXEC_WORDS], char **err)
{
	if (conf_pool_is_unix(conf) && conf->proxy_protocol == CONF_PROXY_OFF &&
	    (used[EXEC_WORD_REMOTE_IP] || used[EXEC_WORD_REMOTE_PORT] || used[EXEC_WORD_LOCAL_IP] ||
	     used[EXEC_WORD_LOCAL_PORT]))
		return util_fail(err, "there are no IP addresses and ports on a Unix socket");
	if (used[EXEC_WORD_REMOTE_HOST] && conf->exec.hostname_lookup == CONF_LOOKUP_OFF)
		return util_fail(err, "%%{remote_host} goes with hostname_lookup = on or double");
	return 0;
}

static int
check_words(const struct conf_pool *conf, char *const *texts, char **err)
{
	bool used[EXEC_WORDS] = { false };

	for (size_t i = 0; texts && texts[i]; i++)
		if (exec_words_check(texts[i], used, err) < 0)
			return -1;
	return check_known(conf, used, err);
}

/* Values that were passed on are not the configuration's, and stay what they are. */
static void
part_environment(struct exec_prepared *p, char *const *assignments)
{
	size_t kept = 0;

	for (size_t i = 0; p->environment[i]; i++) {
		char *item = p->environment[i];

		if (exec_words_in(item) && util_list_has(assignments, item)) {
			util_list_add(&p->words, item);
			free(item);
		} else {
			p->environment[kept++] = item;
		}
	}
	p->environment[kept] = NULL;
}

static int
check_all_words(const struct conf_pool *conf, char **err)
{
	char *const *command = conf->exec.command;
	char *why = NULL;

	if (strstr(command[0], "%{"))
		util_fail(&why, "words are for arguments: the program itself is always the same");
	if (why || check_words(conf, command + 1, &why) < 0)
		return conf_service_fail(conf, "command", why, err);
	if (check_words(conf, conf->environment, &why) < 0)
		return conf_pool_fail(conf, "environment", why, err);
	return 0;
}

int
exec_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared, char **err)
{
	struct exec_prepared *p;

	if (exec_env_refuse(conf, exec_env_of_connection, "is set anew for each connection", err) <
		0 ||
	    check_all_words(conf, err) < 0)
		return -1;
	if (conf->exec.hostname_lookup != CONF_LOOKUP_OFF &&
	    exec_env_refuse(conf, exec_env_of_lookup, "is set by hostname_lookup", err) < 0)
		return -1;
	p = exec_prepare_command(conf, conf->exec.command, id, err);
	if (!p)
		return -1;
	for (size_t i = 1; p->argv[i]; i++)
		p->argv_has_words |= exec_words_in(p->argv[i]);
	p->wants_local_host = !exec_env_get(p->environment, "TCPLOCALHOST");
	part_environment(p, conf->environment);
	p->room = exec_env_new(p->environment, p->words);
	*prepared = p;
	return 0;
}
