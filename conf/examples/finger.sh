#!/bin/sh
# See finger.conf.  $1 is the directory with a file for each name.
cd "$1" || exit 1

# The question is a line of its own; "/W" before the name asks for more than there is.
IFS= read -r line || exit 0
line=${line%"$(printf '\r')"}
name=${line#/[Ww]}
name=${name# }

# A name is a file here: nothing hidden, nothing elsewhere, and no other host's.
case $name in
'')
	ls
	;;
*@*)
	echo 'Finger forwarding service denied'
	;;
.* | *[!A-Za-z0-9._-]*)
	echo 'No such name'
	;;
*)
	cat -- "$name" 2>/dev/null || echo 'No such name'
	;;
esac | sed "s/\$/$(printf '\r')/"
