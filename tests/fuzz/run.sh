#!/bin/sh
# run.sh SRCDIR BUILDDIR SECONDS CPPFLAGS...: builds the fuzz targets with clang and runs
# each for that long; new inputs go to the corpus in SRCDIR.
set -eu
src=$1 build=$2 seconds=$3
shift 3
cd "$build"
bin=tests/fuzz/bin
rm -rf "$bin/objects"
mkdir -p "$bin/objects"

# Everything but the programs themselves, once; each target takes what it needs.
for file in "$src"/src/*.c "$src"/src/services/*.c "$src"/src/services/http/*.c \
	"$src/tests/unit/scripted.c" status_page_parts.c; do
	case $file in
	*/main.c | */preforkctl.c) continue ;;
	esac
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer-no-link,address,undefined "$@" \
		-c -o "$bin/objects/$(basename "$file" .c).o" "$file"
done
rm -f "$bin/lib.a"
ar rcs "$bin/lib.a" "$bin"/objects/*.o

for target in conf address control records handover http_fields http_log http_head http_chunk \
	http_cgi_head http_cgi_env http_cgi_answer proxy_proto cidr exec_words; do
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined "$@" \
		-o "$bin/fuzz_$target" "$src/tests/fuzz/fuzz_$target.c" "$bin/lib.a" \
		-lconfuse -levent_core -lcrypt -ljansson
	seeds=
	[ "$target" != conf ] || seeds="$src/tests/conf/good $src/tests/conf/bad $src/conf/examples"
	# shellcheck disable=SC2086 # a list of directories
	"$bin/fuzz_$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
		-print_final_stats=1 "$src/tests/fuzz/corpus/$target" $seeds
done

# Our parsers against llhttp, from what they have seen.
status=0
sh "$src/tests/fuzz/diff_http.sh" build "$src" "$bin/diff_http" \
	clang -g -O1 -fsanitize=fuzzer,address,undefined "$@" || status=$?
[ "$status" != 77 ] || exit 0
[ "$status" = 0 ] || exit "$status"
"$bin/diff_http" -max_total_time="$seconds" -max_len=8192 -timeout=5 \
	-print_final_stats=1 "$src/tests/fuzz/corpus/diff_http" \
	"$src/tests/fuzz/corpus/http_head" "$src/tests/fuzz/corpus/http_chunk"
