/*
 * Who a worker is: names to numbers in the master (the name service may be slow and
 * big, so never in a worker), the change of identity in the worker, and whether an
 * identity may do something with a path.
 */
#ifndef PREFORKD_PRIVS_H
#define PREFORKD_PRIVS_H

#include <stdbool.h>
#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t ngroups;
	char *user, *home, *shell;
	bool change; /* false: not root, so it stays what it is */
};

/*
 * group NULL: the user's primary group.  supplementary NULL: the groups that the user
 * is a member of.  Not as root: the caller's own identity, and *ignored is set if
 * another one was asked for.  0; or with *err -1 (the user is at fault), -2 (the group) or
 * -3 (a supplementary one).  Free with identity_free().
 */
int identity_resolve(struct identity *id, const char *user, const char *group,
		     char *const *supplementary, bool *ignored, char **err);
void identity_free(struct identity *id);
bool identity_equal(const struct identity *a, const struct identity *b);

/* "name" or a number; 0, or -1 with *err. */
int privs_user(const char *text, uid_t *uid, char **err);
int privs_group(const char *text, gid_t *gid, char **err);

/* Groups, gid, uid, for good.  -1 with errno; the caller must exit then. */
int identity_apply(const struct identity *id);

/*
 * May the identity reach the path and do this with it?  wanted: R_OK, W_OK, X_OK of
 * access(2).  A chroot, if any, stands before the path.  By the mode bits: 0, or -1
 * with *err that names the directory or file that forbids it; what has an acl(5) does not.
 */
int identity_may(const struct identity *id, const char *chroot, const char *path, int wanted,
		 char **err);

#endif
