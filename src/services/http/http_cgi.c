#include "http_cgi_answer.h"
#include "http_cgi_env.h"
#include "http_places.h"
#include "http_pump.h"
#include "http_spool.h"

#include "address.h"
#include "program.h"
#include "rlimits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS   3600000
#define WHO_BYTES (ADDRESS_TEXT_BYTES + 200)
#define RETRY     "Retry-After: 1\r\n"

#define SCRIPT_LOG_MS    50 /* and so many at once */
#define SCRIPT_LOG_BURST 1000

/* Of the request that is being served. */
static struct {
	struct http_request *r;
	const struct http_cgi *cgi;
	struct http_script script;
	struct http_spool spool;
	struct http_cgi_answer answer;
	char who[WHO_BYTES];
	int in[2], out[2]; /* pipes; -1: closed, or there is none */
	int64_t end_at_ms;
} self;

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- what the script is given ---- */

static void
note_who(const struct http_request *r)
{
	char peer[ADDRESS_TEXT_BYTES];

	snprintf(self.who, sizeof(self.who), "%s %.*s",
		 address_format(r->peer, r->from->peer_len, peer), (int)self.script.name_len,
		 r->target.path);
}

/*
 * Somebody else than the worker must own his ends to open them by their names, /dev/stdin
 * and /dev/stderr.  What is neither a pipe nor the spooled body is /dev/null.
 */
static int
give_ends(const struct identity *id)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		struct stat st;

		if (fstat(fd, &st) < 0 ||
		    (!S_ISCHR(st.st_mode) && fchown(fd, id->uid, id->gid) < 0))
			return -1;
	}
	return 0;
}

/* In the child, before the program: only system calls. */
static int
settle(const void *arg)
{
	const struct http_cgi *cgi = arg;
	const struct conf_cgi *conf = cgi->conf;

	if (conf->umask != CONF_UNSET)
		umask((mode_t)conf->umask);
	if (conf->nice != CONF_UNSET && setpriority(PRIO_PROCESS, 0, (int)conf->nice) < 0)
		return -1;
	if (rlimits_apply(conf->rlimit) >= 0)
		return -1;
	if (!cgi->own.user)
		return 0;
	return give_ends(&cgi->own) < 0 ? -1 : identity_apply(&cgi->own);
}

static int64_t
content_length(const struct http_request *r)
{
	if (r->head->framing == HTTP_CHUNKED)
		return self.spool.size;
	return r->head->framing == HTTP_LENGTH ? r->head->content_length : -1;
}

static char *const *
make_environment(const struct http_request *r)
{
	struct sockaddr_storage local = { 0 };
	const struct conf_site *site = r->site->conf;
	struct http_cgi_request request = {
		.head = r->head,
		.target = &r->target,
		.method = r->head->method_text,
		.uri = r->uri,
		.script_name_len = self.script.name_len,
		.script_filename = self.script.file,
		.document_root = site->document_root,
		.server_admin = site->server_admin,
		.server_name = site->server_name,
		.server_alias = site->server_alias,
		.content_length = content_length(r),
		.user = r->user,
		.peer = r->peer,
		.local = (struct sockaddr *)&local,
		.pass_authorization = self.cgi->conf->pass_authorization,
		.redirected = r->redirect.at != NULL,
		.tls = r->from->proxy && r->from->proxy->tls,
	};

	conn_local(r->from, &local);
	return http_cgi_env(self.cgi->environment, &request);
}

static bool
needs_pipe(const struct http_request *r)
{
	return (r->head->framing == HTTP_LENGTH && !r->input->ended) || self.spool.memory.len > 0;
}

static int
open_pipes(const struct http_request *r)
{
	if (pipe2(self.out, O_CLOEXEC) < 0)
		return -1;
	if (!needs_pipe(r))
		return 0;
	return pipe2(self.in, O_CLOEXEC) < 0 ? -1 : fcntl(self.in[1], F_SETFL, O_NONBLOCK);
}

/* 0, or the status for a program that cannot be started. */
static int
start_script(struct http_request *r)
{
	char *argv[2] = { (char *)(uintptr_t)self.script.file, NULL };
	struct child_program program = {
		.path = self.script.file,
		.argv = argv,
		.directory = self.script.directory,
		.settle = settle,
		.arg = self.cgi,
	};
	char more[LOG_MORE_BYTES];
	unsigned held_back;
	int error;

	program.envp = make_environment(r);
	if (!program.envp)
		return 431;
	if (open_pipes(r) < 0) {
		error = errno;
		if (log_limit_pass(&r->scoreboard->spool_limit, HTTP_FAULT_LOG_MS, &held_back))
			log_error("pool %s: %s: a pipe for a script: %s%s", r->pool, self.who,
				  strerror(error), log_limit_more(held_back, more));
		return 503;
	}
	program.in = self.in[0] >= 0      ? self.in[0]
		     : self.spool.fd >= 0 ? self.spool.fd
					  : STDIN_FILENO;
	program.out = self.out[1];
	if (self.cgi->own.user)
		program_lend_errors();
	error = program_start(&program);
	close_one(&self.in[0]);
	close_one(&self.out[1]);
	if (error == 0)
		return 0;
	return error == EACCES ? 403 : error == EAGAIN || error == ENOMEM ? 503 : 500;
}

/* ---- what it says ---- */

static enum http_pump_end
pump(struct http_request *r)
{
	const struct conf_cgi *conf = self.cgi->conf;
	struct http_pump pump = {
		.conn = r->conn,
		.body = r->input,
		.input = self.spool.memory,
		.in_fd = self.in[1],
		.out_fd = self.out[0],
		.answer = &self.answer,
		.timeout_ms = conf->timeout,
		.end_at_ms = self.end_at_ms,
		.keep_running = conf->keep_running,
	};

	http_cgi_answer_init(&self.answer, r, self.script.nph);
	if (self.in[1] >= 0 && !http_body_continue(r->input))
		return HTTP_PUMP_GONE;
	self.in[1] = -1; /* the pump closes it */
	return http_pump_run(&pump);
}

static void
complain(const struct http_request *r, const char *what, const char *why)
{
	char more[LOG_MORE_BYTES];
	unsigned held_back;

	if (log_limit_burst(&r->scoreboard->script_limit, SCRIPT_LOG_MS, SCRIPT_LOG_BURST,
			    &held_back))
		log_warn("pool %s: %s pid %d: %s%s%s", r->pool, self.who, program_pid(), what, why,
			 log_limit_more(held_back, more));
}

static void
log_pump_end(const struct http_request *r, enum http_pump_end end)
{
	const struct conf_cgi *conf = self.cgi->conf;

	switch (end) {
	case HTTP_PUMP_OVER:
		if (self.answer.state == HTTP_CGI_FAULT)
			complain(r, "the output is not a CGI response: ", self.answer.why);
		else if (self.answer.over)
			complain(r, "its output is longer than its Content-Length", "");
		else if (self.answer.left > 0 && r->broken)
			complain(r, "its output is shorter than its Content-Length", "");
		break;
	case HTTP_PUMP_LINGERS:
		log_info("pool %s: %s pid %d: goes on after its answer", r->pool, self.who,
			 program_pid());
		break;
	case HTTP_PUMP_GONE:
	case HTTP_PUMP_STUCK:
		log_info("pool %s: %s pid %d: the client %s", r->pool, self.who, program_pid(),
			 end == HTTP_PUMP_GONE ? "has gone" : "takes nothing (send_timeout)");
		break;
	case HTTP_PUMP_BODY_LATE:
		log_info("pool %s: %s pid %d: the request's body is late (body_timeout, "
			 "body_min_rate)",
			 r->pool, self.who, program_pid());
		break;
	case HTTP_PUMP_SILENT:
		log_warn("pool %s: %s pid %d: no output for %" PRId64 ".%03" PRId64 "s (timeout)",
			 r->pool, self.who, program_pid(), conf->timeout / 1000,
			 conf->timeout % 1000);
		break;
	case HTTP_PUMP_TOO_LONG:
		log_warn("pool %s: %s pid %d: has run for %" PRId64 ".%03" PRId64 "s (max_time)",
			 r->pool, self.who, program_pid(), conf->max_time / 1000,
			 conf->max_time % 1000);
		break;
	case HTTP_PUMP_TERMINATED:
		break;
	}
}

/* What the client gets who has got nothing yet. */
static int
status_of(enum http_pump_end end)
{
	switch (end) {
	case HTTP_PUMP_OVER:
		return 502;
	case HTTP_PUMP_BODY_LATE:
		return 408;
	case HTTP_PUMP_SILENT:
	case HTTP_PUMP_TOO_LONG:
		return 504;
	case HTTP_PUMP_TERMINATED:
		return 503;
	case HTTP_PUMP_LINGERS:
	case HTTP_PUMP_GONE:
	case HTTP_PUMP_STUCK:
		break;
	}
	return 0;
}

/* Has any byte of an answer gone out, or been made to? */
static bool
has_answered(void)
{
	switch (self.answer.state) {
	case HTTP_CGI_READ_HEAD:
	case HTTP_CGI_FAULT:
		return false;
	case HTTP_CGI_RAW:
		return self.r->body > 0;
	default:
		return !self.answer.redirects;
	}
}

/* The answer is over for the client, before the script is, perhaps. */
static void
settle_answer(struct http_request *r, enum http_pump_end end)
{
	int status = status_of(end);

	if (end == HTTP_PUMP_LINGERS ||
	    (end == HTTP_PUMP_OVER && (self.answer.redirects || has_answered())))
		return;
	if (end == HTTP_PUMP_BODY_LATE)
		r->keep_alive = false;
	if (!r->broken && !has_answered() && status != 0)
		http_answer_status(r, status, status == 503 ? RETRY : NULL);
	else
		r->broken = true;
	self.answer.redirects = false; /* that was the answer */
}

static void
wait_for_end(void)
{
	int64_t stop_at = self.cgi->conf->keep_running
			      ? self.end_at_ms
			      : util_min(self.end_at_ms, util_now_ms() + HTTP_PUMP_GRACE_MS);

	while (!program_has_ended()) {
		int64_t left = stop_at - util_now_ms();

		if (left <= 0)
			program_stop();
		program_wait(NULL, 0, left > 0 ? util_min(left, LOOK_MS) : -1);
	}
}

static void
run_script(struct http_request *r)
{
	enum http_pump_end end = pump(r);

	log_pump_end(r, end);
	if (end != HTTP_PUMP_OVER || self.answer.state == HTTP_CGI_FAULT)
		program_stop();
	settle_answer(r, end);
	close_one(&self.out[0]);
	wait_for_end();
}

/* ---- the course of it ---- */

/* A chunked body's length must be known before.  0, -1: the client has gone, or a status. */
static int
spool_body(struct http_request *r)
{
	char *err = NULL, more[LOG_MORE_BYTES];
	unsigned held_back;
	int status;

	if (r->head->framing != HTTP_CHUNKED)
		return 0;
	status = http_spool_read(&self.spool, r->input, r->conf->spool_dir,
				 r->conf->limit_request_body, &err);
	if (err && log_limit_pass(&r->scoreboard->spool_limit, HTTP_FAULT_LOG_MS, &held_back))
		log_error("pool %s: %s: %s%s", r->pool, self.who, err,
			  log_limit_more(held_back, more));
	free(err);
	return status;
}

static int
serve_script(struct http_request *r)
{
	int status = spool_body(r);

	if (status < 0)
		r->broken = true;
	if (status == 400 || status == 408)
		r->keep_alive = false;
	if (status == 0) {
		program_begin(self.who);
		status = start_script(r);
		if (status == 0)
			run_script(r);
		program_end();
	}
	for (size_t i = 0; i < 2; i++) {
		close_one(&self.in[i]);
		close_one(&self.out[i]);
	}
	close_one(&self.spool.fd);
	return self.answer.redirects && !r->broken ? HTTP_CGI_REDIRECTS : util_max(status, 0);
}

int
http_cgi_serve(struct http_request *r, const struct http_cgi *cgi)
{
	int64_t limit = cgi->conf->limit, place = -1;
	int status;

	self.r = r;
	self.cgi = cgi;
	self.answer = (struct http_cgi_answer){ .redirects = false };
	self.spool = (struct http_spool){ .fd = -1 };
	self.in[0] = self.in[1] = self.out[0] = self.out[1] = -1;
	self.end_at_ms = cgi->conf->max_time > 0 ? util_now_ms() + cgi->conf->max_time : INT64_MAX;
	status = http_cgi_find(cgi, &r->target, r->site->conf->dotfiles, &self.script);
	if (status != 0)
		return status;
	if (limit > 0 && (place = http_places_take(r->places_fd, cgi->number, limit)) < 0) {
		http_answer_status(r, 503, RETRY);
		return 0;
	}
	note_who(r);
	status = serve_script(r);
	if (place >= 0)
		http_places_give(r->places_fd, cgi->number, place);
	if (status == 503) {
		http_answer_status(r, 503, RETRY);
		status = 0;
	}
	return status;
}
