#!/bin/sh
# run.sh SRCDIR BUILDDIR SECONDS CPPFLAGS...: builds the fuzz targets with clang and runs
# each for that long; new inputs go to the corpus in SRCDIR.
set -eu
src=$1 build=$2 seconds=$3
shift 3
mkdir -p "$build/tests/fuzz/bin"
cd "$build"
http=$src/src/services/http
for target in conf address control records handover http_fields http_log http_head http_chunk proxy_proto cidr; do
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined "$@" \
		-o "tests/fuzz/bin/fuzz_$target" "$src/tests/fuzz/fuzz_$target.c" \
		"$src"/src/conf*.c "$src/src/address.c" "$src/src/util.c" "$src/src/control_proto.c" \
		"$src/src/status_doc.c" "$src/src/status_text.c" "$src/src/status_json.c" \
		"$src/src/utf8.c" "$src/src/handover.c" "$src/src/proxy_proto.c" "$src/src/cidr.c" \
		"$http/http_text.c" "$http/http_authority.c" "$http/http_rules.c" "$http/http_head.c" \
		"$http/http_chunk.c" "$http/http_target.c" \
		"$http/http_date.c" "$http/http_entity.c" "$http/http_range.c" "$http/http_accept.c" \
		"$http"/http_log*.c -lconfuse -ljansson
	seeds=
	[ "$target" != conf ] || seeds="$src/tests/conf/good $src/tests/conf/bad $src/conf/examples"
	# shellcheck disable=SC2086 # a list of directories
	"tests/fuzz/bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
		-print_final_stats=1 "$src/tests/fuzz/corpus/$target" $seeds
done

# Our parsers against llhttp, from what they have seen.
status=0
sh "$src/tests/fuzz/diff_http.sh" build "$src" "tests/fuzz/bin/diff_http" \
	clang -g -O1 -fsanitize=fuzzer,address,undefined "$@" || status=$?
[ "$status" != 77 ] || exit 0
[ "$status" = 0 ] || exit "$status"
"tests/fuzz/bin/diff_http" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
	-print_final_stats=1 "$src/tests/fuzz/corpus/diff_http" \
	"$src/tests/fuzz/corpus/http_head" "$src/tests/fuzz/corpus/http_chunk"
