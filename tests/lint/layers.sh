#!/bin/sh
# The order of the files in Makefile.am is the order of the layers: a file includes only
# headers of its own line or of lines above it.  And some things stand in one place only.
# The library comes first, then each program; a program's files are not for another one.
. "$(dirname "$0")/common.sh"
not_with_sanitizers

# Each file with the number of its line in the lists of sources.
rows=$(awk '
	/^(libpreforkd_a|preforkd|preforkctl)_SOURCES/ { reading = 1 }
	reading { for (i = 1; i <= NF; i++) if ($i ~ /\//) print $i, NR; reading = /\\$/ }' \
	Makefile.am | tr '\n' ' ')
files=$(find src -name '*.[ch]' | LC_ALL=C sort)

# FILE HEADER, where HEADER is a path of the project.
# shellcheck disable=SC2086 # a list of names without blanks
includes=$(awk -v rows="$rows" '
	BEGIN { n = split(rows, word); for (i = 1; i < n; i += 2) known[word[i]] = 1 }
	match($0, /^#[ \t]*include[ \t]+"[^"]+"/) {
		split($0, part, "\""); dir = FILENAME; sub(/[^\/]*$/, "", dir)
		n = split(dir part[2] " src/" part[2] " src/services/" part[2] " src/services/http/" part[2], place, " ")
		for (i = 1; i < n && !(place[i] in known); i++) ;
		print FILENAME, place[i]
	}' $files)

# only WHAT REGEX FILE...: nothing but these files may contain it.
only() {
	what=$1 regex=$2
	shift 2
	# shellcheck disable=SC2086
	grep -nE "$regex" $files | while IFS=: read -r file line text; do
		case " $* " in
		*" $file "*) ;;
		*) echo "$file:$line: $what belongs in $*:$text" ;;
		esac
	done
}
master=$(printf '%s\n' "$files" | grep '^src/master[a-z_]*\.[ch]$' | tr '\n' ' ')
maker='(v?fork|daemon|clone3?|forkpty|system|popen|posix_spawnp?)'

# Unfinished or dead code.  The words are put together, so that this file has none.
marks='\b(TO''DO|FIX''ME|X''XX)\b|^[[:space:]]*#[[:space:]]*if[[:space:]]+0\b'

wrong=$(
	printf '%s\n' "$files" | awk -v rows="$rows" '
		BEGIN { n = split(rows, word); for (i = 1; i < n; i += 2) row[word[i]] = 1 }
		!($1 in row) { print $1 ": in no list of sources in Makefile.am" }'
	printf '%s\n' "$includes" | awk -v rows="$rows" '
		BEGIN { n = split(rows, word); for (i = 1; i < n; i += 2) row[word[i]] = word[i + 1] }
		!($2 in row) { print $1 " includes " $2 ", which is not there"; next }
		row[$2] > row[$1] { print $1 " includes " $2 ", which stands in a layer above" }'
	printf '%s\n' "$includes" | grep '\.h .*\.h$' | tsort 2>&1 >/dev/null |
		sed 's/^tsort: -:/headers:/; s/^tsort:/  /'

	only 'making a process' "(^|[^[:alnum:]_>.])${maker}[[:space:]]*\\(([^0-9]|\$)" src/child.c
	only 'libjansson' '^#[[:space:]]*include.*jansson' ''
	only 'libconfuse' '^#[[:space:]]*include.*confuse' src/conf_parse.c
	# shellcheck disable=SC2086
	only 'libevent' '^#[[:space:]]*include.*<event' $master

	grep -rnIE "$marks" Makefile.am configure.ac bootstrap README.md CONTRIBUTING.md NEWS.md src conf man tests \
		--exclude='*.log' --exclude='*.trs' --exclude='*.o' --exclude-dir=corpus || :
)
fail_if_any "$wrong"
