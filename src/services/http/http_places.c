#include "http_places.h"

#include <fcntl.h>
#include <unistd.h>

#define PLACES_BITS 20 /* bytes that belong to one kind: more than there can be workers */

static int
set_lock(int fd, uint32_t kind, int64_t place, short type)
{
	struct flock lock = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = ((off_t)kind << PLACES_BITS) + place,
		.l_len = 1,
	};

	return fcntl(fd, F_SETLK, &lock);
}

int64_t
http_places_take(int fd, uint32_t kind, int64_t limit)
{
	int64_t first = getpid() % limit; /* others begin elsewhere */

	for (int64_t i = 0; i < limit; i++)
		if (set_lock(fd, kind, (first + i) % limit, F_WRLCK) == 0)
			return (first + i) % limit;
	return -1;
}

void
http_places_give(int fd, uint32_t kind, int64_t place)
{
	set_lock(fd, kind, place, F_UNLCK);
}
