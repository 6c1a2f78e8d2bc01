#include "reload.h"

#include "conf_file.h"
#include "pidfile.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is the process the master that runs on this file, or one of its workers? */
static bool
runs_this_file(pid_t pid, const char *file)
{
	static const char title[] = "preforkd: master ";
	char path[64], line[4200];
	size_t n = 0;
	FILE *in;

	for (int generation = 0; generation < 2 && pid > 0; generation++) {
		int parent = 0;

		snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
		in = fopen(path, "re");
		n = in ? fread(line, 1, sizeof(line) - 1, in) : 0;
		if (in)
			fclose(in);
		line[n] = '\0';
		if (strncmp(line, title, sizeof(title) - 1) == 0 &&
		    conf_file_same(line + sizeof(title) - 1, file))
			return true;
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		in = fopen(path, "re");
		if (in && fscanf(in, "%*d (%*[^)]) %*c %d", &parent) != 1)
			parent = 0;
		if (in)
			fclose(in);
		pid = parent;
	}
	return false;
}

/* Could a socket be opened there?  systemd, which would hand it over, and the daemon that has
 * it are no hindrance. */
static int
check_address(const struct address *address, const struct listener_options *options,
	      const char *file, char **why)
{
	pid_t owner;

	if (listener_check(address, options, &owner, why) == 0)
		return 0;
	if (owner != 1 && !runs_this_file(owner, file))
		return -1;
	free(*why);
	*why = NULL;
	return 0;
}

static bool
is_set(const struct conf *conf, const char *option)
{
	return conf->set[conf_option_index(&conf_global_section, option)].file != NULL;
}

static const char *
pid_file_of(const struct conf *conf, const struct reload_line *line)
{
	if (line->pid_file)
		return line->pid_file;
	return line->foreground && !is_set(conf, "pid_file") ? NULL : conf->pid_file;
}

/* The default is a matter of the package: who may only read the file can still check it. */
static int
check_pid_file(const struct conf *conf, const struct reload_line *line, char **err)
{
	const char *path = pid_file_of(conf, line);
	char *why = NULL;

	if (!path || (!line->pid_file && !is_set(conf, "pid_file")) ||
	    pidfile_check(path, &why) == 0)
		return 0;
	return line->pid_file ? reload_fail_flag("-p", why, err)
			      : reload_fail_global(conf, "pid_file", why, err);
}

/* The directory of the pid file is made, and so may be that of the control socket. */
static bool
will_be_made(const char *path, const char *pid_file)
{
	size_t len = (size_t)(strrchr(path, '/') - path);
	char *dir = util_format("%.*s", (int)len, path);
	bool made = pid_file && len == (size_t)(strrchr(pid_file, '/') - pid_file) &&
		    strncmp(path, pid_file, len) == 0 && access(dir, F_OK) < 0;

	free(dir);
	return made;
}

static const struct conf_pool *
pool_at(const struct reload_plan *plan, const struct address *address)
{
	for (size_t i = 0; i < plan->n; i++)
		if (address_equal(&plan->entries[i].gen->address, address))
			return plan->entries[i].gen->conf;
	return NULL;
}

static int
check_control(const struct reload_plan *plan, const char *file, const struct reload_line *line,
	      char **err)
{
	const char *path = line->control_socket ? line->control_socket : plan->conf->control_socket;
	const struct conf_pool *pool;
	struct address address;
	char *why = NULL;

	if (!line->control_socket && !is_set(plan->conf, "control_socket"))
		return 0;
	if (address_parse(path, &address, &why) == 0) {
		pool = pool_at(plan, &address);
		if (pool)
			util_fail(&why, "pool \"%s\" (%s:%d) has the same address", pool->name,
				  pool->where.file, pool->where.line);
		else if (!will_be_made(path, pid_file_of(plan->conf, line)))
			check_address(&address, &plan->control, file, &why);
	}
	if (!why)
		return 0;
	return line->control_socket ? reload_fail_flag("-s", why, err)
				    : reload_fail_global(plan->conf, "control_socket", why, err);
}

int
reload_check(const char *file, const struct reload_line *line, char **err)
{
	struct reload_plan *plan = reload_read(file, err);
	char *why = NULL;

	if (plan && !line->foreground && log_target_check(&plan->log, &why) < 0)
		reload_fail_global(plan->conf, "log", why, err);
	for (size_t i = 0; plan && !*err && i < plan->n; i++) {
		const struct generation *gen = plan->entries[i].gen;

		if (check_address(&gen->address, &gen->listen, file, &why) < 0)
			reload_fail_listen(gen->conf, why, err);
	}
	if (plan && !*err && check_pid_file(plan->conf, line, err) == 0)
		check_control(plan, file, line, err);
	reload_free(plan);
	return *err ? -1 : 0;
}
