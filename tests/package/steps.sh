# What the tests of the installed package share; they read it with ".".
# shellcheck shell=bash
set -eu

page=http://127.0.0.1:8080/
conf_d=/etc/preforkd/conf.d
pid_file=/run/preforkd/preforkd.pid

step() {
	echo "--- $*"
}

fail() {
	echo "FAILED: $*"
	for cmdline in /proc/[0-9]*/cmdline; do
		printf '%s %s\n' "${cmdline//[^0-9]/}" "$(tr '\0' ' ' <"$cmdline")"
	done 2>/dev/null
	exit 1
}

# eventually COMMAND...: retries until it has success, for 30 s at most.
eventually() {
	local deadline=$((SECONDS + 30))

	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || fail "not within 30 s: $*"
		sleep 0.05
	done
}

serves() {
	curl -fsS --max-time 20 "$page" | grep -q 'It works' || fail "$page is not served"
}

nobody_listens() {
	! curl -s --max-time 5 -o /dev/null "$page"
}

# The pool "echo" at a port of its own.
put_echo() {
	printf 'pool "echo" {\n\tservice = "echo"\n\tlisten = "127.0.0.1:7007"\n\tworkers = 2\n}\n' \
		>"$conf_d/echo.conf"
}

put_bad() {
	printf 'pool "bad" {\n\tservcie = "echo"\n}\n' >"$conf_d/bad.conf"
}

echo_listens() {
	(exec 5<>/dev/tcp/127.0.0.1/7007)
}

# A connection to it on descriptor 5, and whether that lives.
connect_echo() {
	exec 5<>/dev/tcp/127.0.0.1/7007
	echo_lives
}

echo_lives() {
	local answer

	echo "$SECONDS" >&5
	read -r -t 20 answer <&5 || fail 'the connection is lost'
	[ -n "$answer" ] || fail 'an empty answer'
}

close_echo() {
	exec 5>&-
}

# The processes of the daemon, and what they run.
processes() {
	local exe

	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe") in
		*/preforkd | */preforkd' (deleted)') echo "${exe//[^0-9]/}" ;;
		esac
	done
}

no_process() {
	[ -z "$(processes)" ]
}

no_worker_of() {
	! grep -qs "preforkd: pool $1" /proc/[0-9]*/cmdline
}

# runs_program: the master runs the file that is installed now.
runs_program() {
	[ "/proc/$(cat "$pid_file")/exe" -ef /usr/sbin/preforkd ]
}

# All files, but what dpkg, apt, logrotate and the users' list keep for themselves.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /package \
		-o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log/apt \
		-o -path /etc/passwd- -o -path /etc/group- -o -path /etc/shadow- -o -path /etc/gshadow- \
		-o -path /var/lib/logrotate -o -path /root \) -prune -o -print | sort
	find /run/preforkd* 2>/dev/null || true
}
