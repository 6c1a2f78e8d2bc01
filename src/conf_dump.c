#include "conf_table.h"
#include "conf_value.h"

#include <string.h>

static void
dump_list(char *const *list, FILE *out)
{
	fputs("{ ", out);
	for (size_t i = 0; list[i]; i++) {
		if (i > 0)
			fputs(", ", out);
		conf_value_print_string(out, list[i]);
	}
	fputs(" }", out);
}

static void
dump_number(const struct conf_option *o, int64_t value, FILE *out)
{
	switch (o->type) {
	case CONF_TIME:
		conf_value_print_time(out, value);
		break;
	case CONF_READY:
		if (value == CONF_NOTIFY)
			fputs("\"notify\"", out);
		else
			conf_value_print_time(out, value);
		break;
	case CONF_BOOL:
		fputs(value ? "true" : "false", out);
		break;
	case CONF_MODE:
		fprintf(out, "\"%04o\"", (unsigned)value);
		break;
	case CONF_CHOICE:
		fprintf(out, "\"%s\"", o->choices[value]);
		break;
	case CONF_DECIMAL:
		conf_value_print_decimal(out, value);
		break;
	case CONF_SIZE:
		conf_value_print_size(out, value);
		break;
	case CONF_RLIMIT:
		if (value == CONF_UNLIMITED)
			fputs("unlimited", out);
		else
			conf_value_print_size(out, value);
		break;
	default:
		fprintf(out, "%lld", (long long)value);
	}
}

static bool
has_value(const void *base, const struct conf_option *o)
{
	if (conf_option_is_list(o))
		return *conf_list_at(base, o) != NULL;
	if (conf_option_is_text(o))
		return *conf_text_at(base, o) != NULL;
	return *conf_number_at(base, o) != CONF_UNSET;
}

static void
dump_options(const void *base, const struct conf_section *section, const char *skip[],
	     const char *indent, FILE *out)
{
	for (size_t i = 0; i < section->n; i++) {
		const struct conf_option *o = &section->options[i];
		bool skipped = !has_value(base, o);

		for (size_t k = 0; skip && skip[k]; k++)
			skipped |= strcmp(skip[k], o->name) == 0;
		if (skipped)
			continue;
		fprintf(out, "%s%s = ", indent, o->name);
		if (conf_option_is_list(o))
			dump_list(*conf_list_at(base, o), out);
		else if (conf_option_is_text(o))
			conf_value_print_string(out, *conf_text_at(base, o));
		else
			dump_number(o, *conf_number_at(base, o), out);
		fputc('\n', out);
	}
}

static void
dump_blocks(const struct conf_block *block, char *indent, FILE *out)
{
	size_t depth = strlen(indent);

	for (size_t i = 0; i < block->n; i++) {
		const struct conf_block *inner = block->blocks[i];

		fprintf(out, "%s%s ", indent, inner->section->name);
		conf_value_print_string(out, inner->title);
		fputs(" {\n", out);
		indent[depth] = '\t';
		dump_options(inner->values, inner->section, NULL, indent, out);
		dump_blocks(inner, indent, out);
		indent[depth] = '\0';
		fprintf(out, "%s}\n", indent);
	}
}

static void
dump_service(const struct conf_pool *pool, FILE *out)
{
	const struct conf_section *section = &conf_service_sections[pool->service];
	char indent[8] = "\t\t";

	fprintf(out, "\t%s {\n", section->name);
	dump_options(conf_service_values(pool, (size_t)pool->service), section, NULL, indent, out);
	if (pool->service == CONF_SERVICE_HTTP)
		dump_blocks(pool->http, indent, out);
	fputs("\t}\n", out);
}

/* What include_dir brought in is part of the dump already. */
void
conf_dump(const struct conf *conf, FILE *out)
{
	static const char *merged[] = { "include_dir", NULL };
	static const char *fixed[] = { "start_workers", "min_spare_workers", "max_spare_workers",
				       "max_workers", NULL };

	dump_options(conf, &conf_global_section, merged, "", out);
	for (size_t i = 0; i < conf->npools; i++) {
		const struct conf_pool *pool = conf->pools[i];

		fputs("\npool ", out);
		conf_value_print_string(out, pool->name);
		fputs(" {\n", out);
		dump_options(pool, &conf_pool_section, pool->workers > 0 ? fixed : NULL, "\t", out);
		dump_service(pool, out);
		fputs("}\n", out);
	}
}
