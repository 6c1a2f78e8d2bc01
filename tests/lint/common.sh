# What the lint tests share; they read it with ".".  Each can be run alone:
#
#   sh tests/lint/man.sh
#
# and `make check` runs them from any build directory, so all paths start at SRCDIR.
# Exit status: 0 clean, 77 skipped, all else failed.
# shellcheck shell=sh
set -eu

SRCDIR=${SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
BUILDDIR=${BUILDDIR:-$SRCDIR/build}
cd "$SRCDIR"

# skip REASON
skip() {
	echo "SKIP: $1"
	exit 77
}

# What reads the sources only, or builds them in its own way, is the same in each build.
not_with_sanitizers() {
	[ "${PREFORKD_SANITIZED-}" != 1 ] || skip 'a build without sanitizers has done it'
}

# configure writes "no" for a tool that it has not found.
need() {
	if [ "$1" = no ] || ! command -v "$1" >/dev/null 2>&1; then
		skip "$2 is not installed"
	fi
}

# fail_if_any TEXT: what a check printed is what is wrong.
fail_if_any() {
	[ -z "$1" ] || {
		printf '%s\n' "$1"
		exit 1
	}
}
