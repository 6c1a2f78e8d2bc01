#include "resident.h"

#include "exec_env.h"

#include <stdlib.h>
#include <string.h>

/* What sd_listen_fds(3) says; the digits are written over in the child. */
static void
add_listen_fds(const struct conf_pool *conf, char ***environment)
{
	const char *name = strchr(conf->name, ':') ? "unknown" : conf->name;
	char **list = NULL, *names = util_format("LISTEN_FDNAMES=%s", name);

	util_list_add(&list, "LISTEN_FDS=1");
	util_list_add(&list, "LISTEN_PID=00000000000");
	util_list_add(&list, names);
	exec_env_extend(environment, NULL, list);
	util_list_free(list);
	free(names);
}

static char *
join(char *const *words)
{
	char *text = util_strdup(words[0]);

	for (size_t i = 1; words[i]; i++) {
		char *longer = util_format("%s %s", text, words[i]);

		free(text);
		text = longer;
	}
	return text;
}

int
resident_prepare(const struct conf_pool *conf, const struct identity *id, void **prepared,
		 char **err)
{
	static const char *const ours[] = { "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
					    "NOTIFY_SOCKET", NULL };
	struct resident_prepared *p;
	struct exec_prepared *program;

	if (exec_env_refuse(conf, ours, "is set by socket_fd and ready of the program section",
			    err) < 0)
		return -1;
	program = exec_prepare_command(conf, conf->program.command, id, err);
	if (!program)
		return -1;
	if (conf->program.socket_fd == CONF_SOCKET_IS_LISTEN_FDS)
		add_listen_fds(conf, &program->environment);
	p = util_calloc(1, sizeof(*p));
	p->program = program;
	p->text = join(program->argv);
	*prepared = p;
	return 0;
}

void
resident_release(void *prepared)
{
	struct resident_prepared *p = prepared;

	if (!p)
		return;
	exec_release(p->program);
	free(p->text);
	free(p);
}
