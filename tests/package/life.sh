#!/bin/bash
# The life of the package on a system without systemd: installed, used, upgraded with a
# connection open, removed and purged.  In /package are its two versions.
# shellcheck source=tests/package/steps.sh
. /package/steps.sh

files >/tmp/before

step 'install'
apt-get install -q -y /package/preforkd.deb
serves
preforkctl status
preforkctl status | grep -q '^welcome .* running' || fail 'status'
/etc/init.d/preforkd status
[ "$(stat -c '%U:%G %a' /var/log/preforkd)" = 'root:adm 2750' ] || fail '/var/log/preforkd'
getent passwd preforkd

step 'the file is edited, and HUP'
put_echo
kill -HUP "$(cat "$pid_file")"
eventually echo_listens
connect_echo

step 'a bad file is refused by the script, which says why'
put_bad
! /etc/init.d/preforkd reload 2>/tmp/said || fail 'reload took a bad file'
cat /tmp/said
grep -q "^$conf_d/bad.conf:2: " /tmp/said || fail 'no file and line'
pid=$(cat "$pid_file")
! /etc/init.d/preforkd restart || fail 'restart took a bad file'
[ "$(cat "$pid_file")" = "$pid" ] || fail 'a bad file ended the daemon'
rm "$conf_d/bad.conf"
/etc/init.d/preforkd force-reload
echo_lives

step 'restart, and what is done twice'
close_echo
/etc/init.d/preforkd restart
[ "$(cat "$pid_file")" != "$pid" ] || fail 'not restarted'
/etc/init.d/preforkd start
/etc/init.d/preforkd stop
no_process || fail 'processes after stop'
/etc/init.d/preforkd stop
rc=0
/etc/init.d/preforkd status || rc=$?
[ "$rc" = 3 ] || fail "status of a stopped daemon is $rc"
/etc/init.d/preforkd try-restart
no_process || fail 'try-restart started it'
/etc/init.d/preforkd start
serves

step 'the upgrade keeps the connection'
connect_echo
pid=$(cat "$pid_file")
apt-get install -q -y /package/preforkd-next.deb
[ "$(cat "$pid_file")" != "$pid" ] || fail 'not upgraded'
runs_program || fail 'the old program runs'
serves
echo_lives
close_echo
eventually [ ! -e "/proc/$pid" ]

step 'a new version that refuses the file leaves the old one serving'
put_bad
pid=$(cat "$pid_file")
apt-get install -q -y --reinstall /package/preforkd-next.deb 2>&1 | tee /tmp/said
grep -q 'the old version goes on' /tmp/said || fail 'nothing was said'
[ "$(cat "$pid_file")" = "$pid" ] || fail 'the old version is gone'
serves
rm "$conf_d/bad.conf"

step 'logrotate, also without a daemon'
curl -fsS -o /dev/null "$page"
logrotate -f /etc/logrotate.d/preforkd
[ -e /var/log/preforkd/access.log.1 ] || fail 'not rotated'
/etc/init.d/preforkd stop
curl -fsS -o /dev/null "$page" && fail 'it serves after stop'
logrotate -f /etc/logrotate.d/preforkd
/etc/init.d/preforkd start

step 'remove'
apt-get remove -q -y preforkd
nobody_listens || fail 'somebody listens'
no_process || fail 'processes'
[ -e /etc/preforkd/preforkd.conf ] || fail 'the configuration is gone'
logrotate -f /etc/logrotate.d/preforkd
[ ! -e /run/preforkd ] || fail '/run/preforkd'

step 'purge'
apt-get purge -q -y preforkd
files >/tmp/after
diff /tmp/before /tmp/after || fail 'something is left'
getent passwd preforkd || fail 'the user is gone, whose files may be there'

step 'install again'
apt-get install -q -y /package/preforkd.deb
serves
apt-get purge -q -y preforkd
no_process || fail 'processes'
echo 'life: done'
