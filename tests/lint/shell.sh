#!/bin/sh
# Every shell script passes shellcheck.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
need "${SHELLCHECK:=shellcheck}" shellcheck

# SC3013: -nt is not POSIX, but every shell that is /bin/sh on Debian has it.
# SC2317: it does not see that a function is called by name.
set -- bootstrap .ci/run debian/preforkd.init debian/preforkd.postinst debian/preforkd.postrm \
	debian/tests/functional debian/tests/module debian/tests/smoke \
	conf/preforkctl.bash-completion conf/examples/cgi-bin/hello conf/examples/finger.sh
for file; do
	shift
	[ ! -f "$file" ] || set -- "$@" "$file"
done
find tests -name '*.sh' -exec "$SHELLCHECK" -x -P SCRIPTDIR -e SC3013,SC2317 "$@" {} +
