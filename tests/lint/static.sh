#!/bin/sh
# cppcheck finds nothing in the sources.
. "$(dirname "$0")/common.sh"
not_with_sanitizers
need "${CPPCHECK:=cppcheck}" cppcheck

# Each of these is a mistake of cppcheck 2.10, or is meant for programs with threads:
#   *Called: getpwnam(3), readdir(3): preforkd has one thread
#   mmap(2) with descriptor -1 is how an anonymous mapping is written
exec "$CPPCHECK" --quiet --error-exitcode=1 --enable=warning,performance,portability \
	--std=c11 --library=gnu,posix --inline-suppr \
	--suppress=readdirCalled --suppress=getpwnamCalled --suppress=getpwuidCalled \
	--suppress=getgrnamCalled --suppress=getgrgidCalled \
	--suppress=invalidFunctionArg:*/fd_channel.c --suppress=invalidFunctionArg:*/http.c --suppress=invalidFunctionArg:*/log.c --suppress=invalidFunctionArg:*/scoreboard.c --suppress=invalidFunctionArg:*/figures.c --suppress=invalidFunctionArg:*/pool.c \
	-DPACKAGE_STRING='"preforkd"' -DPACKAGE_VERSION='"0"' -DPREFORKD_USER='"preforkd"' \
	-DPREFORKD_RUNDIR='"/run/preforkd"' -DPREFORKD_CONF='"/etc/preforkd/preforkd.conf"' \
	-D_GNU_SOURCE=1 -Isrc -Isrc/services -Isrc/services/http src
