#!/bin/sh
# The manuals are clean mdoc, and preforkd(8) knows every option of the command line.
. "$(dirname "$0")/common.sh"
need "${MANDOC:=mandoc}" mandoc

"$MANDOC" -T lint -W warning man/*.[1-9] || exit 1

letters=$(sed -n 's/.*getopt(argc, argv, "\([^"]*\)").*/\1/p' src/main.c | sed 's/://g; s/./& /g')
[ -n "$letters" ] || { echo 'no getopt() found in src/main.c'; exit 1; }
for letter in $letters; do
	grep -q "^\.It Fl $letter\b" man/preforkd.8 || missing="${missing-} -$letter"
done
fail_if_any "${missing:+man/preforkd.8: not described:$missing}"
