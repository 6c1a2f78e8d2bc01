#include "conf_parse.h"

#include "conf_file.h"
#include "conf_hint.h"
#include "conf_seen.h"
#include "conf_text.h"

#include <confuse.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Known at the top level only: a section that is still open at the end does not know it. */
#define SENTINEL "preforkd_end_of_file"

/* One file being parsed.  libconfuse gives its callbacks no pointer of ours. */
static struct {
	const char *file;
	char **err;
	struct conf_seen seen; /* by the places of options in libconfuse's tree */
	struct conf_text text;
	size_t nclosed;            /* sections, of those in text */
	struct conf *scratch_conf; /* values are tried here while their line is known */
	struct conf_pool *scratch_pool;
	struct conf_block *scratch_block; /* of the section that was last tried */
} parsing;

static const struct conf_section *
section_of(const cfg_t *cfg)
{
	for (size_t i = 1; conf_all_sections[i]; i++)
		if (strcmp(cfg->name, conf_all_sections[i]->name) == 0)
			return conf_all_sections[i];
	return &conf_global_section;
}

/* Where a value of the section can be tried. */
static void *
scratch_of(const struct conf_section *section)
{
	if (section == &conf_global_section)
		return parsing.scratch_conf;
	if (section == &conf_pool_section)
		return parsing.scratch_pool;
	for (size_t i = 0; i < CONF_SERVICES; i++)
		if (section == &conf_service_sections[i] && section->size == 0)
			return conf_service_values(parsing.scratch_pool, i);
	if (!parsing.scratch_block || parsing.scratch_block->section != section) {
		conf_block_free(parsing.scratch_block);
		parsing.scratch_block = conf_block_new(section, NULL, NULL);
	}
	return parsing.scratch_block->values;
}

static void
report_unknown(const cfg_t *cfg, const char *name)
{
	const struct conf_section *section = section_of(cfg);
	char *hint, *where;

	if (strcmp(name, SENTINEL) == 0) {
		util_fail(parsing.err, "%s: the file ends inside a section: } is missing",
			  parsing.file);
		return;
	}
	hint = conf_hint(section, name);
	if (cfg->title)
		where = util_format(" in %s \"%s\"", cfg->name, cfg->title);
	else
		where =
		    section->name ? util_format(" in section %s", section->name) : util_strdup("");
	util_fail(parsing.err, "%s:%d: unknown option \"%s\"%s%s", parsing.file, cfg->line, name,
		  where, hint);
	free(where);
	free(hint);
}

/* libconfuse's own complaints: unknown names and syntax. */
PRINTF_LIKE(2, 0)
static void
report(cfg_t *cfg, const char *fmt, va_list ap)
{
	char text[512];

	if (strncmp(fmt, "no such option", 14) == 0) {
		report_unknown(cfg, va_arg(ap, const char *));
		return;
	}
	if (strncmp(fmt, "found duplicate title", 21) == 0)
		fmt = section_of(cfg) == &conf_global_section ? "pool \"%s\" is defined twice"
							      : "a section \"%s\" stands twice";
	vsnprintf(text, sizeof(text), fmt, ap);
	if (strstr(text, SENTINEL))
		snprintf(text, sizeof(text), "the file ends in the middle of an option");
	else if (strncmp(text, "unexpected token", 16) == 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 ": expected option = value, or a section name { ... }");
	util_fail(parsing.err, "%s:%d: %s", parsing.file, cfg->line, text);
}

static int
check_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct conf_section *section = section_of(cfg);
	int before = conf_seen_line(&parsing.seen, opt);
	int index = conf_option_index(section, opt->name);
	void *base = scratch_of(section);
	char *why = NULL;

	*(const char **)result = value;
	if (before && opt->nvalues == 1)
		return util_fail(parsing.err, "%s:%d: %s is set twice: first in line %d",
				 parsing.file, cfg->line, opt->name, before);
	if (!before)
		conf_seen_add(&parsing.seen, opt, cfg->line);
	if (strcmp(value, SENTINEL) == 0)
		util_fail(&why, "the file ends before the value");
	if (why || conf_set(base, &section->options[index], value, &why) < 0)
		util_fail(parsing.err, "%s:%d: %s: %s", parsing.file, cfg->line, opt->name, why);
	if (conf_option_is_list(&section->options[index]))
		conf_set_list(base, &section->options[index], NULL); /* it was only tried */
	free(why);
	return *parsing.err ? -1 : 0;
}

/* libconfuse leaves the line of a section at its end. */
static int
set_line(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	if (parsing.nclosed < parsing.text.nsections)
		cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1)->line =
		    parsing.text.section_lines[parsing.nclosed++];
	return 0;
}

static cfg_opt_t
option_to_libconfuse(const struct conf_option *o)
{
	cfg_opt_t one = CFG_STR_CB(o->name, NULL, CFGF_NODEFAULT, check_value);
	cfg_opt_t list = CFG_STR_LIST_CB(o->name, NULL, CFGF_NODEFAULT, check_value);

	return conf_option_is_list(o) ? list : one;
}

/*
 * Our tables as libconfuse's, made once: sections stand in sections, and the whole is
 * never freed.  A pool holds the services; one with a title may stand several times.
 */
static cfg_opt_t *
libconfuse_section(const struct conf_section *section)
{
	static const cfg_opt_t end = CFG_END();
	cfg_opt_t *list =
	    util_calloc(section->n + CONF_SERVICES + CONF_SECTION_BLOCKS + 3, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < section->n; i++)
		list[n++] = option_to_libconfuse(&section->options[i]);
	for (size_t i = 0; section == &conf_pool_section && i < CONF_SERVICES; i++) {
		cfg_opt_t service =
		    CFG_SEC(conf_service_sections[i].name,
			    libconfuse_section(&conf_service_sections[i]), CFGF_MULTI);

		list[n++] = service;
	}
	for (size_t i = 0; section->blocks[i]; i++) {
		cfg_opt_t block =
		    CFG_SEC(section->blocks[i]->name, libconfuse_section(section->blocks[i]),
			    CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

		list[n++] = block;
	}
	if (section == &conf_global_section) {
		cfg_opt_t sentinel = CFG_STR(SENTINEL, NULL, CFGF_NODEFAULT);
		cfg_opt_t pools = CFG_SEC("pool", libconfuse_section(&conf_pool_section),
					  CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES);

		list[n++] = sentinel;
		list[n++] = pools;
	}
	for (size_t i = 0; i < n; i++)
		if (list[i].type == CFGT_SEC)
			list[i].validcb = set_line;
	list[n] = end;
	return list;
}

static cfg_opt_t *
libconfuse_options(void)
{
	static cfg_opt_t *global;

	if (!global)
		global = libconfuse_section(&conf_global_section);
	return global;
}

/* All values at one time: a list may have as many as a file has room for. */
static void
take_list(cfg_opt_t *opt, const struct conf_option *option, void *base)
{
	unsigned n = cfg_opt_size(opt);
	char **list = util_calloc(n + 1, sizeof(*list));

	for (unsigned i = 0; i < n; i++)
		list[i] = util_strdup(cfg_opt_getnstr(opt, i));
	conf_set_list(base, option, list);
	if (n == 0) /* nobody calls check_value() for { } */
		util_fail(parsing.err, "%s:%d: %s is set twice: here, and to { } behind it",
			  parsing.file, conf_seen_line(&parsing.seen, opt), option->name);
}

/* Moves the values of one section of libconfuse's tree into our struct at base. */
static void
take_options(cfg_t *cfg, const struct conf_section *section, void *base, struct conf_where *set,
	     const char *file)
{
	for (size_t i = 0; i < section->n; i++) {
		cfg_opt_t *opt = cfg_getopt(cfg, section->options[i].name);
		int seen = conf_seen_line(&parsing.seen, opt);
		char *err = NULL;

		if (!seen && (opt->flags & CFGF_MODIFIED)) {
			set[i] = (struct conf_where){ .file = file, .line = cfg->line };
			conf_set_empty(base, &section->options[i]);
		}
		if (!seen)
			continue;
		set[i] = (struct conf_where){ .file = file, .line = seen };
		if (conf_option_is_list(&section->options[i]))
			take_list(opt, &section->options[i], base);
		else if (conf_set(base, &section->options[i], cfg_opt_getstr(opt), &err) < 0)
			abort(); /* check_value() took the same text */
	}
}

static int
check_pool_name(const char *name, const char *file, int line, char **err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			len = 0;
	if (len == 0 || len > 64)
		return util_fail(err, "%s:%d: a pool's name must have 1 to 64 printable bytes",
				 file, line);
	return 0;
}

static int take_blocks(cfg_t *cfg, struct conf_block *block, const char *file, char **err);

static int
take_block(cfg_t *cfg, const struct conf_section *section, struct conf_block *parent,
	   const char *file, char **err)
{
	struct conf_block *block = conf_block_new(section, cfg_title(cfg), parent);

	block->where = (struct conf_where){ file, cfg->line };
	take_options(cfg, section, block->values, block->set, file);
	return take_blocks(cfg, block, file, err);
}

/* The sections inside of a section. */
static int
take_blocks(cfg_t *cfg, struct conf_block *block, const char *file, char **err)
{
	for (size_t i = 0; block->section->blocks[i]; i++) {
		const struct conf_section *inner = block->section->blocks[i];

		for (unsigned k = 0; k < cfg_size(cfg, inner->name); k++)
			if (take_block(cfg_getnsec(cfg, inner->name, k), inner, block, file, err) <
			    0)
				return -1;
	}
	return 0;
}

static int
take_service_sections(cfg_t *cfg, struct conf_pool *pool, const char *file, char **err)
{
	for (size_t s = 0; s < CONF_SERVICES; s++) {
		const struct conf_section *section = &conf_service_sections[s];
		cfg_t *sub;

		if (cfg_size(cfg, section->name) == 0)
			continue;
		sub = cfg_getnsec(cfg, section->name, 0);
		pool->section_where[s] = (struct conf_where){ file, sub->line };
		if (s == CONF_SERVICE_HTTP)
			pool->http->where = pool->section_where[s];
		if (cfg_size(cfg, section->name) > 1)
			return util_fail(err, "%s:%d: section %s stands twice in pool \"%s\"", file,
					 cfg_getnsec(cfg, section->name, 1)->line, section->name,
					 pool->name);
		take_options(sub, section, conf_service_values(pool, s), conf_service_set(pool, s),
			     file);
		if (s == CONF_SERVICE_HTTP && take_blocks(sub, pool->http, file, err) < 0)
			return -1;
	}
	return 0;
}

static int
take_pool(cfg_t *cfg, struct conf *conf, const char *file, char **err)
{
	const struct conf_pool *before = conf_find_pool(conf, cfg_title(cfg));
	struct conf_pool *pool;

	if (before)
		return util_fail(err, "%s:%d: pool \"%s\" is defined twice: first at %s:%d", file,
				 cfg->line, before->name, before->where.file, before->where.line);
	if (check_pool_name(cfg_title(cfg), file, cfg->line, err) < 0)
		return -1;
	pool = conf_add_pool(conf, cfg_title(cfg));
	pool->where = (struct conf_where){ file, cfg->line };
	take_options(cfg, &conf_pool_section, pool, pool->set, file);
	return take_service_sections(cfg, pool, file, err);
}

/* Global options may stand in any of the files, each in one. */
static int
take_global(cfg_t *cfg, struct conf *conf, const char *file, char **err)
{
	for (size_t i = 0; i < conf_global_section.n; i++) {
		const char *name = conf_global_section.options[i].name;
		int seen = conf_seen_line(&parsing.seen, cfg_getopt(cfg, name));

		if (seen && conf->set[i].file)
			return util_fail(err, "%s:%d: %s is set twice: first at %s:%d", file, seen,
					 name, conf->set[i].file, conf->set[i].line);
		if (seen && strcmp(name, "include_dir") == 0 && conf->files[1])
			return util_fail(err, "%s:%d: include_dir may stand in the main file only",
					 file, seen);
	}
	take_options(cfg, &conf_global_section, conf, conf->set, file);
	return 0;
}

static int
take_tree(cfg_t *cfg, struct conf *conf, const char *file, char **err)
{
	if (cfg_size(cfg, SENTINEL) == 0)
		return util_fail(err, "%s: the file ends inside a section: } is missing", file);
	if (take_global(cfg, conf, file, err) < 0)
		return -1;
	for (unsigned i = 0; i < cfg_size(cfg, "pool"); i++)
		if (take_pool(cfg_getnsec(cfg, "pool", i), conf, file, err) < 0)
			return -1;
	return 0;
}

static int
parse_text(struct conf *conf, const char *file, char *text, size_t len, char **err)
{
	cfg_t *cfg = NULL;
	FILE *in = NULL;
	int result = -1;

	memset(&parsing, 0, sizeof(parsing));
	if (conf_text_clean(file, text, len, &parsing.text, err) < 0)
		goto out;
	parsing.file = file;
	parsing.err = err;
	parsing.scratch_conf = conf_new();
	parsing.scratch_pool = conf_add_pool(parsing.scratch_conf, "scratch");
	cfg = cfg_init(libconfuse_options(), CFGF_NONE);
	in = fmemopen(text, len, "r");
	if (!cfg || !in) {
		util_fail(err, "%s: %s", file, strerror(errno));
		goto out;
	}
	cfg_set_error_function(cfg, report);
	if (cfg_parse_fp(cfg, in) != CFG_SUCCESS || *err)
		util_fail(err, "%s: syntax error", file);
	else if (take_tree(cfg, conf, file, err) == 0 && !*err)
		result = 0;
out:
	if (in)
		fclose(in);
	if (cfg)
		cfg_free(cfg);
	free(parsing.text.section_lines);
	conf_seen_free(&parsing.seen);
	conf_free(parsing.scratch_conf);
	conf_block_free(parsing.scratch_block);
	memset(&parsing, 0, sizeof(parsing));
	return result;
}

static int
parse_file(struct conf *conf, const char *path, char **err)
{
	static const char tail[] = "\n" SENTINEL " = 1\n";
	size_t len;
	char *text;
	int result = -1;

	util_list_add(&conf->files, path);
	path = conf->files[util_list_len(conf->files) - 1];
	text = conf_file_read(path, tail, &len, err);
	if (text)
		result = parse_text(conf, path, text, len, err);
	free(text);
	return result;
}

static int
parse_include_dir(struct conf *conf, char **err)
{
	struct conf_where where = conf->set[conf_option_index(&conf_global_section, "include_dir")];
	char **paths, *why = NULL;
	int result = 0;

	if (!conf->include_dir)
		return 0;
	paths = conf_file_list(conf->include_dir, &why);
	if (why)
		result = util_fail(err, "%s:%d: include_dir: %s", where.file, where.line, why);
	for (size_t i = 0; result == 0 && paths && paths[i]; i++)
		if (conf_file_same(paths[i], conf->files[0]))
			result = util_fail(err,
					   "%s:%d: include_dir: it has this file itself: use a "
					   "directory beside or below",
					   where.file, where.line);
		else
			result = parse_file(conf, paths[i], err);
	util_list_free(paths);
	free(why);
	return result;
}

struct conf *
conf_parse(const char *file, char **err)
{
	struct conf *conf = conf_new();

	if (parse_file(conf, file, err) < 0 || parse_include_dir(conf, err) < 0 ||
	    conf_finish(conf, err) < 0) {
		conf_free(conf);
		return NULL;
	}
	return conf;
}
