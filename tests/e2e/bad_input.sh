#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Whatever is wrong, the message says what and where, nothing is lost, and the
# live files can always be reached.
. "$(dirname "$0")/lib.sh"
need_mount
need python3
scratch
umask 022

# A vault with two versions of a file, unmounted.
make_vault() {
	rm -rf "$project" && mkdir "$project"
	head -c 300000 /dev/urandom >"$work/v1"
	head -c 300000 /dev/urandom >"$work/v2"
	cp "$work/v1" "$project/hero.psd"
	printf 'notes\n' >"$project/notes.txt"
	av sync "$project" >/dev/null 2>&1 || fail "sync without a mount"
	first=$(latest)
	cp "$work/v2" "$project/hero.psd"
	av sync "$project" >/dev/null 2>&1 || fail "sync without a mount"
	second=$(latest)
}

live_files() {
	is "$1: the live files are reachable" \
		cmp "$work/v2" "$project/hero.psd"
}

both_versions() {
	is "$1: the first version is there" \
		bash -c '"$0" cat -C "$1" "$2" hero.psd | cmp - "$3"' \
		"$ARTVAULT" "$project" "$first" "$work/v1"
	is "$1: the second version is there" \
		bash -c '"$0" cat -C "$1" "$2" hero.psd | cmp - "$3"' \
		"$ARTVAULT" "$project" "$second" "$work/v2"
}

pack() {
	find "$project/.artvault/packs" -name '*.pack' | sort | head -n 1
}

echo "--- a project that has a .history of its own"
make_vault
mkdir "$project/.history"
exits "the mount is refused and says what to do" 1 '\.history' \
	av mount "$project"
isnt "nothing is mounted" is_mounted
live_files "own .history"
rmdir "$project/.history"
mkdir -p "$project/deep/.history"
printf mine >"$project/deep/.history/file"
mounted
is "a deeper one shadows the view" \
	grep -qx mine "$project/deep/.history/file"
is "and status names it" bash -c \
	'"$0" status -C "$1" | grep -q "deep/.history"' "$ARTVAULT" "$project"
av unmount "$project" || fail "unmount"

echo "--- a vault of a newer format"
make_vault
cp "$project/.artvault/config" "$work/config"
sed -i 's/^format *=.*/format=999/' "$project/.artvault/config"
exits "the mount is refused" 1 'newer' av mount "$project"
exits "so is a command" 1 'newer' av log -C "$project"
live_files "newer format"
cp "$work/config" "$project/.artvault/config"
both_versions "the right format again"

echo "--- a byte that turned over in a pack"
make_vault
python3 - "$(pack)" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(0, 2)
    at = f.tell() * 3 // 5
    f.seek(at)
    byte = f.read(1)[0]
    f.seek(at)
    f.write(bytes([byte ^ 0x10]))
PY
exits "check --data finds it" 2 '' bash -c '"$0" check --data -C "$1" \
	>"$2" 2>&1' "$ARTVAULT" "$project" "$work/check.txt"
is "and names the file" grep -q 'hero.psd' "$work/check.txt"
mounted
wrong=0
for m in "$first" "$second"; do
	v=$work/v1
	[ "$m" = "$first" ] || v=$work/v2
	cp "$project/.history/$m/hero.psd" "$work/read" 2>"$work/err" || continue
	cmp -s "$work/read" "$v" || wrong=$((wrong + 1))
done
equal "a damaged version is an error, never wrong bytes" $wrong 0
live_files "flipped byte"
random_file "$project/after.bin" 1000
synced
is "saving goes on" cmp "$project/after.bin" \
	"$project/.history/$moment/after.bin"
av unmount "$project" || fail "unmount"

echo "--- a pack whose end is gone"
make_vault
av log -C "$project" >"$work/log-before"
truncate -s -5 "$(pack)"
mounted
live_files "torn tail"
is "the torn tail: the first version is there" cmp "$work/v1" \
	"$project/.history/$first/hero.psd"
random_file "$project/after.bin" 1000
synced
is "torn tail: what was lost is captured again" cmp "$work/v2" \
	"$project/.history/$moment/hero.psd"
av unmount "$project" || fail "unmount"

echo "--- an index that is deleted, corrupt, or another vault's"
make_vault
rm -rf "$project/.artvault/index"
both_versions "index deleted"
find "$project/.artvault/index" -type f -size +0 | while read -r file; do
	head -c "$(stat -c %s "$file")" /dev/urandom >"$work/noise"
	cat "$work/noise" >"$file"
done
both_versions "index full of noise"
find "$project/.artvault/index" -name 'CURRENT' -delete
both_versions "index without its CURRENT"
mkdir "$work/other" && printf other >"$work/other/file"
av sync "$work/other" >/dev/null 2>&1 || fail "another project"
rm -rf "$project/.artvault/index"
cp -a "$work/other/.artvault/index" "$project/.artvault/index"
both_versions "a foreign index"
is "rebuild-index works" av rebuild-index -C "$project"
both_versions "rebuilt"
is "and all is clean" av check --data -C "$project"

echo "--- moments, paths, files that do not exist"
exits "a time before the first moment" 1 '1999' \
	av cat -C "$project" 1999-01-01 hero.psd
exits "a name that nobody gave" 1 'no-such-name' \
	av ls -C "$project" no-such-name
exits "a file that never was" 1 'never.psd' \
	av cat -C "$project" latest never.psd
exits "a path outside the project" 1 '\.\./|outside' \
	av cat -C "$project" latest ../v1
exits "an absolute path outside the project" 1 'passwd' \
	av cat -C "$project" latest /etc/passwd
exits "no command" 2 'usage' av
exits "an unknown command" 2 'paint' av paint
exits "an unknown option" 2 'frobnicate' av log --frobnicate -C "$project"
exits "no project" 1 "$work/home" av log -C "$work/home"
exits "a project that is not there" 1 'no/such' av mount "$work/no/such"
exits "a project that is a file" 1 'v1' av mount "$work/v1"
exits "unmounting what is not mounted" 1 "$project" av unmount "$project"
mounted
exits "a moment that does not exist" 2 'no such file' \
	ls "$project/.history/1999-01-01_00-00-00"
exits "a path outside, mounted" 1 '\.\./|outside' \
	av cat -C "$project" latest ../v1

echo "--- two daemons, one vault"
exits "mounting what is mounted" 1 'mounted|in use' av mount "$project"
mkdir "$work/elsewhere"
exits "a second daemon on the vault" 1 'in use|mounted' \
	av mount "$project" "$work/elsewhere"
exits "the same with --vault from outside" 1 "" bash -c '
	"$0" mount --vault "$1/.artvault" "$2" 2>"$3"; code=$?
	grep -q . "$3" || exit 9; exit $code' \
	"$ARTVAULT" "$project" "$work/other" "$work/err"
live_files "two daemons"
is_mounted || fail "the first one is still there"
mkdir "$work/project2" && printf 2 >"$work/project2/f"
exits "a mountpoint that is a mount of ours" 1 'mounted' \
	av mount "$work/project2" "$project"
live_files "mountpoint in use"
av unmount "$project" || fail "unmount"

echo "--- a vault that cannot be written"
make_vault
mkdir "$work/ro"
cp -a "$project/.artvault" "$work/ro/vault"
rm -rf "$project/.artvault"
mkdir "$work/locked"
mount -t tmpfs -o size=64m tmpfs "$work/locked"
cp -a "$work/ro/vault" "$work/locked/vault"
mount -o remount,ro "$work/locked"
exits "the mount says so" 1 'read-only|permission' \
	av mount --vault "$work/locked/vault" "$project"
isnt "nothing is mounted" is_mounted
live_files "unwritable vault"
umount "$work/locked"

echo "--- a disk that is full"
mount -t tmpfs -o size=40m tmpfs "$work/locked"
mkdir "$work/locked/project" "$work/locked/home"
printf live >"$work/locked/project/live.txt"
project=$work/locked/project
mounted -o min_free=1M
synced
kept=$moment
random_file "$work/locked/filler" 60000000 2>/dev/null
exits "the disk is full now" 1 "no space" \
	dd if=/dev/zero of="$work/locked/one-more" bs=64k count=1 status=none
printf changed >"$project/live.txt" 2>/dev/null
exits "sync fails and says why" 1 'space|free' av sync "$project"
is "status says so, too" bash -c \
	'"$0" status -C "$1" 2>&1 | grep -Eqi "space|free|paused"' \
	"$ARTVAULT" "$project"
is "the past can still be read" grep -qx live \
	"$project/.history/$kept/live.txt"
rm -f "$work/locked/filler" "$work/locked/one-more"
printf 'room again' >"$project/live.txt"
is "with room again it catches up" until_true 20 "$ARTVAULT" sync "$project"
moment=$(latest)
is "and keeps what is there" grep -qx 'room again' \
	"$project/.history/$moment/live.txt"
av unmount "$project" || fail "unmount"
is "nothing is broken" av check --data -C "$project"
umount "$work/locked"
project=$work/project

echo "--- no /dev/fuse"
make_vault
exits "the mount says so" 1 '/dev/fuse' unshare -m bash -c '
	mount --make-rprivate / && mount -t tmpfs tmpfs /dev &&
	exec "$0" mount "$1"' "$ARTVAULT" "$project"
live_files "no /dev/fuse"
both_versions "no /dev/fuse"
finish
