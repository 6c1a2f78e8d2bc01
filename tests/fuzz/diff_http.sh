#!/bin/sh
# What our HTTP parsers accept, llhttp accepts, over the corpus of their fuzz targets.
#
#   diff_http.sh build SRCDIR PROGRAM CC FLAGS...     builds diff_http, also for fuzzing
#
# Skipped, or status 77, where llhttp is not installed.
set -eu

build() {
	src=$1 program=$2
	shift 2
	llhttp=/usr/share/llhttp
	if [ ! -f "$llhttp/llhttp.c" ]; then
		echo 'SKIP: llhttp is not installed: Debian has it in node-llhttp'
		exit 77
	fi
	mkdir -p "${program%/*}"
	http=$src/src/services/http
	"$@" -std=gnu11 -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -D_GNU_SOURCE \
		-I"$src/src" -I"$http" -o "$program" "$src/tests/fuzz/diff_http.c" \
		"$src/tests/fuzz/oracle.c" "$llhttp"/*.c "$src/src/util.c" "$http/http_text.c" \
		"$http/http_authority.c" "$http/http_rules.c" "$http/http_head.c" "$http/http_chunk.c"
}

if [ "${1-}" = build ]; then
	shift
	build "$@"
	exit
fi
program=$BUILDDIR/tests/fuzz/bin/diff_http_replay
build "$SRCDIR" "$program" "${CC:-cc}" -g -O1 \
	${PREFORKD_SANITIZED:+-fsanitize=address,undefined} "$SRCDIR/tests/fuzz/replay.c"
"$program" "$SRCDIR"/tests/fuzz/corpus/http_head/* "$SRCDIR"/tests/fuzz/corpus/http_chunk/* \
	"$SRCDIR"/tests/fuzz/corpus/diff_http/*
