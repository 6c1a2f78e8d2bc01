#!/bin/sh
# The manuals are clean mdoc.  preforkd(8) knows every option of the command line and every
# signal; preforkctl(8) every command, every option, and the keys of all records, and no
# other.  The sources, functions and types that preforkd-internals(7) names are there.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
need "${MANDOC:=mandoc}" mandoc

"$MANDOC" -T lint -W warning man/*.[1-9] || exit 1

letters=$(sed -n 's/.*getopt(argc, argv, "\([^"]*\)").*/\1/p' src/main.c | sed 's/://g; s/./& /g')
[ -n "$letters" ] || { echo 'no getopt() found in src/main.c'; exit 1; }
for letter in $letters; do
	grep -q "^\.It Fl $letter\b" man/preforkd.8 || missing="${missing-} -$letter"
done
fail_if_any "${missing:+man/preforkd.8: not described:$missing}"

signals=$(sed -n '/static const int signals\[\]/,/};/p' src/master.c | grep -o 'SIG[A-Z0-9]*' | grep -v SIGCHLD)
[ -n "$signals" ] || { echo 'no signals found in src/master.c'; exit 1; }
for signal in $signals; do
	sed -n '/^\.Sh SIGNALS/,/^\.Sh UP/p' man/preforkd.8 | grep -q "^\.It Dv.* $signal\( \|\$\)" ||
		missing="${missing-} $signal"
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

keys=$({
	sed -n 's/.*control_record_[a-z]*(out, "\([a-z0-9_]*\)".*/\1/p' src/status.c src/master_command.c
	sed -n 's/.*{ "\([a-z_]*\)", FIGURE_.*/\1/p; s/.*fputs("\\t\([a-z_]*\)=".*/\1/p' src/status.c
} | LC_ALL=C sort -u)
told=$(sed -n '/^\.Sh PROTOCOL/,/^\.Sh /s/^\.\(It \)\{0,1\}Sy \(.*\)/\2/p' man/preforkctl.8 |
	tr -s ',;. ' '[\n*]' | LC_ALL=C sort)
[ -n "$keys" ] || { echo 'no keys of records found in the sources'; exit 1; }
for key in $keys; do
	case " $(echo "$told" | tr '\n' ' ') " in *" $key "*) ;; *) missing="${missing-} $key" ;; esac
done
fail_if_any "${missing:+man/preforkctl.8: records have, and it does not say:$missing}"
for key in $(echo "$told" | LC_ALL=C sort -u); do
	case " $(echo "$keys" | tr '\n' ' ') " in *" $key "*) ;; *) missing="${missing-} $key" ;; esac
done
fail_if_any "${missing:+man/preforkctl.8: in no record:$missing}"

page=man/preforkd-internals.7
files=$(grep '\bPa ' "$page" | grep -o '\b\(src\|tests\)/[^ ]*' | sort -u)
names=$(grep -o '\bFn [a-z_]*' "$page" | cut -d ' ' -f 2 | sort -u)
types=$(sed -n 's/.*\bVt \(\(struct\|enum\) [a-z_]*\).*/\1/p' "$page" | tr ' ' '_' | sort -u)
if [ -z "$files" ] || [ -z "$names" ] || [ -z "$types" ]; then
	echo "$page: no sources, functions or types found"
	exit 1
fi
for file in $files; do
	# shellcheck disable=SC2086 # a pattern
	ls $file >/dev/null 2>&1 || missing="${missing-} $file"
done
for name in $names; do
	grep -rqs "^$name(" src || missing="${missing-} $name()"
done
for type in $types; do
	grep -rqs "^${type%%_*} ${type#*_} {" src || missing="${missing-} $type"
done
fail_if_any "${missing:+$page: not in the sources:$missing}"
