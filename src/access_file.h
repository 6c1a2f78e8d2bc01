/*
 * A log file of the workers of one generation: the master opens it, and opens it again
 * after a rotation; the workers write whole lines and follow by fd_channel.h.
 */
#ifndef PREFORKD_ACCESS_FILE_H
#define PREFORKD_ACCESS_FILE_H

#include "fd_channel.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct access_file {
	char *path; /* owned */
	int fd;     /* -1: not open */
	struct fd_channel channel;
};

/* The master's side.  Files are made with mode 0640.  0, or -1 with *err. */
struct access_file *access_file_new(const char *path);
void access_file_free(struct access_file *file);
int access_file_check(const struct access_file *file, char **err); /* without making it */
int access_file_open(struct access_file *file, char **err);
int access_file_reopen(struct access_file *file, char **err);

/*
 * The worker's side, of one file: the places of the descriptors that it inherits, two; then,
 * when they are where they stay, one line in one write(2).  *torn is the same for all workers
 * of the file: behind a line that a full disk has cut the next one begins on a line of its own.
 */
size_t access_file_descriptors(const struct access_file *file, int *places[]);
void access_file_start(_Atomic uint32_t *torn);
void access_file_write(const struct access_file *file, const char *line, size_t len);

#endif
