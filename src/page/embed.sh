#!/bin/sh
# embed.sh DIRECTORY: the parts of the page as C, with the hashes that its policy names.
# Only ASCII, so that no two readers see other bytes, and nothing that ends an element early.
set -eu
cd "$1"
LC_ALL=C
export LC_ALL

wrong=$(grep -n '[^ -~	]' page.html pool.html status.css status.js || :)
wrong=$wrong$(grep -nE '</(style|script)|<!--' status.css status.js || :)
[ -z "$wrong" ] || {
	printf 'embed.sh: not fit for a page:\n%s\n' "$wrong" >&2
	exit 1
}

# text NAME FILE: its bytes as a string.
text() {
	printf '\nconst char %s[] =' "$1"
	awk '{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); gsub(/\?/, "\\?"); gsub(/\t/, "\\t")
		printf "\n    \"%s\\n\"", $0 } END { print ";" }' "$2"
}

# base64 of the hash, three digits of it are two letters.
hash() {
	sha256sum "$1" | awk '{
		digits = "0123456789abcdef"
		letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		hex = substr($1, 1, 64) "00"
		for (i = 1; i <= 64; i += 3) {
			n = 0
			for (k = 0; k < 3; k++)
				n = n * 16 + index(digits, substr(hex, i + k, 1)) - 1
			out = out substr(letters, int(n / 64) + 1, 1) substr(letters, n % 64 + 1, 1)
		}
		print substr(out, 1, 43) "=" }'
}

printf '/* Made by src/page/embed.sh. */\n#include "status_page_parts.h"\n'
text status_page_parts_html page.html
text status_page_parts_pool pool.html
text status_page_parts_css status.css
text status_page_parts_js status.js
printf '\nconst char status_page_parts_css_hash[] = "sha256-%s";\n' "$(hash status.css)"
printf 'const char status_page_parts_js_hash[] = "sha256-%s";\n' "$(hash status.js)"
