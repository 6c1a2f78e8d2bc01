#!/bin/sh
# The corpus of each fuzz target, and the configuration files of the other tests.
set -eu
"$BUILDDIR/tests/fuzz/replay_conf" "$SRCDIR"/tests/fuzz/corpus/conf/* "$SRCDIR"/tests/conf/*/* \
	"$SRCDIR"/conf/examples/*.conf "$SRCDIR/conf/preforkd.conf.sample"
"$BUILDDIR/tests/fuzz/replay_address" "$SRCDIR"/tests/fuzz/corpus/address/*
for target in control records handover http_fields http_log http_head http_chunk \
	http_cgi_head http_cgi_env http_cgi_answer proxy_proto cidr exec_words; do
	"$BUILDDIR/tests/fuzz/replay_$target" "$SRCDIR/tests/fuzz/corpus/$target"/*
done
