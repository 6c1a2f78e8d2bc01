/*
 * Opens what a request names, below a site's root and nowhere else, whatever is renamed
 * meanwhile.  The kernel resolves the path as one: openat2(2) with RESOLVE_BENEATH and
 * RESOLVE_NO_MAGICLINKS.  Where it cannot (no such call, a filter that forbids it, or
 * links whose owners must be looked at), http_open_walk() goes component by component.
 */
#ifndef PREFORKD_HTTP_OPEN_H
#define PREFORKD_HTTP_OPEN_H

#include <sys/stat.h>

enum http_symlinks {
	HTTP_SYMLINKS_NO,
	HTTP_SYMLINKS_OWNER, /* a link and what it leads to have the same owner */
	HTTP_SYMLINKS_YES,
};

/*
 * Opens path for reading; "" is the root itself, and a slash at the end asks for a
 * directory.  root is a descriptor of a directory (O_PATH will do).  Returns a descriptor
 * of a regular file or directory that the caller closes, with *st filled, in two system
 * calls when no owner of a link must be looked at.  It never blocks: a FIFO or a device is
 * refused.  Else -1 with errno:
 *   ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EXDEV   not there, or not to be reached
 *   EACCES                                        no permission, or neither of the two kinds
 *   EMFILE, ENFILE, ENOMEM, EAGAIN (a lease)      not now
 *   and what else a file system may say.
 *
 * Links: one that is absolute or leads above the root is EXDEV, even if it comes back; one
 * that is not to be followed, and more than 40 of them, ELOOP.  The owner is compared for
 * each link that is followed, also one that another link leads through.
 */
int http_open(int root, const char *path, enum http_symlinks symlinks, struct stat *st);

/*
 * The same without openat2(2).  Each component is opened with O_NOFOLLOW, so a link is
 * never followed but read and taken as more of the path; its text and its owner are of one
 * inode, which stays open meanwhile, and the owner is compared with that of the descriptor
 * in hand where the link's text ends, not of a name.  ".." is never looked up: it begins
 * again at the root with one component less.  After 4096 components it gives up with ELOOP.
 */
int http_open_walk(int root, const char *path, enum http_symlinks symlinks, struct stat *st);

#endif
