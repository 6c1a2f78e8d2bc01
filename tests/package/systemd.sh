#!/bin/bash
# The same under systemd, as a unit of which this runs: readiness, reload, stop while
# draining, and sockets that outlive the daemon.
# shellcheck source=tests/package/steps.sh
. /package/steps.sh

state() {
	systemctl show -P "$1" preforkd
}

is() {
	[ "$(state "$1")" = "$2" ]
}

# The inode of the socket that listens at a port.
socket_of() {
	awk -v port=":$(printf %04X "$1")" '$2 ~ port "$" && $4 == "0A" { print $10 }' /proc/net/tcp
}

# Stops it while the connection on descriptor 5 is open.
stop_with_connection() {
	systemctl stop --no-block preforkd
	eventually is ActiveState deactivating
	eventually is StatusText Stopping
	echo_lives
	close_echo
	eventually is ActiveState inactive
	is Result success || fail 'not stopped well'
	no_process || fail 'processes'
}

# That systemd has nothing to say against the unit.
unit_is_right() {
	systemd-analyze verify --man=no preforkd.service >/tmp/verified 2>&1 || true
	! grep preforkd /tmp/verified || fail 'the unit'
}

step 'install'
apt-get install -q -y /package/preforkd.deb
systemctl is-active preforkd || fail 'not active'
systemctl is-enabled preforkd
unit_is_right
systemd-analyze security --no-pager preforkd | tail -n 1
state StatusText
serves
[ "$(state MainPID)" = "$(cat "$pid_file")" ] || fail 'MainPID'
grep -qx 'NoNewPrivs:	0' "/proc/$(state MainPID)/status" || fail 'no_new_privs'
! journalctl -u preforkd -o cat | grep -Ei 'unknown|ignoring|failed' || fail 'the journal'

step 'a socket of each pool is in the store'
put_echo
systemctl reload preforkd
connect_echo
is NFileDescriptorStore 2 || fail 'the descriptor store'

step 'a bad file fails the reload, which says why'
put_bad
! systemctl reload preforkd || fail 'reload took a bad file'
journalctl -u preforkd -o cat | grep "^$conf_d/bad.conf:2: " || fail 'no file and line'
systemctl is-active preforkd
state StatusText | grep refused || fail 'the state does not tell'
rm "$conf_d/bad.conf"
systemctl reload preforkd
serves
echo_lives

step 'a stop waits for the connection'
stop_with_connection
nobody_listens || fail 'somebody listens'
[ ! -e /run/preforkd ] || fail '/run/preforkd'

step 'a restart keeps the sockets, and what waits there'
systemctl start preforkd
systemctl show preforkd | grep NFileDescriptorStore
before="$(socket_of 8080) $(socket_of 7007)"
pid=$(state MainPID)
connect_echo
systemctl restart --no-block preforkd
eventually is ActiveState deactivating
eventually no_worker_of welcome
curl -fsS --max-time 60 "$page" -o /tmp/during &
during=$!
echo_lives
close_echo
wait "$during"
grep -q 'It works' /tmp/during || fail 'who came meanwhile was lost'
systemctl is-active preforkd
[ "$(state MainPID)" != "$pid" ] || fail 'not restarted'
[ "$(socket_of 8080) $(socket_of 7007)" = "$before" ] || fail 'other sockets'

step 'so does its death'
kill -9 "$(state MainPID)"
curl -fsS --max-time 60 "$page" | grep -q 'It works' || fail 'who came meanwhile was lost'
eventually systemctl is-active preforkd
[ "$(socket_of 8080) $(socket_of 7007)" = "$before" ] || fail 'other sockets'

step 'the upgrade of the package keeps the connection'
connect_echo
pid=$(state MainPID)
apt-get install -q -y /package/preforkd-next.deb
[ "$(state MainPID)" != "$pid" ] || fail 'not upgraded'
[ "$(state MainPID)" = "$(cat "$pid_file")" ] || fail 'MainPID'
runs_program || fail 'the old program runs'
echo_lives
serves
close_echo
eventually [ ! -e "/proc/$pid" ]
systemctl is-active preforkd
[ "$(socket_of 8080) $(socket_of 7007)" = "$before" ] || fail 'other sockets'

step 'a stop waits after an upgrade, too, when systemd has not started the master itself'
connect_echo
stop_with_connection

step 'the examples: a drop-in, and a socket unit, whose first client starts the daemon'
cp /usr/share/doc/preforkd/examples/systemd/preforkd.socket /etc/systemd/system
mkdir -p /etc/systemd/system/preforkd.service.d
sed 's/^#\([A-Z][A-Za-z]*=\)/\1/' /usr/share/doc/preforkd/examples/systemd/pool.conf \
	>/etc/systemd/system/preforkd.service.d/pool.conf
unit_is_right
cp /usr/share/doc/preforkd/examples/systemd/pool.conf /etc/systemd/system/preforkd.service.d
systemctl daemon-reload
systemctl start preforkd.socket
systemctl is-active preforkd && fail 'active before a client came'
serves
systemctl is-active preforkd
systemctl stop preforkd.socket preforkd
rm -r /etc/systemd/system/preforkd.socket /etc/systemd/system/preforkd.service.d
systemctl daemon-reload

step 'the smoke test of debian/tests'
systemctl start preforkd
/package/smoke

step 'remove and purge'
apt-get purge -q -y preforkd
no_process || fail 'processes'
nobody_listens || fail 'somebody listens'
! systemctl cat preforkd 2>/dev/null || fail 'the unit is there'
for path in /etc/preforkd /var/log/preforkd /run/preforkd /usr/share/preforkd \
	/var/lib/systemd/deb-systemd-helper-enabled/*preforkd*; do
	[ ! -e "$path" ] || fail "$path is left"
done
echo 'systemd: done'
