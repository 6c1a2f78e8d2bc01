#include "totals.h"

#include "util.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 72 /* of a pool, with its end */

struct totals {
	char pool[NAME_BYTES];
	_Atomic uint64_t n[FIGURES]; /* another master may know fewer, or more behind them */
};

static struct {
	int fd;       /* -1: there is none yet */
	char **pools; /* whose the pages are */
	size_t n;
} self = { .fd = -1 };

static size_t
page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Another master may have added pages, though it then came to nothing. */
static void
look_for_pages(void)
{
	char name[NAME_BYTES];
	struct stat st;

	if (fstat(self.fd, &st) < 0)
		return;
	while (self.n < (size_t)st.st_size / page_bytes()) {
		off_t at = (off_t)(self.n * page_bytes());

		if (pread(self.fd, name, sizeof(name), at) != (ssize_t)sizeof(name))
			return;
		name[sizeof(name) - 1] = '\0';
		util_list_add(&self.pools, name);
		self.n++;
	}
}

void
totals_inherit(int fd)
{
	self.fd = fd;
}

int
totals_fd(void)
{
	return self.fd;
}

static int
add_page(const char *pool)
{
	char name[NAME_BYTES] = "";
	size_t len = strlen(pool);
	off_t at = (off_t)(self.n * page_bytes());

	memcpy(name, pool, len < sizeof(name) ? len : sizeof(name) - 1);
	if (ftruncate(self.fd, at + (off_t)page_bytes()) < 0 ||
	    pwrite(self.fd, name, sizeof(name), at) != (ssize_t)sizeof(name))
		return -1;
	util_list_add(&self.pools, name);
	self.n++;
	return 0;
}

struct totals *
totals_open(const char *pool)
{
	size_t i = 0;
	void *page;

	if (self.fd < 0)
		self.fd = memfd_create("figures", MFD_CLOEXEC);
	if (self.fd < 0)
		return NULL;
	look_for_pages();
	while (i < self.n && strcmp(self.pools[i], pool) != 0)
		i++;
	if (i == self.n && add_page(pool) < 0)
		return NULL;
	page = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, self.fd,
		    (off_t)(i * page_bytes()));
	if (page == MAP_FAILED)
		return NULL;
	madvise(page, page_bytes(), MADV_DONTFORK);
	return page;
}

void
totals_close(struct totals *totals)
{
	if (totals)
		munmap(totals, page_bytes());
}

void
totals_add(struct totals *totals, const struct figures *own, struct figures *published)
{
	for (size_t i = 0; i < FIGURES; i++)
		if (own->n[i] > published->n[i]) {
			atomic_fetch_add(&totals->n[i], own->n[i] - published->n[i]);
			published->n[i] = own->n[i];
		}
}

void
totals_read(const struct totals *totals, struct figures *sum)
{
	for (size_t i = 0; i < FIGURES; i++)
		sum->n[i] = atomic_load(&totals->n[i]);
}
