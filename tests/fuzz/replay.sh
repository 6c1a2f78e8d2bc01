#!/bin/sh
# The corpus of each fuzz target, and the configuration files of the other tests.
set -eu
"$BUILDDIR/tests/fuzz/replay_conf" "$SRCDIR"/tests/fuzz/corpus/conf/* "$SRCDIR"/tests/conf/*/* \
	"$SRCDIR"/conf/examples/*.conf "$SRCDIR/conf/preforkd.conf.sample"
"$BUILDDIR/tests/fuzz/replay_address" "$SRCDIR"/tests/fuzz/corpus/address/*
for target in control records handover http_fields http_log http_head http_chunk proxy_proto cidr; do
	"$BUILDDIR/tests/fuzz/replay_$target" "$SRCDIR/tests/fuzz/corpus/$target"/*
done
