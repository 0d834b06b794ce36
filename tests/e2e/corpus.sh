#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Real files of real programs, through a vault and back, byte for byte.
. "$(dirname "$0")/lib.sh"
need_mount
[ -d "${ARTVAULT_CORPUS-}" ] ||
	skip "ARTVAULT_CORPUS names no folder of real files"
scratch

cp -rL "$ARTVAULT_CORPUS/." "$project/"
find "$project" -name '.*' -mindepth 1 -prune -exec rm -rf {} +
n=$(find "$project" -type f | wc -l)
cp -a "$project" "$work/aside"
mounted
synced
first=$moment
rm -r "${project:?}"/*
synced
is "all $n files come back bit-exact through .history" \
	diff -r "$work/aside" "$project/.history/$first"
is "and with restore" av restore -C "$project" --at "$first" . \
	--to "$work/restored"
is "bit-exact as well" diff -r "$work/aside" "$work/restored"
is "unmounting" av unmount "$project"
is "the vault is whole" av check --data -C "$project"
finish
