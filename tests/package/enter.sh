#!/bin/sh
# enter.sh ROOT COMMAND...: runs it as the first process of a small system in a directory.
#
# To be started in namespaces of its own (unshare --mount --pid --fork --kill-child), which
# is what ends and unmounts everything, whatever happens.  With
# PACKAGE_CGROUP set, and in a cgroup namespace, the command may be systemd.
set -eu
root=$1
shift

mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
# What a system sets as it starts is not for the kernel of this one.
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp

mount -t tmpfs -o mode=755 dev dev
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr

if [ -n "${PACKAGE_CGROUP:-}" ]; then
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup 2>/dev/null || {
		# Without a place for it: a kernel with both versions of cgroups.
		mount -t tmpfs cgroup sys/fs/cgroup
		mount -t cgroup2 cgroup2 sys/fs/cgroup
	}
fi

# A network namespace of its own has a loopback device that is down.
ip link set lo up 2>/dev/null || true
mkdir -p .old
pivot_root . .old
umount -l .old
rmdir .old
exec env -i HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	${PACKAGE_CGROUP:+container=unshare} "$@"
