#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# A copy out of the past equals the tree as it was: content, mode, owner,
# mtime, xattrs and ACLs, links, empty folders, odd names.
. "$(dirname "$0")/lib.sh"
need_mount
need setfattr setfacl python3
scratch
# The vault is made first: it is an entry of the project's folder, whose mtime
# is compared, too.
av sync "$project" >/dev/null 2>&1 || fail "sync makes a vault"
cd "$project" || exit 1

mkdir -p a/b/c/d empty 'with blank' "$(printf 'new\nline')" $'caf\xc3\xa9' \
	$'not\xffutf8' -- -dash
random_file a/one.bin 100
random_file a/b/c/d/deep.bin 5000
random_file 'with blank/it is.psd' 70000
printf x >"$(printf 'new\nline')/f"
printf y >$'caf\xc3\xa9/\xe2\x9c\x8e.kra'
printf z >$'not\xffutf8/\xfe'
printf w >-dash/-n
: >empty-file
random_file "$(printf 'n%.0s' $(seq 255))" 10
truncate -s 3M sparse.bin
printf middle | dd of=sparse.bin bs=1 seek=1500000 conv=notrunc status=none
ln -s one.bin a/link
ln -s /nowhere/at/all dangling
ln a/one.bin a/b/one-again.bin
random_file big.bin 3000000
chmod 640 a/one.bin
chmod 4755 big.bin
chmod 2775 a
chmod 1777 empty
chmod 000 empty-file
chown 1234:2345 a/b/c/d/deep.bin
chown -h 77:88 a/link
chown 99:99 empty
setfattr -n user.comment -v 'third draft' big.bin
setfattr -n user.binary -v 0x00ff00fe a/b
xattrs=yes
getfattr -n user.comment big.bin >/dev/null 2>&1 || xattrs=
setfacl -m u:1234:rw,g:2345:r 'with blank/it is.psd'
setfacl -d -m u:1234:rwx a/b/c
touch -d '2001-02-03 04:05:06.123456789' a/one.bin 'with blank' -- -dash/-n
touch -h -d '1999-01-01' dangling
touch -d '2030-01-01 00:00:00.5' a/b/c
python3 "$here/manifest.py" . >"$work/before"
python3 "$here/manifest.py" --links . >"$work/before-links"
cd / || exit 1

mounted
synced
first=$moment
[ -n "$xattrs" ] || echo "(no user xattrs on this disk)"

# Everything changes.
cd "$project" || exit 1
python3 "$here/manifest.py" . >"$work/through"
is "the live tree is the same through the mount" \
	diff "$work/before" "$work/through"
rm -r a/b 'with blank'
mv empty full
printf new >empty-file 2>/dev/null || { chmod 600 empty-file; echo >empty-file; }
chmod 600 big.bin && random_file big.bin 100
chown 0:0 full
setfattr -x user.comment big.bin
touch dangling-not
cd / || exit 1
synced
isnt "the change is a moment of its own" test "$moment" = "$first"

cp -a "$project/.history/$first" "$work/copy" 2>"$work/cp.err" ||
	{ fail "cp -a works"; cat "$work/cp.err"; }
python3 "$here/manifest.py" "$work/copy" >"$work/after"
is "cp -a out of .history equals the tree then" \
	diff "$work/before" "$work/after"
equal "cp -a says nothing" "$(cat "$work/cp.err")" ""
rm -rf "$work/copy"

is "restore --to works" av restore -C "$project" --at "$first" . \
	--to "$work/restored"
python3 "$here/manifest.py" --links "$work/restored" >"$work/after"
is "restore --to equals the tree then, hard links included" \
	diff "$work/before-links" "$work/after"
is "holes stay holes" test "$(stat -c %b "$work/restored/sparse.bin")" -lt 3000

isnt "the past has no setuid" test -u "$project/.history/$first/big.bin"
for how in 'touch f' 'rm a/one.bin' 'mkdir d' 'mv a b' 'chmod 777 big.bin' \
	'ln -s x y' 'truncate -s 0 big.bin' 'setfattr -n user.x -v y big.bin'; do
	(cd "$project/.history/$first" && $how) 2>"$work/err" &&
		fail "$how in the past is refused"
	grep -qi 'read-only' "$work/err" ||
		fail "$how in the past is refused as read-only: $(cat "$work/err")"
done

is "the whole tree again, unmounted" av unmount "$project"
is "restore works without a mount" av restore -C "$project" --at "$first" . \
	--to "$work/again"
python3 "$here/manifest.py" --links "$work/again" >"$work/after"
is "and equals the tree then" diff "$work/before-links" "$work/after"
is "the vault is whole" av check --data -C "$project"
finish
