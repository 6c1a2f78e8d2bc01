/* A file or a directory as the answer to GET and HEAD. */
#include "http_request.h"

#include "address.h"
#include "http_accept.h"
#include "http_files.h"
#include "http_listing.h"
#include "http_scratch.h"
#include "layout.h"
#include "log.h"
#include "privs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * From here on the head goes out alone: a client that reads in pieces then has them begin
 * where pages of the file do, and copies of what is aligned are cheaper than a packet is.
 */
#define LARGE_BYTES (1 << 20)

static int
status_of_errno(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
		return 503;
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV:
		return 404;
	default:
		return 500;
	}
}

/* The directory that root is. */
static const char *
name_of_root(const struct http_request *r, int root)
{
	const struct http_alias *alias = http_site_alias(r->site, &r->target);

	return alias && alias->root == root ? alias->path : r->site->conf->document_root;
}

/* Not what a client asks for in vain, but what an administrator must mend. */
static void
tell_fault(const struct http_request *r, int root, const char *path, int error)
{
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES], *full, *why = NULL;
	unsigned held_back;

	if (!log_limit_pass(&r->scoreboard->file_limit, HTTP_FAULT_LOG_MS, &held_back))
		return;
	full = util_format("%s/%s", name_of_root(r, root), path);
	if (error == EACCES && identity_may(r->id, NULL, full, R_OK, &why) == 0)
		util_fail(&why, "not permitted, or neither a file nor a directory");
	log_warn("pool %s: %s: cannot open %s: %s%s", r->pool,
		 address_format(r->peer, r->from->peer_len, client), full,
		 why ? why : strerror(error), log_limit_more(held_back, more));
	free(why);
	free(full);
}

/* What an answer breaks off for, or is 500. */
static void
tell_unread(const struct http_request *r, int root, const char *path, const char *end)
{
	char client[ADDRESS_TEXT_BYTES], more[LOG_MORE_BYTES];
	unsigned held_back;

	if (log_limit_pass(&r->scoreboard->file_limit, HTTP_FAULT_LOG_MS, &held_back))
		log_warn("pool %s: %s: cannot read %s/%s%s: %s%s", r->pool,
			 address_format(r->peer, r->from->peer_len, client), name_of_root(r, root),
			 path, end,
			 r->unread == ENODATA ? "it has become shorter" : strerror(r->unread),
			 log_limit_more(held_back, more));
}

/* The status of an error. */
static int
fail(const struct http_request *r, int root, const char *path, int error)
{
	int status = status_of_errno(error);

	if (status == 403 || status >= 500)
		tell_fault(r, root, path, error);
	return status;
}

static int
open_at(const struct http_request *r, int root, const char *path, struct http_file *file)
{
	return http_files_open(file, root, path, (enum http_symlinks)r->site->conf->follow_symlinks,
			       r->now);
}

/* It may have become shorter since it was looked at: then it is what it is now, and no validator.
 */
static void
read_and_send(struct http_request *r, struct http_reply *reply, int fd, int64_t size)
{
	char *small;
	ssize_t n;

	if (http_answer_make(r, reply) == 0)
		return;
	small = http_scratch_take((size_t)size); /* right behind the head */
	n = small ? pread(fd, small, (size_t)size, 0) : -1;
	if (n < 0) {
		r->unread = errno;
		http_answer_status(r, 500, NULL);
	} else if (n == size) {
		http_answer_behind(r, (size_t)n);
	} else {
		reply->entity = NULL;
		http_answer_body(r, reply, small, (size_t)n);
	}
}

static void
send_whole(struct http_request *r, struct http_reply *reply, const struct http_file *file)
{
	int64_t size = file->st.st_size;

	reply->status = 200;
	reply->length = size;
	if (r->head->method == HTTP_HEAD) {
		http_answer_head(r, reply, false);
	} else if (file->map) {
		http_answer_body(r, reply, file->map, (size_t)size);
	} else if (size <= HTTP_SMALL_BYTES) {
		read_and_send(r, reply, file->fd, size);
	} else if (http_answer_head(r, reply, size < LARGE_BYTES)) {
		http_answer_file(r, file->fd, 0, size);
	}
}

/*
 * What is to be said of a file of that name, in facts unless it is kept with the file.  One
 * from the future is of another date each second.
 */
static const struct http_facts *
facts_of(const struct http_request *r, const struct http_file *file, const char *name,
	 const char *coding, struct http_facts *facts)
{
	if (file->facts && file->facts->known && file->facts->coding == coding)
		return file->facts;
	if (file->facts)
		facts = file->facts;
	facts->coding = coding;
	facts->type = http_mime_type(r->mime, name);
	http_entity_of(&facts->entity, &file->st,
		       !coding                     ? ""
		       : strcmp(coding, "br") == 0 ? "-br"
						   : "-gz",
		       r->now);
	facts->known = facts->entity.mtime < r->now;
	return facts;
}

static void
send_file(struct http_request *r, const struct http_file *file, const char *name,
	  const char *coding)
{
	struct http_facts room;
	const struct http_facts *facts = facts_of(r, file, name, coding, &room);
	struct http_reply reply = { .type = facts->type,
				    .coding = coding,
				    .vary = r->site->conf->precompressed &&
					    r->site->conf->precompressed[0],
				    .entity = &facts->entity };
	int status = http_entity_check(&facts->entity, r->head, r->now);

	if (status == 304) {
		reply.status = 304;
		reply.type = reply.coding = NULL;
		reply.length = -1;
		http_answer_head(r, &reply, false);
	} else if (status != 0) {
		http_answer_status(r, status, NULL);
	} else if (!http_ranges_serve(r, &reply, file->fd, file->st.st_size)) {
		send_whole(r, &reply, file);
	}
}

/* Behind the name of a file: that of the one with this coding. */
static const char *
ending_of(const char *coding)
{
	return !coding ? "" : strcmp(coding, "gzip") == 0 ? ".gz" : ".br";
}

/*
 * The file beside it that has the coding which the client likes best, in the place of *file.
 * Returns that coding, or NULL.
 */
static const char *
open_precompressed(const struct http_request *r, int root, const char *path, struct http_file *file)
{
	char *const *codings = r->site->conf->precompressed;
	const char *coding = NULL;
	int best = 0;

	for (size_t i = 0; codings && codings[i]; i++) {
		int quality = http_accept_encoding(r->head, codings[i]), error;
		struct http_file other;
		const char *longer;

		if (quality <= best || quality < http_accept_encoding(r->head, "identity"))
			continue;
		longer = http_scratch_format("%s%s", path, ending_of(codings[i]));
		if (!longer)
			continue;
		error = open_at(r, root, longer, &other);
		http_scratch_trim(longer);
		if (error < 0)
			continue;
		if (!S_ISREG(other.st.st_mode)) {
			http_files_close(&other);
			continue;
		}
		http_files_close(file);
		*file = other;
		best = quality;
		coding = codings[i];
	}
	return coding;
}

/* A regular file at the path.  0 if it was answered; else why not, as an errno. */
HOT static int
try_file(struct http_request *r, int root, const char *path)
{
	struct http_file file;
	const char *coding;

	if (open_at(r, root, path, &file) < 0)
		return errno;
	if (S_ISDIR(file.st.st_mode)) {
		http_files_close(&file);
		return EISDIR;
	}
	coding = open_precompressed(r, root, path, &file);
	send_file(r, &file, path, coding);
	http_files_close(&file);
	if (r->unread)
		tell_unread(r, root, path, ending_of(coding));
	return 0;
}

static int
serve_listing(struct http_request *r, int root, const char *path, int dir)
{
	struct http_listing listing = {
		.dir = dir,
		.root = root,
		.path = path,
		.symlinks = (enum http_symlinks)r->site->conf->follow_symlinks,
		.dotfiles = r->site->conf->dotfiles,
		.target = &r->target,
	};
	struct http_reply reply = { .status = 200, .type = "text/html; charset=utf-8" };
	char *page = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&page, &len);
	int status = 0;

	if (!out)
		return 503;
	if (http_listing_write(&listing, out) < 0)
		status = status_of_errno(errno);
	if (fclose(out) != 0 && status == 0)
		status = 503;
	if (status == 0)
		http_answer_body(r, &reply, page, len);
	free(page);
	return status;
}

static bool
is_file(const struct http_request *r, int root, const char *path)
{
	struct http_file file;

	if (open_at(r, root, path, &file) < 0)
		return false;
	http_files_close(&file);
	return S_ISREG(file.st.st_mode);
}

static int
serve_directory(struct http_request *r, int root, const char *path)
{
	char *const *index = r->site->conf->index;
	struct http_file dir;
	int status;

	for (size_t i = 0; index && index[i]; i++) {
		const char *longer = http_scratch_format("%s%s", path, index[i]);
		int error;

		if (longer && http_request_is_apart(r, index[i]) && is_file(r, root, longer))
			return http_request_serve_index(r, index[i]);
		error = longer ? try_file(r, root, longer) : ENOMEM;
		if (error == 0)
			return 0;
		if (error != ENOENT && error != EISDIR)
			return fail(r, root, longer ? longer : path, error);
		http_scratch_trim(longer);
	}
	if (open_at(r, root, path, &dir) < 0)
		return fail(r, root, path, errno);
	status = r->site->conf->directory_listing ? serve_listing(r, root, path, dir.fd) : 403;
	http_files_close(&dir);
	return status;
}

HOT int
http_file_serve(struct http_request *r, int root, const char *path)
{
	int error;

	if (r->target.slash)
		return serve_directory(r, root, path);
	error = try_file(r, root, path);
	if (error == EISDIR)
		http_answer_slash(r);
	return error == 0 || error == EISDIR ? 0 : fail(r, root, path, error);
}
