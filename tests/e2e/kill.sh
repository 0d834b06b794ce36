#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The daemon is killed in a storm of saves: nothing acknowledged is lost, the
# real folder shows again at once, and the project is mounted anew.
. "$(dirname "$0")/lib.sh"
need_mount
need pgrep python3
scratch

mkdir "$project/storm" "$work/acknowledged"
printf live >"$project/live.txt"
mounted
synced

storm() {
	local i=0
	while [ ! -e "$work/stop" ]; do
		i=$((i + 1))
		head -c $((RANDOM * 8 + 1)) /dev/urandom \
			>"$project/storm/$((i % 20)).bin"
		[ $((i % 3)) -ne 0 ] || mv "$project/storm/$((i % 20)).bin" \
			"$project/storm/$((i % 5))-renamed.bin"
	done 2>/dev/null
}

# A file of our own that nobody else writes: what sync returned for is
# acknowledged, and is checked against the copy for ever.
acknowledge() {
	local name=kept-$1.bin
	random_file "$work/acknowledged/$name" $((RANDOM * 20 + 1))
	cp "$work/acknowledged/$name" "$project/$name" || return 1
	timeout 100 "$ARTVAULT" sync "$project" >/dev/null 2>&1 || return 1
	moment=$(latest) && [ -n "$moment" ] || return 1
	echo "$moment $name" >>"$work/promises"
}

shows_really() {
	! is_mounted && grep -qx live "$project/live.txt"
}

for round in 1 2 3; do
	rm -f "$work/stop"
	storm &
	storm_pid=$!
	for i in 1 2 3; do
		acknowledge "$round-$i" || fail "sync in a storm"
	done
	# Not acknowledged, and under way when the daemon dies.
	random_file "$project/in-flight-$round.bin" 5000000
	pid=$(daemon_pid)
	[ -n "$pid" ] || { fail "the daemon is found"; break; }
	started=$(date +%s%N)
	kill -9 "$pid"
	# The file answers again: the real one, or through the next mount.
	is "round $round: live files answer at once" \
		until_true 5 grep -qx live "$project/live.txt"
	took=$((($(date +%s%N) - started) / 1000000))
	echo "    after $took ms"
	[ $took -lt 3000 ] || fail "the real folder shows within a second"
	touch "$work/stop"
	wait "$storm_pid" 2>/dev/null
	is "round $round: it is mounted again" until_true 30 is_mounted
	is "round $round: the new daemon answers" \
		until_true 30 "$ARTVAULT" sync "$project"
	# A death with the index open twice in a row sets it aside, which is
	# for another test.
	bad=0
	while read -r moment name; do
		cmp "$work/acknowledged/$name" \
			"$project/.history/$moment/$name" || bad=$((bad + 1))
	done <"$work/promises"
	equal "round $round: all acknowledged versions are there" $bad 0
	is "round $round: what was in flight was found by the scan" \
		cmp "$project/in-flight-$round.bin" \
		"$project/.history/latest/in-flight-$round.bin"
done

is "unmounting" av unmount "$project"
is "the vault is whole after all that" av check --data -C "$project"
is "and says so as JSON" bash -c '"$0" check --json -C "$1" |
	python3 -m json.tool' "$ARTVAULT" "$project"

# In the foreground: unmounted, and not mounted again.
av mount -f "$project" >"$work/foreground.out" 2>&1 &
foreground=$!
is "mount -f mounts" until_true 30 is_mounted
kill -9 "$(daemon_pid)"
is "mount -f: the real folder shows" until_true 5 shows_really
sleep 2
isnt "mount -f: it is not mounted again" is_mounted
is "mount -f: it says that it ended" until_true 10 bash -c \
	"! kill -0 $foreground"
finish
