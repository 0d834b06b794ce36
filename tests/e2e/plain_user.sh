#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A user who is not root mounts, saves, browses, restores and unmounts.
. "$(dirname "$0")/lib.sh"
need_mount
need setpriv unshare fusermount3
scratch
# fusermount3 wants one that has a name.
user=$(id -u nobody) || skip "there is no user nobody"

# Some machines let only root open /dev/fuse. In a mount namespace of its own
# the test has a device as Debian's udev makes it.
if [ -z "${VAULT_E2E_INSIDE-}" ]; then
	export VAULT_E2E_INSIDE=yes
	mode=$(stat -c %a /dev/fuse)
	if [ "$mode" != 666 ]; then
		mknod -m 666 "$work/fuse" c 10 229 || skip "no device of our own"
		unshare -m bash -c 'mount --make-rprivate / &&
			mount --bind "$1" /dev/fuse && exec bash "$2"' \
			- "$work/fuse" "$0"
		exit $?
	fi
fi

chmod 755 "$HOME"
mkdir "$work/run"
chown $user:$user "$project" "$HOME" "$work/run"
chmod 700 "$work/run"

as_user() {
	setpriv --reuid=$user --regid=$user --clear-groups \
		env HOME="$HOME" XDG_RUNTIME_DIR="$work/run" "$@"
}

as_user bash -c 'echo one >"$0/notes.txt"' "$project"
as_user "$ARTVAULT" mount "$project" >"$work/out" 2>&1 ||
	{ cat "$work/out"; fail "a plain user mounts"; finish; }
is "it is mounted" is_mounted
is "sync works" as_user "$ARTVAULT" sync "$project"
first=$(as_user "$ARTVAULT" log --json -C "$project" | python3 -c '
import json, sys
print(json.load(sys.stdin)[0]["moment"])')
is "saving works" as_user bash -c 'echo two >"$0/notes.txt"' "$project"
is "sync works again" as_user "$ARTVAULT" sync "$project"
is "the past is there" as_user grep -qx one \
	"$project/.history/$first/notes.txt"
is "a snapshot by mkdir" as_user mkdir "$project/.history/mine"
is "restore --replace" as_user "$ARTVAULT" restore -C "$project" \
	--at "$first" --replace notes.txt
is "brought back" as_user grep -qx one "$project/notes.txt"
is "status says what such a mount lacks" as_user bash -c \
	'"$0" status -C "$1" | grep -Eqi "root|user"' "$ARTVAULT" "$project"
is "the vault is the user's alone" as_user true
is "unmounting" as_user "$ARTVAULT" unmount "$project"
isnt "it is gone" is_mounted
equal "the vault has mode 700" "$(stat -c '%a %u' "$project/.artvault")" \
	"700 $user"
is "check works" as_user "$ARTVAULT" check --data -C "$project"
finish
