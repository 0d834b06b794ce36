#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Every command does what its manual says, mounted and unmounted alike.
. "$(dirname "$0")/lib.sh"
need_mount
need python3
scratch

commands='mount unmount sync status snapshot unsnapshot log ls cat restore
check rebuild-index'
for command in $commands; do
	exits "$command --help" 0 '' av "$command" --help
	is "$command --help says how" grep -q "$command" "$work/exits.out"
	is "the manual has $command" bash -c 'tr -d "\\\\" <"$1" |
		grep -q "^.SS $2"' - "$here/../../fs/artvault.1" "$command"
done

# json CLAIM PYTHON COMMAND...: one document, `d`, of which PYTHON holds.
json() {
	local claim=$1 expression=$2
	shift 2
	"$@" >"$work/json" 2>"$work/err" || true
	is "$claim" python3 -c '
import json, re, sys
d = json.load(open(sys.argv[1]))
name = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d([+-]\d{4})?$")
time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
assert eval("(" + sys.argv[2] + ")"), d' "$work/json" "$expression"
}

mkdir "$project/chars"
printf 'one\n' >"$project/chars/bob.txt"
printf 'same\n' >"$project/same.txt"
is "sync, unmounted, makes the vault" av sync "$project"
first=$(latest)
printf 'two\n' >"$project/chars/bob.txt"
is "sync -C" av sync -C "$project"
second=$(latest)

both_ways() {
	local how=$1
	json "$how: log --json" '
		[m["moment"] for m in d][:2] and all(
			set(m) >= {"moment", "time", "names", "tags", "note",
				"cause"} and name.match(m["moment"]) and
			time.match(m["time"]) and isinstance(m["names"], list)
			and isinstance(m["tags"], list) for m in d)' \
		av log --json -C "$project"
	json "$how: log --json PATH" '
		len(d) == 2 and all(set(v) >= {"file", "moment", "time", "size",
			"digest"} and v["size"] == 4 and
			re.match("[0-9a-f]{32}$", v["digest"]) for v in d)' \
		av log --json -C "$project" chars/bob.txt
	json "$how: status --json" '
		set(d) >= {"pending", "not_kept", "live_path", "vault_bytes",
			"logical_bytes", "ratio"} and d["not_kept"] == []' \
		av status --json -C "$project"
	json "$how: ls --json" 'isinstance(d, list) and len(d) == 2' \
		av ls --json -C "$project" "$first"
	is "$how: log" bash -c '"$0" log -C "$1" | grep -q "$2"' \
		"$ARTVAULT" "$project" "$first"
	is "$how: ls" bash -c '"$0" ls -C "$1" "$2" chars | grep -q bob.txt' \
		"$ARTVAULT" "$project" "$first"
	equal "$how: cat then" "$(av cat -C "$project" "$first" chars/bob.txt)" one
	equal "$how: cat latest" "$(av cat -C "$project" latest chars/bob.txt)" two
	equal "$how: cat from inside a folder" \
		"$(cd "$project/chars" && av cat "$first" bob.txt)" one
	equal "$how: -C a folder" \
		"$(av cat -C "$project/chars" "$first" bob.txt)" one
	equal "$how: log --until leaves later ones out" "$(av log --json \
		-C "$project" --until "$first" | grep -c "\"$second\"")" 0
	equal "$how: log --since leaves earlier ones out" "$(av log --json \
		-C "$project" --since "$second" | grep -c "\"$first\"")" 0

	is "$how: restore beside" av restore -C "$project" --at "$first" \
		chars/bob.txt
	equal "$how: restored beside, under the moment's name" \
		"$(cat "$project/chars/bob ($first).txt")" one
	exits "$how: a second time it is there already" 1 'exist|there' \
		av restore -C "$project" --at "$first" chars/bob.txt
	rm "$project/chars/bob ($first).txt"
	is "$how: restore --to" av restore -C "$project" --at "$first" chars \
		--to "$work/$how"
	equal "$how: restored elsewhere" "$(cat "$work/$how/bob.txt")" one
	(cd "$work" && is "$how: --to is relative to the caller" av restore \
		-C "$project" --at "$first" same.txt --to "relative-$how.txt")
	is "$how: it is there" cmp "$project/same.txt" "$work/relative-$how.txt"

	printf 'not yet kept\n' >"$project/chars/bob.txt"
	is "$how: restore --replace" av restore -C "$project" --at "$first" \
		--replace chars/bob.txt
	equal "$how: replaced" "$(cat "$project/chars/bob.txt")" one
	is "$how: what was live was kept first" bash -c '
		"$0" sync "$1" && "$0" log --json -C "$1" chars/bob.txt |
		python3 -c "
import json, sys
print(any(v[\"size\"] == 13 for v in json.load(sys.stdin)))" |
		grep -qx True' "$ARTVAULT" "$project"
	exits "$how: --to and --replace" 2 'replace' av restore -C "$project" \
		--at "$first" --replace --to x same.txt
	exits "$how: restore without --at" 2 '(--)?at' av restore -C "$project" \
		same.txt

	is "$how: snapshot" av snapshot -C "$project" -m 'for Ana' --tag a \
		--tag b "$how-name"
	json "$how: log --tag" "
		len(d) == 1 and d[0]['names'] == ['$how-name'] and
		d[0]['note'] == 'for Ana' and sorted(d[0]['tags']) == ['a', 'b']" \
		av log --json --tag a -C "$project"
	equal "$how: a name is a time" \
		"$(av cat -C "$project" "$how-name" same.txt)" same
	exits "$how: a name twice" 1 'exist|already' \
		av snapshot -C "$project" "$how-name"
	for bad in a..b .hidden @x 2020-01-01 yesterday a/b ''; do
		isnt "$how: no snapshot is called '$bad'" \
			av snapshot -C "$project" "$bad"
	done
	is "$how: unsnapshot" av unsnapshot -C "$project" "$how-name"
	exits "$how: it is gone" 1 "$how-name" \
		av cat -C "$project" "$how-name" same.txt
	is "$how: --undo" av unsnapshot -C "$project" --undo "$how-name"
	equal "$how: it is back" \
		"$(av cat -C "$project" "$how-name" same.txt)" same
	is "$how: unsnapshot again" av unsnapshot -C "$project" "$how-name"
	is "$how: check" av check -C "$project"
	json "$how: check --json" 'd is not None' av check --json -C "$project"
	printf 'two\n' >"$project/chars/bob.txt"
	av sync "$project" >/dev/null
	rm -rf "$work/versions-$how"
}

both_ways unmounted
# Start again from the same two versions.
rm -rf "$project/.artvault"
printf 'one\n' >"$project/chars/bob.txt"
av sync "$project" >/dev/null && first=$(latest)
printf 'two\n' >"$project/chars/bob.txt"
mounted
av sync "$project" >/dev/null && second=$(latest)
both_ways mounted
is "unmounting" av unmount "$project"
is "rebuild-index" av rebuild-index -C "$project"
is "check --data" av check --data -C "$project"

# A vault anywhere else, and a mountpoint of its own.
mkdir "$work/p2" "$work/m2"
printf 'else\n' >"$work/p2/f.txt"
is "mount --vault PROJECT MOUNTPOINT" av mount --vault "$work/v2" "$work/p2" \
	"$work/m2"
is "the live files are there" grep -qx else "$work/m2/f.txt"
isnt "no vault in the project" test -e "$work/p2/.artvault"
is "sync at the mountpoint" av sync "$work/m2"
equal "read at the mountpoint" "$(cat "$work/m2/.history/latest/f.txt")" else
printf 'behind\n' >"$work/m2/f.txt"
is "unmount keeps what was finished" av unmount "$work/m2"
equal "kept" "$(av cat --vault "$work/v2" latest f.txt)" behind
is "the vault's name says whose it is" av check --data --vault "$work/v2"
finish
