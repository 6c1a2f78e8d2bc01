#!/bin/sh
# run.sh SRCDIR BUILDDIR SECONDS CPPFLAGS...: builds the fuzz targets with clang and runs
# each for that long; new inputs go to the corpus in SRCDIR.
set -eu
src=$1 build=$2 seconds=$3
shift 3
mkdir -p "$build/tests/fuzz/bin"
cd "$build"
for target in conf address control records; do
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined "$@" \
		-o "tests/fuzz/bin/fuzz_$target" "$src/tests/fuzz/fuzz_$target.c" \
		"$src"/src/conf*.c "$src/src/address.c" "$src/src/util.c" "$src/src/control_proto.c" \
		"$src/src/status_doc.c" "$src/src/status_text.c" "$src/src/status_json.c" \
		"$src/src/utf8.c" -lconfuse -ljansson
	seeds=
	[ "$target" != conf ] || seeds="$src/tests/conf/good $src/tests/conf/bad $src/conf/examples"
	# shellcheck disable=SC2086 # a list of directories
	"tests/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
		-print_final_stats=1 "$src/tests/fuzz/corpus/$target" $seeds
done
