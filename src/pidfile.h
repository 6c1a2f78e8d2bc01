/*
 * The pid file: locked (fcntl(2)) for as long as the daemon lives, so that a second
 * instance sees the first one whatever the file says; written when it is ready.
 */
#ifndef PREFORKD_PIDFILE_H
#define PREFORKD_PIDFILE_H

/* A descriptor that holds the lock, or -1 with *err, which names the other instance. */
int pidfile_lock(const char *path, char **err);

/* Whether pidfile_lock() could open it, without making anything: 0, or -1 with *err. */
int pidfile_check(const char *path, char **err);

int pidfile_write(int fd, const char *path, char **err);
void pidfile_remove(int fd, const char *path);

#endif
