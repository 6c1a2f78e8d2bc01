/*
 * The commands of the control socket.  Each one begins, and is looked at after every
 * event until what it asked for is done; meanwhile the master does all else.
 */
#include "master_command.h"

#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
command_finish(struct master_command *c, bool ok, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	free(c->text);
	if (vasprintf(&c->text, fmt, ap) < 0)
		c->text = NULL;
	va_end(ap);
	c->state = ok ? COMMAND_DONE : COMMAND_FAILED;
}

/* ---- status ---- */

static void
write_daemon(FILE *out)
{
	static const char *const states[] = { "starting", "running", "stopping" };
	const struct master_outcome *o = &master.outcome;
	struct log_lost lost;
	int64_t now = util_now_ms();
	unsigned workers = 0;

	for (size_t i = 0; i < master.npools; i++)
		workers += pool_active(master.pools[i]);
	control_record_begin(out, "daemon");
	control_record_text(out, "version", PACKAGE_VERSION);
	control_record_number(out, "pid", getpid());
	control_record_number(out, "uptime_ms", now - master.started_ms);
	control_record_number(out, "generation", master.generation);
	control_record_text(out, "config_file", master.options.file);
	control_record_number(out, "config_refused", master.file_refused);
	control_record_text(out, "state", states[master.state]);
	control_record_number(out, "workers", workers);
	control_record_number(out, "max_workers", master.conf ? master.conf->max_workers : 0);
	control_record_text(out, "reload_state",
			    master.plan ? "under way"
			    : !o->at    ? "none"
			    : o->ok     ? "done"
					: "refused");
	control_record_text(out, "reload_what", master.plan ? master_reload_word() : o->what);
	control_record_text(out, "reload_text", master.plan ? "" : o->text);
	control_record_number(out, "reload_ago_ms",
			      master.plan ? now - master.begun_ms
			      : o->at     ? now - o->at
					  : 0);
	log_lost(&lost);
	control_record_number(out, "log_lost", (int64_t)lost.lines);
	control_record_number(out, "log_lost_ago_ms", lost.lines ? now - lost.at : 0);
	control_record_text(out, "log_lost_why", lost.lines ? strerror(lost.error) : "");
	control_record_end(out);
}

/* Also one that ends, which no other command knows: the question may be why it does not. */
static bool
has_pool(const char *name)
{
	for (size_t i = 0; i < master.npools; i++)
		if (strcmp(master.pools[i]->name, name) == 0)
			return true;
	return false;
}

static void
begin_status(struct master_command *c, FILE *out)
{
	const char *only = c->request.n > 1 ? c->request.words[1] : NULL;
	int64_t now = util_now_ms();

	if (only && !has_pool(only)) {
		command_pool(c); /* says which there are */
		return;
	}
	write_daemon(out);
	status_events(out, only, now);
	for (size_t i = 0; i < master.npools; i++)
		if (!only || strcmp(master.pools[i]->name, only) == 0)
			status_pool(out, master.pools[i], now);
	command_finish(c, true, "%s", master.options.file);
}

static void
begin_version(struct master_command *c, FILE *out)
{
	(void)out;
	command_finish(c, true, "%s", PACKAGE_STRING);
}

/* ---- reload, recycle, resume: a ticket for the outcome ---- */

void
command_look_for_outcome(struct master_command *c)
{
	if (master.outcome.ticket == c->ticket)
		command_finish(c, master.outcome.ok, "%s", master.outcome.text);
}

static void
begin_reload(struct master_command *c, FILE *out)
{
	(void)out;
	c->ticket = master_reload_begin();
	command_finish(c, true, "the reload has begun");
}

/* ---- the file, the log ---- */

static void
begin_test(struct master_command *c, FILE *out)
{
	const struct reload_line line = { master.options.foreground, master.options.pid_file,
					  master.options.control_socket };
	char *err = NULL;

	(void)out;
	if (reload_check(master.options.file, &line, &err) == 0)
		command_finish(c, true, "%s is valid", master.options.file);
	else
		command_finish(c, false, "%s", err);
	free(err);
}

static void
begin_reopen(struct master_command *c, FILE *out)
{
	char *err = NULL;

	(void)out;
	if (master_reopen_log("control socket", &err) == 0)
		command_finish(c, true, "log reopened");
	else
		command_finish(c, false, "%s", err);
	free(err);
}

/* ---- the whole daemon ---- */

static void
begin_upgrade(struct master_command *c, FILE *out)
{
	(void)out;
	c->ticket = master_upgrade_begin();
	command_finish(c, true, "the upgrade has begun");
}

static void
begin_stop(struct master_command *c, FILE *out)
{
	(void)out;
	master_stop(c->request.now, "control socket");
	command_finish(c, true, "stopping");
}

/* Its end is the end of the event loop: see master_command_end(). */
static void
look_at_stop(struct master_command *c)
{
	(void)c;
}

static const struct command_word words[] = {
	{ "status", "status [POOL]", 0, 1, true, false, begin_status, NULL },
	{ "version", "version", 0, 0, true, false, begin_version, NULL },
	{ "test", "test", 0, 0, true, false, begin_test, NULL },
	{ "reopen", "reopen", 0, 0, false, false, begin_reopen, NULL },
	{ "reload", "reload", 0, 0, false, true, begin_reload, command_look_for_outcome },
	{ "upgrade", "upgrade", 0, 0, false, true, begin_upgrade, command_look_for_outcome },
	{ "stop", "stop [--now]", 0, 0, false, false, begin_stop, look_at_stop },
};

/* Nothing begins any more. */
static void
refuse_end(struct master_command *c, const char *why)
{
	command_finish(c, false, "%s",
		       master_upgrade_has_replaced_us()
			   ? "an upgrade has replaced the master that was asked: say it again"
			   : why);
}

/* The new master has all that could be changed. */
static bool
comes_too_late(const struct master_command *c)
{
	return master.state == MASTER_STOPPING &&
	       (c->word->calm || (!c->word->quiet && master_upgrade_has_replaced_us()));
}

static const struct command_word *
find_word(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	for (size_t i = 0; i < command_words_pool_n; i++)
		if (strcmp(command_words_pool[i].name, name) == 0)
			return &command_words_pool[i];
	return NULL;
}

static bool
is_calm(void)
{
	return !master.plan && !master_upgrade_is_under_way() && !master_handover_is_under_way() &&
	       master.state == MASTER_RUNNING;
}

/* What has begun is at once looked at, unless nobody wants to wait for it. */
static void
run(struct master_command *c, FILE *out)
{
	c->begun = true;
	c->word->begin(c, out);
	if (!c->word->quiet)
		master_look_all(true); /* who has to leave counts against no limit any more */
	if (c->state != COMMAND_DONE || !c->word->look || c->request.no_wait)
		return;
	c->state = COMMAND_WAITS;
	c->word->look(c);
}

void
master_command_begin(struct master_command *c, const struct ucred *peer, FILE *out)
{
	const struct control_request *request = &c->request;

	c->word = find_word(request->words[0]);
	if (!c->word) {
		command_finish(c, false, "unknown command \"%s\"", request->words[0]);
		return;
	}
	if (request->n - 1 < c->word->min || request->n - 1 > c->word->max) {
		command_finish(c, false, "usage: %s", c->word->usage);
		return;
	}
	if (!c->word->quiet)
		log_notice("control: uid %d pid %d: %s%s%s%s%s%s", (int)peer->uid, (int)peer->pid,
			   request->words[0], request->n > 1 ? " " : "",
			   request->n > 1 ? request->words[1] : "", request->n > 2 ? " " : "",
			   request->n > 2 ? request->words[2] : "", request->now ? " --now" : "");
	c->state = COMMAND_WAITS;
	if (c->word->begin == begin_upgrade && master_upgrade_is_under_way())
		command_finish(c, false, "an upgrade is under way");
	else if (comes_too_late(c))
		refuse_end(c, "preforkd is stopping");
	else if (!c->word->calm || is_calm())
		run(c, out);
}

void
master_command_look(struct master_command *c)
{
	if (c->state != COMMAND_WAITS)
		return;
	if (c->begun)
		c->word->look(c);
	else if (master.state == MASTER_STOPPING)
		refuse_end(c, "preforkd is stopping");
	else if (is_calm())
		run(c, NULL);
}

void
master_command_end(struct master_command *c)
{
	if (c->state == COMMAND_WAITS && c->begun && c->word->look == look_at_stop)
		command_finish(c, true, "stopped");
	else if (c->state == COMMAND_NONE || c->state == COMMAND_WAITS)
		refuse_end(c, "preforkd has stopped");
}

void
master_command_free(struct master_command *c)
{
	free(c->text);
	c->text = NULL;
}
