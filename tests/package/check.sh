#!/bin/sh
# The package as an administrator meets it: built in a fresh Debian 12, installed, used,
# upgraded and purged in another, with an init script and with systemd.
#
#   check.sh [STAGE...]     of: build reproducible lint life autopkgtest systemd; or all
#
# Needs root, and Debian's mirror, which it takes from this machine's own apt.  Everything
# runs in namespaces, so nothing is left mounted or running; logs stay in BUILDDIR/package.
# Exit status: 0 passed, 77 skipped.
set -eu
SRCDIR=${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILDDIR=${BUILDDIR:-$SRCDIR/build}
work=$BUILDDIR/package
root=$work/root
here=$SRCDIR/tests/package
stages=${*:-build reproducible lint life autopkgtest systemd}
# The autopkgtest stage takes these of the functional suite, "test_*" would be all of it.
PREFORKD_TESTS=${PREFORKD_TESTS-test_daemon test_control test_http_conn test_signals test_upgrade}
passed=0 skipped=0

skip() {
	echo "SKIP: check-package: $*"
	exit 77
}

say() {
	echo "check-package: $*"
}

# stage NAME COMMAND...: its output is in NAME.log, and shown if it fails; 77 is a skip.
stage() {
	name=$1
	shift
	case " $stages " in
	*" $name "* | *' all '*) ;;
	*) return 0 ;;
	esac
	begun=$(date +%s)
	rc=0
	(set -e; "$@") >"$work/$name.log" 2>&1 || rc=$?
	seconds=$(($(date +%s) - begun))
	case $rc in
	0) passed=$((passed + 1)) && say "$name passed ($seconds s)" ;;
	77) skipped=$((skipped + 1)) && say "$name skipped: $(tail -n 1 "$work/$name.log")" ;;
	*)
		tail -n 100 "$work/$name.log"
		say "$name FAILED after $seconds s; all of it is in $work/$name.log"
		exit 1
		;;
	esac
}

# into SYSTEM COMMAND...: as its first process; into_alone: without a network but loopback.
into() {
	system=$root/$1
	shift
	unshare --mount --pid --fork --kill-child sh "$here/enter.sh" "$system" "$@"
}

into_alone() {
	system=$root/$1
	shift
	unshare --mount --pid --net --ipc --uts --fork --kill-child sh "$here/enter.sh" "$system" "$@"
}

# ---- the systems ------------------------------------------------------------------

# The sources of this machine, as lines for another: those of Debian 12 itself.
sources() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(REPO_URI) $(COMPONENT)' \
		'Created-By: Packages' |
		awk '$1 == "Debian" && $2 ~ /^bookworm(-updates|-security)?$/ {
			print "deb", $3, $2, $4
			sub(/-security.*/, "", $2)
		}' | sort -u
}

base_system() {
	mirror=$(awk '$3 == "bookworm" { print $2; exit }' "$work/sources")
	# Where that fails it is not for the package.
	debootstrap --variant=minbase bookworm "$root/base" "$mirror" || return 77
	cp "$work/sources" "$root/base/etc/apt/sources.list"
	apt-config dump | grep -E '^Acquire::(http|https|Retries)' >"$root/base/etc/apt/apt.conf.d/90machine" ||
		true
	cp /etc/resolv.conf /etc/hosts "$root/base/etc/"
	# It need not outlive a power cut.
	echo force-unsafe-io >"$root/base/etc/dpkg/dpkg.cfg.d/check"
	into base apt-get update -q || return 77
	mkdir "$root/base/package"
}

copy_system() {
	cp -a "$root/base" "$root/$1"
}

# ---- the stages -------------------------------------------------------------------

# The sources as they are, without what git ignores.
put_sources() {
	mkdir -p "$1"
	(cd "$SRCDIR" && git ls-files -co --exclude-standard | while read -r file; do
		[ ! -e "$file" ] || echo "$file"
	done | tar -T - -cf -) | tar -C "$1" -xf -
}

build() {
	copy_system build
	put_sources "$root/build/build/preforkd"
	into build apt-get build-dep -q -y --no-install-recommends /build/preforkd
	into build sh -c "cd /build/preforkd && umask 022 &&
		DEB_BUILD_OPTIONS=parallel=$(nproc) dpkg-buildpackage -us -uc"
	cp "$root"/build/build/preforkd_*.deb "$root/base/package/preforkd.deb"
	cp "$root"/build/build/preforkd-dev_*.deb "$root/base/package/preforkd-dev.deb"
	# The next version is the same program under another number.
	into build sh -c 'dpkg-deb -R /build/preforkd_*.deb /next &&
		sed -i "s/^Version: .*/&+next/" /next/DEBIAN/control &&
		dpkg-deb --root-owner-group -b /next /build/next.deb'
	cp "$root/build/build/next.deb" "$root/base/package/preforkd-next.deb"
	install "$here"/*.sh "$SRCDIR/debian/tests/smoke" "$root/base/package/"
}

# Another path, time, zone, language, umask, environment and number of processors.
reproducible() {
	into build apt-get install -q -y --no-install-recommends faketime locales-all
	put_sources "$root/build/srv/other/place/preforkd"
	into build sh -c 'cd /srv/other/place/preforkd && umask 002 &&
		export TZ=Pacific/Kiritimati LC_ALL=de_DE.UTF-8 LANGUAGE=de HOME=/nonexistent USER=other &&
		DEB_BUILD_OPTIONS="nocheck parallel=1" NO_FAKE_STAT=1 \
			faketime "+400 days" dpkg-buildpackage -us -uc -b'
	for deb in "$root"/build/build/preforkd*_*.deb; do
		cmp "$deb" "$root/build/srv/other/place/${deb##*/}"
	done
	sha256sum "$root"/build/srv/other/place/*.deb
}

lint() {
	into build apt-get install -q -y --no-install-recommends blhc lintian
	blhc "$work/build.log"
	into build sh -c 'lintian --pedantic -I -E --allow-root --fail-on \
		error,warning,info,pedantic,experimental /build/preforkd_*.changes'
	! command -v systemd-analyze >/dev/null ||
		systemd-analyze security --offline=true --no-pager "$SRCDIR/debian/preforkd.service" | tail -n 1
}

# fresh_system NAME PACKAGE...: with these, and what the package depends on, so that the
# test needs no network.
fresh_system() {
	system_name=$1
	shift
	copy_system "$system_name"
	into "$system_name" apt-get install -q -y --no-install-recommends "$@"
	into "$system_name" sh -c 'apt-get install -s --no-install-recommends /package/preforkd.deb |
		sed -n "/^Inst preforkd /d; s/^Inst \([^ ]*\) .*/\1/p" |
		xargs apt-get install -q -y --no-install-recommends'
}

# put_policy SYSTEM STATUS: what policy-rc.d says to all that packages want to start.
put_policy() {
	printf '#!/bin/sh\nexit %d\n' "$2" >"$root/$1/usr/sbin/policy-rc.d"
	chmod +x "$root/$1/usr/sbin/policy-rc.d"
}

life() {
	fresh_system life curl logrotate systemd-standalone-sysusers
	# Init scripts may be run although there is no init.
	put_policy life 104
	into_alone life /package/life.sh
}

autopkgtests() {
	into build apt-get install -q -y --no-install-recommends autopkgtest
	put_sources "$root/build/root/preforkd"
	cp "$root/base/package/"*.deb "$root/build/root/"
	# Nothing is started before it has a loopback of its own.
	put_policy build 101
	depends=$(sed -n '/^Depends:/,/^Restrictions:/{ s/^Depends://; /^Restrictions:/d; s/,/ /g; p }' \
		"$SRCDIR/debian/tests/control" | sed 's/preforkd[^ ]*//g')
	# shellcheck disable=SC2086 # a list of words
	into build apt-get install -q -y --no-install-recommends \
		/root/preforkd.deb /root/preforkd-dev.deb $depends
	rm "$root/build/usr/sbin/policy-rc.d"
	# By a shell, which as process 1 reaps what autopkgtest would leave as zombies.
	# shellcheck disable=SC2016 # of that shell
	into_alone build sh -c 'autopkgtest -B /root/preforkd --env=PREFORKD_TESTS="$1" \
		--ignore-restrictions=isolation-container -- null; exit $?' sh "$PREFORKD_TESTS"
}

under_systemd() {
	[ -n "$PACKAGE_CGROUP" ] || { echo 'no cgroup of version 2 to write to'; return 77; }
	fresh_system systemd curl logrotate systemd-sysv
	cp "$here/systemd.service" "$root/systemd/etc/systemd/system/check.service"
	rc=0
	# In a cgroup of its own, which is then the root that systemd sees.
	(echo 0 >"$PACKAGE_CGROUP/cgroup.procs" &&
		exec timeout -k 10 400 unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child \
			sh "$here/enter.sh" "$root/systemd" /lib/systemd/systemd --log-target=console \
			--show-status=0 --unit=check.service) || rc=$?
	cat "$root/systemd/package/systemd.log"
	return "$rc"
}

inside() {
	mount -t proc proc /proc
	# In memory it is quicker, if there is plenty.
	[ "$(awk '/^MemAvailable/ { print $2 }' /proc/meminfo)" -lt 10000000 ] ||
		mount -t tmpfs -o size=6g,mode=755 check-package "$root"
	stages="base $stages"
	stage base base_system
	[ "$skipped" = 0 ] || skip "$(tail -n 1 "$work/base.log")"
	stage build build
	stage reproducible reproducible
	stage lint lint
	stage life life
	stage autopkgtest autopkgtests
	stage systemd under_systemd
	say "$passed passed, 0 failed, $skipped skipped"
}

# ---- outside ------------------------------------------------------------------------

[ "${PACKAGE_INSIDE-}" != 1 ] || { inside; exit; }

[ "$(id -u)" = 0 ] || skip 'needs root'
[ -e "$SRCDIR/.git" ] || skip 'needs a checkout of git'
for program in apt-get debootstrap findmnt git ip unshare; do
	command -v "$program" >/dev/null || skip "needs $program"
done
unshare --mount --pid --net --ipc --uts --fork --kill-child mount -t tmpfs none /mnt 2>/dev/null ||
	skip 'namespaces are not allowed here'
rm -rf --one-file-system "$work"
mkdir -p "$root"
sources >"$work/sources"
grep -q ' bookworm ' "$work/sources" || skip "apt's sources have no Debian 12"

# The only thing that does not end with the namespaces.
cgroup=
make_cgroup() {
	mounted=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
	[ -n "$mounted" ] || return 0
	cgroup=$mounted$(sed -n 's/^0::\(.*\)/\1/p' /proc/self/cgroup)
	cgroup=${cgroup%/}/preforkd-check-$$
	mkdir "$cgroup" 2>/dev/null || cgroup=
}

leave() {
	rc=$?
	trap '' INT TERM
	[ -z "${child-}" ] || kill -KILL "$child" 2>/dev/null || true
	wait
	# What was killed may still be about to leave it.
	tries=100
	while [ -n "$cgroup" ] && [ -d "$cgroup" ] && [ "$tries" -gt 0 ]; do
		find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
		tries=$((tries - 1))
		[ ! -d "$cgroup" ] || sleep 0.1
	done
	rm -rf --one-file-system "$root"
	exit "$rc"
}
trap leave EXIT
trap 'exit 130' INT TERM
make_cgroup
export SRCDIR BUILDDIR PREFORKD_TESTS PACKAGE_CGROUP="$cgroup"
# shellcheck disable=SC2086 # a list of words
PACKAGE_INSIDE=1 unshare --mount --pid --fork --kill-child sh "$0" $stages &
child=$!
wait "$child" && child=
