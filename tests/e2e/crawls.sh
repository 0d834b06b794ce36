#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What walks through folders never wanders into the past by accident, and what
# deletes all that it finds loses no moment.
. "$(dirname "$0")/lib.sh"
need_mount
need git rsync
scratch

mkdir -p "$project/chars/bob" "$project/textures"
for i in 1 2 3; do
	random_file "$project/chars/bob/$i.psd" 20000
	random_file "$project/textures/$i.png" 30000
done
(cd "$project/chars" && git init -q . && git add -A &&
	git -c user.name=a -c user.email=a@b commit -qm start)
live=$(cd "$project/chars" && find . | sort)
used=$(du -s --apparent-size "$project/chars" | cut -f 1)

mounted
synced
first=$moment
random_file "$project/chars/bob/1.psd" 20001
synced
av snapshot -C "$project" review >/dev/null || fail "snapshot"
mkdir "$project/.history/by-folder" || fail "mkdir makes a snapshot"

cd "$project/chars" || exit 1
equal "find stays in a live subfolder" "$(find . | sort)" "$live"
equal "du does" "$(du -s --apparent-size . | cut -f 1)" "$used"
equal "grep -r does" "$(grep -rl . . 2>/dev/null | grep -c history)" 0
rsync -a ./ "$work/copy/"
equal "rsync -a does" "$(cd "$work/copy" && find . | sort)" "$live"
equal "git status does" "$(git status --porcelain)" " M bob/1.psd"
equal "ls -a shows no view in a subfolder" \
	"$(ls -a | grep -c 'history\|timeline')" 0
is "but they are there by name" test -d "bob/.history/$first"
is "and so is the old file" cmp "$work/copy/bob/2.psd" \
	"bob/.history/$first/2.psd"
is "a timeline, too" test -d "bob/.timeline/1.psd"
equal "no view inside the past" \
	"$(ls -d "$project/.history/$first/.history" 2>/dev/null)" ""
cd "$project" || exit 1
equal "views are listed at the root" \
	"$(ls -a | grep -c '^\.history$\|^\.timeline$')" 2
isnt "the vault is not reachable" ls "$project/.artvault"
exits ".diff is not there" 2 "no such file" ls "$project/.diff"
exits ".layers is not there" 2 "no such file" ls "$project/.layers"
for name in chars/.diff chars/.layers chars/.history chars/.timeline \
	.diff .layers .history .timeline .artvault; do
	exits "$name cannot be made" 1 "not permitted|exists" \
		mkdir "$project/$name"
done

# rm -r of a live folder takes the live folder and nothing else.
is "rm -r of a subfolder works" rm -r "$project/textures"
synced
isnt "it is gone" test -e "$project/textures"
is "its past is not" test -f "$project/.history/$first/textures/2.png"

# All of it, from the root, with the past listed there.
moments >"$work/before"
find "$project" -mindepth 1 -delete >/dev/null 2>&1
synced
equal "find -delete at the root takes the live files" \
	"$(ls "$project")" ""
is "and loses no moment" bash -c \
	'comm -23 "$1" <(sort "$2") | grep -q . && exit 1; exit 0' - \
	"$work/before" <(moments)
is "old files are still there" cmp "$work/copy/bob/2.psd" \
	"$project/.history/$first/chars/bob/2.psd"
isnt "the names that were folders are gone" test -e "$project/.history/review"
for name in review by-folder; do
	is "unsnapshot --undo brings $name back" \
		av unsnapshot -C "$project" --undo "$name"
	is "$name is a folder again" test -d "$project/.history/$name/chars"
done
is "everything can be had back" av restore -C "$project" --at "$first" chars \
	--to "$work/chars-again"
equal "with all its files" "$(cd "$work/chars-again" && find . | sort)" \
	"$live"
cd / || exit 1
is "unmounting" av unmount "$project"

# With views=hidden not even the root shows the past.
cp -a "$work/chars-again" "$project/chars"
mounted -o views=hidden
synced
cd "$project" || exit 1
equal "hidden: ls -a at the root" "$(ls -A)" "chars"
equal "hidden: find at the root" "$(find . -name '.history*')" ""
equal "hidden: find at the root sees the live files" \
	"$(cd "$project/chars" && find . | sort)" "$live"
rsync -a ./ "$work/copy-root/"
equal "hidden: rsync -a at the root" \
	"$(cd "$work/copy-root/chars" && find . | sort)" "$live"
git init -q . && git add chars/bob 2>/dev/null
equal "hidden: git status at the root" \
	"$(git status --porcelain | grep -c 'history\|timeline')" 0
is "hidden: it resolves all the same" test -d ".history/$first/chars"
is "hidden: rm -r at the root" bash -c 'rm -r ./* .git'
is "hidden: the past is still there" test -f ".history/$first/chars/bob/2.psd"
cd / || exit 1
is "unmounting" av unmount "$project"
is "the vault is whole" av check --data -C "$project"
finish
