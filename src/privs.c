#include "privs.h"

#include "util.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool
parse_number(const char *text, unsigned long *n)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*n = strtoul(text, &end, 10);
	return *end == '\0' && errno == 0 && *n < 0xffffffffUL;
}

int
privs_user(const char *text, uid_t *uid, char **err)
{
	struct passwd *pw = getpwnam(text);
	unsigned long n;

	if (pw)
		*uid = pw->pw_uid;
	else if (parse_number(text, &n))
		*uid = (uid_t)n;
	else
		return util_fail(err, "there is no user \"%s\" on this system", text);
	return 0;
}

int
privs_group(const char *text, gid_t *gid, char **err)
{
	struct group *gr = getgrnam(text);
	unsigned long n;

	if (gr)
		*gid = gr->gr_gid;
	else if (parse_number(text, &n))
		*gid = (gid_t)n;
	else
		return util_fail(err, "there is no group \"%s\" on this system", text);
	return 0;
}

static int
no_user(const char *user, char **err)
{
	if (strcmp(user, PREFORKD_USER) != 0)
		return util_fail(err, "there is no user \"%s\" on this system", user);
	return util_fail(err,
			 "there is no user \"%s\", as whom workers run by default: create it with "
			 "\"adduser --system --group %s\", or write user = \"...\"",
			 user, user);
}

static void
take_member_groups(struct identity *id)
{
	int n = 0;

	getgrouplist(id->user, id->gid, NULL, &n);
	id->groups = util_calloc((size_t)n, sizeof(gid_t));
	if (getgrouplist(id->user, id->gid, id->groups, &n) >= 0)
		id->ngroups = (size_t)n;
}

static int
take_listed_groups(struct identity *id, char *const *names, char **err)
{
	size_t n = util_list_len(names);

	id->groups = util_calloc(n, sizeof(gid_t));
	for (id->ngroups = 0; id->ngroups < n; id->ngroups++)
		if (privs_group(names[id->ngroups], &id->groups[id->ngroups], err) < 0)
			return -1;
	return 0;
}

/* Name, home and shell of a uid, which need not be in the user database. */
static void
take_passwd(struct identity *id, const struct passwd *pw, const char *name)
{
	id->user = util_strdup(pw ? pw->pw_name : name);
	id->home = util_strdup(pw && pw->pw_dir[0] ? pw->pw_dir : "/");
	id->shell = util_strdup(pw && pw->pw_shell[0] ? pw->pw_shell : "/bin/sh");
}

/* Those that the process has: it cannot change them. */
static void
take_own_groups(struct identity *id)
{
	int n = getgroups(0, NULL);

	id->groups = util_calloc((size_t)util_max(n, 1), sizeof(gid_t));
	n = getgroups(n, id->groups);
	id->ngroups = (size_t)util_max(n, 0);
}

static int
resolve_self(struct identity *id, const char *user, bool *ignored)
{
	struct passwd *pw = getpwuid(geteuid());
	char number[24];

	snprintf(number, sizeof(number), "%lu", (unsigned long)geteuid());
	id->uid = geteuid();
	id->gid = getegid();
	take_passwd(id, pw, number);
	take_own_groups(id);
	*ignored = strcmp(user, id->user) != 0 && strcmp(user, number) != 0;
	return 0;
}

int
identity_resolve(struct identity *id, const char *user, const char *group,
		 char *const *supplementary, bool *ignored, char **err)
{
	struct passwd *pw;
	unsigned long n;

	memset(id, 0, sizeof(*id));
	*ignored = false;
	if (geteuid() != 0)
		return resolve_self(id, user, ignored);
	id->change = true;
	pw = getpwnam(user);
	if (!pw && parse_number(user, &n)) {
		pw = getpwuid((uid_t)n);
		id->uid = (uid_t)n;
		if (!pw && !group)
			return util_fail(err,
					 "user %s has no entry in the user database, so write "
					 "group = \"...\" too",
					 user);
	} else if (!pw) {
		return no_user(user, err);
	}
	if (pw) {
		id->uid = pw->pw_uid;
		id->gid = pw->pw_gid;
	}
	take_passwd(id, pw, user);
	if (group && privs_group(group, &id->gid, err) < 0)
		return -2;
	if (supplementary)
		return take_listed_groups(id, supplementary, err) < 0 ? -3 : 0;
	take_member_groups(id);
	return 0;
}

void
identity_free(struct identity *id)
{
	free(id->groups);
	free(id->user);
	free(id->home);
	free(id->shell);
	memset(id, 0, sizeof(*id));
}

bool
identity_equal(const struct identity *a, const struct identity *b)
{
	return a->uid == b->uid && a->gid == b->gid && a->ngroups == b->ngroups &&
	       (a->ngroups == 0 || memcmp(a->groups, b->groups, a->ngroups * sizeof(gid_t)) == 0) &&
	       strcmp(a->user, b->user) == 0 && strcmp(a->home, b->home) == 0 &&
	       strcmp(a->shell, b->shell) == 0;
}

int
identity_apply(const struct identity *id)
{
	if (!id->change)
		return 0;
	if (setgroups(id->ngroups, id->groups) < 0 || setresgid(id->gid, id->gid, id->gid) < 0 ||
	    setresuid(id->uid, id->uid, id->uid) < 0)
		return -1;
	if (id->uid != 0 && setuid(0) == 0) {
		errno = EPERM; /* the way back must be closed */
		return -1;
	}
	return 0;
}

static bool
in_group(const struct identity *id, gid_t gid)
{
	if (id->gid == gid)
		return true;
	for (size_t i = 0; i < id->ngroups; i++)
		if (id->groups[i] == gid)
			return true;
	return false;
}

static bool
mode_allows(const struct identity *id, const struct stat *st, int wanted)
{
	unsigned shift = 0;

	if (id->uid == 0)
		return !(wanted & X_OK) || S_ISDIR(st->st_mode) || (st->st_mode & 0111);
	if (st->st_uid == id->uid)
		shift = 6;
	else if (in_group(id, st->st_gid))
		shift = 3;
	return (((unsigned)st->st_mode >> shift) & (unsigned)wanted) == (unsigned)wanted;
}

/* What acl(5) adds to the mode is not worked out: only the kernel knows it well. */
static bool
has_acl(const char *path)
{
	return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static int
check_component(const struct identity *id, const char *path, int wanted, char **err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return util_fail(err, "%s: %s", path, strerror(errno));
	if (!mode_allows(id, &st, wanted) && !has_acl(path))
		return util_fail(err, "%s: user %s has no permission to %s it", path, id->user,
				 S_ISDIR(st.st_mode) && wanted == X_OK ? "enter"
				 : wanted & X_OK                       ? "execute"
				 : wanted & W_OK                       ? "write"
								       : "read");
	return 0;
}

int
identity_may(const struct identity *id, const char *chroot, const char *path, int wanted,
	     char **err)
{
	char *full = util_format("%s%s", chroot ? chroot : "", path);
	size_t begin = chroot ? strlen(chroot) : 0;
	int result = begin > 0 ? check_component(id, chroot, X_OK, err)
			       : check_component(id, "/", X_OK, err);

	for (size_t i = begin + 1; result == 0 && full[i]; i++) {
		if (full[i] != '/')
			continue;
		full[i] = '\0';
		result = check_component(id, full, X_OK, err);
		full[i] = '/';
	}
	if (result == 0)
		result = check_component(id, full, wanted, err);
	free(full);
	return result;
}
