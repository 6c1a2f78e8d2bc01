#!/bin/sh
# The manuals are clean mdoc; preforkd(8) knows every option of the command line, and
# preforkctl(8) every command and option.
. "$(dirname "$0")/common.sh"
need "${MANDOC:=mandoc}" mandoc

"$MANDOC" -T lint -W warning man/*.[1-9] || exit 1

letters=$(sed -n 's/.*getopt(argc, argv, "\([^"]*\)").*/\1/p' src/main.c | sed 's/://g; s/./& /g')
[ -n "$letters" ] || { echo 'no getopt() found in src/main.c'; exit 1; }
for letter in $letters; do
	grep -q "^\.It Fl $letter\b" man/preforkd.8 || missing="${missing-} -$letter"
done
fail_if_any "${missing:+man/preforkd.8: not described:$missing}"

commands=$(sed -n 's/^\t{ "\([a-z]*\)", ".*/\1/p' src/preforkctl.c)
options=$(grep -o '"--*[A-Za-z][a-z-]*"' src/preforkctl.c | tr -d '"' | sort -u)
[ -n "$commands" ] || { echo 'no commands found in src/preforkctl.c'; exit 1; }
[ -n "$options" ] || { echo 'no options found in src/preforkctl.c'; exit 1; }
for command in $commands; do
	grep -q "^\.It Cm $command\b" man/preforkctl.8 || missing="${missing-} $command"
done
for option in $options; do
	grep -q "^\.It Fl.*[ ,]${option#-}\( \|\$\)" man/preforkctl.8 || missing="${missing-} $option"
done
fail_if_any "${missing:+man/preforkctl.8: not described:$missing}"
