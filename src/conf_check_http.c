/*
 * The http section as a whole: defaults, what sites inherit, and what must hold.
 */
#include "conf_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define REALM_BYTES 400 /* so that a field that has it fits, see http_request.c */

static struct conf_where
where_of(const struct conf_block *block, const char *option)
{
	struct conf_where where = block->set[conf_option_index(block->section, option)];

	return where.file ? where : block->where;
}

static int
fail(const struct conf_block *block, const char *option, const char *why, char **err)
{
	struct conf_where where = where_of(block, option);

	return util_fail(err, "%s:%d: %s%s%s%s: %s", where.file, where.line, block->section->name,
			 block->title ? " \"" : "", block->title ? block->title : "",
			 block->title ? "\"" : "", why);
}

/* The same for an option that the words do not name. */
static int
fail_option(const struct conf_block *block, const char *option, const char *why, char **err)
{
	return conf_block_fail(block, option, util_strdup(why), err);
}

/* What a site does not set, it has from the one around it. */
static void
inherit_number(int64_t *own, int64_t outer)
{
	if (*own == CONF_UNSET)
		*own = outer;
}

static void
inherit_list(char ***own, char **outer)
{
	if (*own || !outer)
		return;
	*own = util_list_copy(outer);
	if (!*own)
		*own = util_calloc(1, sizeof(char *));
}

static void
inherit_site(struct conf_site *site, const struct conf_site *outer)
{
	if (!site->document_root)
		site->document_root = util_strdup(outer->document_root);
	inherit_number(&site->directory_listing, outer->directory_listing);
	inherit_number(&site->follow_symlinks, outer->follow_symlinks);
	inherit_number(&site->dotfiles, outer->dotfiles);
	inherit_list(&site->index, outer->index);
	inherit_list(&site->precompressed, outer->precompressed);
	inherit_list(&site->header, outer->header);
	if (!site->server_admin && outer->server_admin)
		site->server_admin = util_strdup(outer->server_admin);
}

static int
check_header(const struct conf_block *block, const char *text, char **err)
{
	static const char *const ours[] = { "Content-Length:", "Transfer-Encoding:",
					    "Connection:",     "Date:",
					    "Content-Range:",  "Trailer:",
					    "Content-Type:",   "Content-Encoding:",
					    "ETag:",           "Last-Modified:",
					    "Accept-Ranges:",  "Location:",
					    "Server:",         "Vary:" };
	size_t name = strcspn(text, ":");

	if (name == 0 || text[name] != ':')
		return fail_option(block, "header", "a field is written \"Name: value\"", err);
	for (size_t i = 0; i < name; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-.^_`|~", text[i]))
			return fail_option(block, "header",
					   "a field's name has letters, digits and -", err);
	for (const char *p = text + name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return fail_option(block, "header", "a field has no control bytes", err);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strncasecmp(text, ours[i], strlen(ours[i])) == 0)
			return fail_option(block, "header", "this field is set by preforkd itself",
					   err);
	return 0;
}

static int
check_headers(const struct conf_block *block, char *const *header, char **err)
{
	size_t all = 0;

	for (size_t i = 0; header && header[i]; i++) {
		if (check_header(block, header[i], err) < 0)
			return -1;
		all += strlen(header[i]) + strlen("\r\n");
	}
	if (all > CONF_HEADER_BYTES)
		return conf_block_fail(
		    block, "header",
		    util_format("the fields have %zu bytes together, and may have %d", all,
				CONF_HEADER_BYTES),
		    err);
	return 0;
}

static int
check_lists(const struct conf_block *block, const struct conf_site *site, char **err)
{
	if (check_headers(block, site->header, err) < 0)
		return -1;
	for (size_t i = 0; site->index && site->index[i]; i++)
		if (strchr(site->index[i], '/') || site->index[i][0] == '\0')
			return fail_option(block, "index", "the name of a file, without a slash",
					   err);
	for (size_t i = 0; site->precompressed && site->precompressed[i]; i++)
		if (strcmp(site->precompressed[i], "br") != 0 &&
		    strcmp(site->precompressed[i], "gzip") != 0)
			return fail_option(block, "precompressed",
					   "codings are \"br\" and \"gzip\"", err);
	return 0;
}

/* "." or "..": no path has one any more when it is compared. */
static bool
has_dot_segment(const char *path)
{
	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		size_t len = strcspn(at + 1, "/");

		if ((len == 1 && at[1] == '.') || (len == 2 && at[1] == '.' && at[2] == '.'))
			return true;
	}
	return false;
}

static int
check_prefix(const struct conf_block *block, char **err)
{
	if (block->title[0] != '/' || strpbrk(block->title, "?%#") || strstr(block->title, "//") ||
	    has_dot_segment(block->title))
		return fail(block, block->section->options[0].name,
			    "the title is a decoded path that begins with a slash", err);
	return 0;
}

static int
check_redirect(const struct conf_block *block, char **err)
{
	const struct conf_redirect *r = block->values;
	int64_t code = r->code;

	if (!r->to)
		return fail(block, "to", "it needs a target: to = \"https://...\"", err);
	for (const char *p = r->to; *p; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			return fail(block, "to", "to has no blanks, controls or 8-bit bytes", err);
	if (r->to[0] != '/' && !strstr(r->to, "://"))
		return fail(block, "to",
			    "to is a URL with its scheme, or a path that begins with a slash", err);
	if (strlen(r->to) > CONF_REDIRECT_BYTES)
		return fail(block, "to", "to has at most 8190 bytes", err);
	if (code != 301 && code != 302 && code != 303 && code != 307 && code != 308)
		return fail(block, "code", "code is 301, 302, 303, 307 or 308", err);
	return 0;
}

static int
check_location(const struct conf_block *block, char **err)
{
	const struct conf_location *l = block->values;

	if (!l->auth_user_file != !l->auth_realm)
		return fail(block, l->auth_realm ? "auth_realm" : "auth_user_file",
			    "auth_realm and auth_user_file go together", err);
	for (const char *p = l->auth_realm; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\')
			return fail(block, "auth_realm",
				    "a realm has no control bytes, quotes and backslashes", err);
	if (l->auth_realm && strlen(l->auth_realm) > REALM_BYTES)
		return fail(block, "auth_realm", "a realm has at most 400 bytes", err);
	if (!l->allow && !l->deny && !l->auth_realm)
		return fail(block, "allow", "it restricts nothing: write allow, deny or auth_realm",
			    err);
	return 0;
}

static int
check_error_document(const struct conf_block *block, char **err)
{
	const struct conf_error_document *e = block->values;
	const char *code = block->title;

	if (strspn(code, "0123456789") != 3 || code[3] || code[0] < '4' || code[0] > '5')
		return fail(block, "file", "the title is a status from 400 to 599", err);
	return e->file ? 0 : fail(block, "file", "it needs a file", err);
}

static int
check_cgi(const struct conf_block *block, char **err)
{
	const struct conf_cgi *cgi = block->values;

	if (!cgi->path && !cgi->script)
		return fail(block, "path",
			    "it needs a directory of scripts (path) or one program (script)", err);
	if (cgi->path && cgi->script)
		return fail(block, "script", "path and script contradict each other", err);
	return 0;
}

/* Who may see it is to be said: it tells what clients ask for. */
static int
check_status(const struct conf_block *block, char **err)
{
	const struct conf_status *status = block->values;

	if (!status->allow)
		return fail(block, "allow", "say who may see it: allow = { \"127.0.0.1\" }", err);
	if (status->agent)
		return fail(block, "agent", "agent is for a pool of service \"status\"", err);
	return 0;
}

static int
check_inner(const struct conf_block *block, char **err)
{
	const struct conf_section *section = block->section;

	if (section == &conf_error_document_section)
		return check_error_document(block, err);
	if (check_prefix(block, err) < 0)
		return -1;
	if (section == &conf_cgi_section)
		return check_cgi(block, err);
	if (section == &conf_status_section)
		return check_status(block, err);
	if (section == &conf_redirect_section)
		return check_redirect(block, err);
	if (section == &conf_location_section)
		return check_location(block, err);
	if (section == &conf_alias_section && !((const struct conf_alias *)block->values)->path)
		return fail(block, "path", "it needs a path", err);
	return 0;
}

static int
check_site(struct conf_block *block, struct conf_site *site, char **err)
{
	if (check_lists(block, site, err) < 0)
		return -1;
	for (size_t i = 0; i < block->n; i++)
		if (block->blocks[i]->section != &conf_site_section &&
		    check_inner(block->blocks[i], err) < 0)
			return -1;
	return 0;
}

/* A name that requests can be for, and where it was given. */
struct given_name {
	const char *name, *option;
	const struct conf_block *block;
	size_t place; /* in the order of the file */
};

static struct given_name *
add_names(struct given_name *names, size_t *n, const struct conf_block *block)
{
	const struct conf_site *site = block->values; /* a struct conf_http begins with its site */
	size_t more = util_list_len(site->server_alias);

	names = util_realloc(names, *n + more + 1, sizeof(*names));
	if (site->server_name) {
		names[*n] = (struct given_name){ site->server_name, "server_name", block, *n };
		++*n;
	}
	for (size_t i = 0; i < more; i++, ++*n)
		names[*n] = (struct given_name){ site->server_alias[i], "server_alias", block, *n };
	return names;
}

static int
compare_names(const void *a, const void *b)
{
	const struct given_name *x = a, *y = b;
	int result = strcasecmp(x->name, y->name);

	return result ? result : x->place < y->place ? -1 : x->place > y->place;
}

static int
fail_name(const struct given_name *first, const struct given_name *second, char **err)
{
	struct conf_where where = where_of(first->block, first->option);
	char *why = util_format("%s \"%s\" is a name of another site: %s:%d", second->option,
				second->name, where.file, where.line);

	fail(second->block, second->option, why, err);
	free(why);
	return -1;
}

/*
 * Of two sites with one name, the second would never be seen under it; the fault is the first
 * one of the file.
 */
static int
check_names(const struct conf_block *http, char **err)
{
	size_t n = 0;
	struct given_name *names = add_names(NULL, &n, http);
	const struct given_name *first, *one = NULL, *other = NULL;
	int result = 0;

	for (size_t i = 0; i < http->n; i++)
		if (http->blocks[i]->section == &conf_site_section)
			names = add_names(names, &n, http->blocks[i]);
	qsort(names, n, sizeof(*names), compare_names);
	first = names;
	for (size_t i = 1; i < n; i++) {
		if (strcasecmp(first->name, names[i].name) != 0)
			first = &names[i];
		if (first->block != names[i].block && (!other || names[i].place < other->place)) {
			one = first;
			other = &names[i];
		}
	}
	if (other)
		result = fail_name(one, other, err);
	free(names);
	return result;
}

int
conf_check_http(struct conf_pool *pool, char **err)
{
	struct conf_block *http = pool->http;
	struct conf_http *values = http->values;

	if (!http->where.file)
		http->where = pool->where;
	if (!values->site.document_root)
		return fail(http, "document_root",
			    "no files to serve: http { document_root = \"/var/www/html\" }", err);
	inherit_number(&values->site.directory_listing, 0);
	inherit_number(&values->site.follow_symlinks, 1); /* owner */
	inherit_number(&values->site.dotfiles, 0);
	if (!values->site.index)
		util_list_add(&values->site.index, "index.html");
	if (check_site(http, &values->site, err) < 0)
		return -1;
	for (size_t i = 0; i < http->n; i++) {
		struct conf_block *block = http->blocks[i];
		struct conf_site *site = block->values;

		if (block->section != &conf_site_section)
			continue;
		if (!site->server_name)
			return fail(block, "server_name", "it needs a server_name", err);
		inherit_site(site, &values->site);
		if (check_site(block, site, err) < 0)
			return -1;
	}
	return check_names(http, err);
}
