/*
 * The text of a configuration file: whatever it is, it is refused with a message or
 * accepted, and what is accepted dumps to something that is accepted and dumps alike.
 */
#include "conf_parse.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* conf_parse() reads files, so the text goes into one that only has a descriptor. */
static struct conf *
parse(const void *data, size_t size)
{
	int fd = memfd_create("conf", MFD_CLOEXEC);
	struct conf *conf = NULL;
	char *err = NULL, path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || fchmod(fd, 0600) < 0)
		abort();
	conf = conf_parse(path, &err);
	if (!conf && !err)
		abort(); /* refused without a word */
	free(err);
	close(fd);
	return conf;
}

static char *
dump(const struct conf *conf, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	conf_dump(conf, out);
	fclose(out);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *first, *second;
	char *one, *two;
	size_t len_one, len_two;

	/* What the machine's directories hold is not a matter of the text. */
	if (size == 0 || memmem(data, size, "include_dir", 11))
		return 0;
	first = parse(data, size);
	if (!first)
		return 0;
	one = dump(first, &len_one);
	second = parse(one, len_one);
	if (!second)
		abort();
	two = dump(second, &len_two);
	if (len_one != len_two || memcmp(one, two, len_one) != 0)
		abort();
	free(one);
	free(two);
	conf_free(first);
	conf_free(second);
	return 0;
}
