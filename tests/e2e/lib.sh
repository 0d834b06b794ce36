# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the end-to-end tests share; sourced by bash. They drive the real
# program through a real mount in a scratch folder. $ARTVAULT is the program.
#
# A test is a list of claims. A broken one is reported and the test goes on,
# so that one run shows all that is wrong; finish() turns that into an exit
# code. skip() is exit code 77.
set -u
export LC_ALL=C.UTF-8
: "${ARTVAULT:?the program to test}"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
failures=0
work=

av() {
	"$ARTVAULT" "$@"
}

fail() {
	echo "FAILED: $*"
	failures=$((failures + 1))
}

ok() {
	echo "ok: $*"
}

# is CLAIM COMMAND...: the command succeeds. It must print what it does wrong.
is() {
	local claim=$1
	shift
	if "$@" >"$work/is.out" 2>&1; then
		ok "$claim"
	else
		fail "$claim"
		sed 's/^/    /' "$work/is.out" | head -n 40
	fi
}

isnt() {
	local claim=$1
	shift
	if "$@" >"$work/is.out" 2>&1; then
		fail "$claim"
		sed 's/^/    /' "$work/is.out" | head -n 40
	else
		ok "$claim"
	fi
}

# equal CLAIM GOT EXPECTED
equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1"
		echo "    got:      $2" | head -n 40
		echo "    expected: $3" | head -n 40
	fi
}

# exits CLAIM CODE PATTERN COMMAND...: the exit code is CODE, and what is said
# on stderr matches the extended regular expression (empty: says nothing).
exits() {
	local claim=$1 code=$2 pattern=$3 got=0
	shift 3
	"$@" >"$work/exits.out" 2>"$work/exits.err" || got=$?
	if [ "$got" -ne "$code" ]; then
		fail "$claim (exit code $got, not $code)"
		sed 's/^/    /' "$work/exits.err" | head -n 20
	elif [ -z "$pattern" ] && [ -s "$work/exits.err" ]; then
		fail "$claim (it complains)"
		sed 's/^/    /' "$work/exits.err" | head -n 20
	elif [ -n "$pattern" ] && ! grep -Eqi -- "$pattern" "$work/exits.err"
	then
		fail "$claim (it does not say \"$pattern\")"
		sed 's/^/    /' "$work/exits.err" | head -n 20
	else
		ok "$claim"
	fi
}

skip() {
	echo "skipped: $*"
	exit 77
}

# A mount is dead or alive: get rid of all below the scratch folder.
unmount_all() {
	local at
	awk '{ print $2 }' /proc/self/mounts | grep "^$work/" | sort -r |
		while read -r at; do
			at=$(printf '%b' "$at")
			timeout 60 "$ARTVAULT" unmount "$at" >/dev/null 2>&1 ||
				umount -l "$at" 2>/dev/null
		done
}

cleanup() {
	[ -n "$work" ] || return 0
	cd /
	# A daemon whose mount is gone has a second to follow.
	unmount_all
	rm -rf --one-file-system "$work" 2>/dev/null ||
		{ sleep 2; unmount_all; rm -rf --one-file-system "$work"; }
}

need() {
	local program
	for program; do
		command -v "$program" >/dev/null || skip "$program is not here"
	done
}

need_mount() {
	[ -e /dev/fuse ] || skip "there is no /dev/fuse"
	[ "$(id -u)" -eq 0 ] || skip "not root"
}

scratch() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/vault-e2e-XXXXXX")
	trap cleanup EXIT
	trap 'exit 1' INT TERM
	chmod 755 "$work"
	project=$work/project
	mkdir "$project"
	# The server's socket and whatever programs put into a home.
	export HOME=$work/home
	mkdir "$HOME"
}

finish() {
	if [ $failures -ne 0 ]; then
		echo "$failures claims do not hold"
		exit 1
	fi
	exit 0
}

# Mount $project in place, with more options if given; the test ends if it
# does not work.
mounted() {
	if ! av mount "$@" "$project" >"$work/mount.out" 2>&1; then
		cat "$work/mount.out"
		fail "the mount works"
		finish
	fi
}

is_mounted() {
	findmnt -n -o FSTYPE --mountpoint "${1:-$project}" 2>/dev/null |
		grep -qx fuse.artvault
}

# until_true SECONDS COMMAND...
until_true() {
	local tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# The names of all moments, oldest first, as the program says.
moments() {
	av log --json -C "$project" | python3 -c '
import json, sys
print("\n".join(sorted({m["moment"] for m in json.load(sys.stdin)})))'
}

latest() {
	moments | tail -n 1
}

# Make everything finished durable; $moment is the newest one then.
synced() {
	av sync "$project" >"$work/sync.out" 2>&1 ||
		{ fail "sync"; cat "$work/sync.out"; }
	moment=$(latest)
}

# Names of the versions in a timeline, without the texts.
timeline() {
	ls "$project/.timeline/$1" | grep -v '^@'
}

# random_file FILE BYTES
random_file() {
	head -c "$2" /dev/urandom >"$1"
}

# The daemon of the mount; its watcher has a single thread.
daemon_pid() {
	local pid
	for pid in $(pgrep -f "artvault mount.*$project"); do
		[ "$(awk '/^Threads:/ { print $2 }' "/proc/$pid/status")" \
			-le 1 ] || echo "$pid"
	done | head -n 1
}
