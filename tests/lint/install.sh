#!/bin/sh
# The tarball builds beside a source that stays as it is, and make install keeps to the
# directories that configure was told, and names them; make uninstall leaves no file.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
[ -f "$BUILDDIR/Makefile" ] || skip "$BUILDDIR is not configured"
unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
source=$work/preforkd-source build=$work/build root=$work/root

quietly() {
	"$@" >"$work/out" 2>&1 || { tail -n 50 "$work/out"; echo "failed: $*"; exit 1; }
}

# What is there, with the contents of files.
fingerprint() {
	(cd "$1" && find . -printf '%p %y %m %l\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

# says COMMAND_OR_FILE TEXT, where the output or the file is on standard input.
says() {
	grep -qF -e "$2" || echo "$1 does not say $2"
}

quietly make -C "$BUILDDIR" distdir distdir="$source"
chmod -R a-w "$source"
before=$(fingerprint "$source")
mkdir "$build"
cd "$build"
quietly "$source/configure" --prefix=/odd/prefix --sysconfdir=/odd/config --localstatedir=/odd/state \
	--runstatedir=/odd/run --docdir=/odd/doc --with-user=odd-user CFLAGS=-O0
quietly make all
quietly make install DESTDIR="$root"
wrong=
[ "$before" = "$(fingerprint "$source")" ] || wrong='the build has changed its source;
'

man=$root/odd/prefix/share/man
wrong=$wrong$(
	cd "$root"
	find . -type f ! -path './odd/prefix/*' ! -path './odd/doc/*' -printf 'installed outside: %p\n'
	for file in sbin/preforkd sbin/preforkctl include/preforkd/module.h share/pkgconfig/preforkd.pc \
			share/bash-completion/completions/preforkctl; do
		[ -f "odd/prefix/$file" ] || echo "not installed: $file"
	done
	odd/prefix/sbin/preforkd -V | says 'preforkd -V' preforkd
	odd/prefix/sbin/preforkd -h | says 'preforkd -h' /odd/config/preforkd/preforkd.conf
	odd/prefix/sbin/preforkctl -h 2>&1 | says 'preforkctl -h' /odd/run/preforkd/control.sock
	printf 'pool "a" { service = "echo" listen = "127.0.0.1:0" }\n' >"$work/conf"
	chmod 644 "$work/conf"
	odd/prefix/sbin/preforkd -T -f "$work/conf" >"$work/dump"
	says 'preforkd -T' 'user = "odd-user"' <"$work/dump"
	says 'preforkd -T' '"/odd/run/preforkd/preforkd.pid"' <"$work/dump"
	says preforkd.8 /odd/config/preforkd/preforkd.conf <"$man/man8/preforkd.8"
	says preforkctl.8 /odd/run/preforkd/control.sock <"$man/man8/preforkctl.8"
	says preforkd.conf.5 /odd/doc/preforkd.conf.sample <"$man/man5/preforkd.conf.5"
	says preforkd.conf.5 'default odd-user;' <"$man/man5/preforkd.conf.5"
	says the-sample '#user = "odd-user"' <odd/doc/preforkd.conf.sample
	says preforkd.pc 'prefix=/odd/prefix' <odd/prefix/share/pkgconfig/preforkd.pc
	grep -rnE '(^|[^a-z])/(etc|run)/preforkd' "$man" odd/doc/preforkd.conf.sample || :
)
quietly make uninstall DESTDIR="$root"
wrong=$wrong$(find "$root" -type f -printf '\nleft by make uninstall: %p')
fail_if_any "$wrong"
