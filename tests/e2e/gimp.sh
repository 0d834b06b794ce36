#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# GIMP saves its own way (through GIO, or in place): twice, as a batch.
. "$(dirname "$0")/lib.sh"
need_mount
need gimp
scratch

mounted
synced
draw() {
	timeout 200 gimp -n -i -d -f -b "
(let* ((image (car (gimp-image-new 200 150 RGB)))
       (layer (car (gimp-layer-new image 200 150 RGB-IMAGE \"paint\" 100
                                   LAYER-MODE-NORMAL))))
  (gimp-image-insert-layer image layer 0 0)
  (gimp-context-set-foreground '($1 80 40))
  (gimp-drawable-fill layer FILL-FOREGROUND)
  (gimp-xcf-save 0 image layer \"$project/art.xcf\" \"art.xcf\"))" \
		-b '(gimp-quit 0)' >"$work/gimp.out" 2>&1 ||
		{ cat "$work/gimp.out"; fail "gimp saves"; }
	[ -s "$project/art.xcf" ] || { cat "$work/gimp.out"; fail "a file"; }
	synced
	cp "$project/art.xcf" "$work/$moment.xcf"
}
draw 200
first=$moment
draw 10
second=$moment
for m in "$first" "$second"; do
	is "the save of $m is bit-exact" cmp "$work/$m.xcf" \
		"$project/.history/$m/art.xcf"
done
equal "two versions" "$(timeline art.xcf | wc -l)" 2
is "unmounting" av unmount "$project"
finish
