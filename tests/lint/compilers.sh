#!/bin/sh
# Neither clang nor, with musl in the place of glibc, gcc has a warning for any source.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
unset MAKEFLAGS MFLAGS MAKELEVEL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile NAME CONFIGURE_ARGUMENT...
compile() {
	name=$1
	shift
	mkdir "$work/$name"
	(cd "$work/$name" && "$SRCDIR/configure" -q --enable-werror "$@" && make -s objects) \
		>"$work/out" 2>&1 || { cat "$work/out"; echo "$name: it does not compile"; exit 1; }
}

# The headers of the libraries and of Linux, which Debian has only beside those of glibc.
headers_without_glibc() {
	mkdir -p "$1/sys"
	for header in asm asm-generic linux cmocka.h confuse.h crypt.h curses.h event2 jansson.h \
			jansson_config.h ncurses.h ncurses_dll.h unctrl.h; do
		for directory in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
			[ ! -e "$directory/$header" ] || ln -sfn "$directory/$header" "$1/$header"
		done
	done
	# Of glibc, but all that libxcrypt wants of it.
	printf '#define %s\n' __BEGIN_DECLS __END_DECLS __THROW '__nonnull(arguments)' >"$1/sys/cdefs.h"
}

missing=
if command -v clang >/dev/null; then
	compile clang CC=clang CFLAGS=-O1
else
	missing="$missing clang"
fi
if command -v musl-gcc >/dev/null; then
	headers_without_glibc "$work/include"
	compile musl CC=musl-gcc CFLAGS=-O1 CPPFLAGS="-isystem $work/include"
else
	missing="$missing musl-gcc"
fi
[ -z "$missing" ] || skip "not installed:$missing"
