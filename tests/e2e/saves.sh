#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# However a program saves, every save is a version, byte for byte; and what is
# no save is none.
. "$(dirname "$0")/lib.sh"
need_mount
need convert mogrify zip rsync sqlite3 python3
vim=$(command -v vim.tiny || command -v vim) || skip "vim is not here"
scratch

mkdir "$project/art"
printf 'first\n' >"$project/notes.txt"
mounted
synced
mkdir "$work/kept"

# saved FILE...: sync, and keep a copy of each aside under the moment's name.
saved() {
	local file before=$moment
	synced
	[ "$moment" != "$before" ] || fail "a save of $1 is a moment"
	for file; do
		mkdir -p "$work/kept/$moment/$(dirname "$file")"
		cp -p "$project/$file" "$work/kept/$moment/$file"
	done
}

cd "$project" || exit 1

# Truncating in place, and over an existing name.
random_file "$work/a" 300000
random_file "$work/b" 310000
cp "$work/a" art/plain.bin
saved art/plain.bin
cp "$work/b" art/plain.bin
saved art/plain.bin
cp "$work/a" art/plain.bin
saved art/plain.bin
cp "$work/b" art/plain.tmp && mv art/plain.tmp art/plain.bin
saved art/plain.bin
# Nothing but the attributes: a row, but no version of the content.
chmod 600 art/plain.bin
saved art/plain.bin
printf 'more' >>art/plain.bin
saved art/plain.bin
truncate -s 1000 art/plain.bin
saved art/plain.bin

# ImageMagick writes in place; mogrify through a temporary name.
convert -size 160x120 gradient:navy-orange hero.png
saved hero.png
convert hero.png -fill red -draw 'circle 60,60 60,90' hero.png
saved hero.png
mogrify -rotate 90 hero.png
saved hero.png
cp hero.png art/hero-copy.png
saved art/hero-copy.png

# vim renames the old file away, or writes in place.
"$vim" -u NONE -es -c 'set backupcopy=no backup writebackup' \
	-c 'normal Gosecond' -c wq notes.txt
saved notes.txt
"$vim" -u NONE -es -c 'set backupcopy=yes nobackup' \
	-c 'normal Gothird' -c wq notes.txt
saved notes.txt

# A zip archive, as KRA and ORA are, rewritten through a temporary file.
zip -q art/picture.kra hero.png
saved art/picture.kra
zip -q art/picture.kra notes.txt
saved art/picture.kra

# rsync: temporary and rename; then in place, a small change in a big file.
mkdir "$work/from"
random_file "$work/from/scan.tif" 2000000
rsync -a "$work/from/" art/
saved art/scan.tif
printf 'changed' | dd of="$work/from/scan.tif" bs=1 seek=999990 \
	conv=notrunc status=none
rsync -a --inplace --no-whole-file --checksum "$work/from/" art/
saved art/scan.tif

# A database, in place, with a journal beside it.
sqlite3 art/brushes.sqlite 'create table b (name); insert into b values ("a")'
saved art/brushes.sqlite
sqlite3 art/brushes.sqlite 'insert into b values ("oil"), ("ink")'
saved art/brushes.sqlite

# A shared mapping: no write() is ever made.
random_file art/mapped.bin 500000
saved art/mapped.bin
python3 -c '
import mmap, sys
with open(sys.argv[1], "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[123456:123466] = b"0123456789"
' art/mapped.bin
saved art/mapped.bin

# A rename, and a file that goes away.
mv art/hero-copy.png art/hero-2.png
saved art/hero-2.png
rm art/hero-2.png
synced
isnt "what was deleted is not there any more" \
	test -e ".history/$moment/art/hero-2.png"

# Unfinished: no version, until it is finished.
exec 9>slow.bin
head -c 100000 "$work/a" >&9
synced
isnt "an unfinished copy is in no moment" test -e ".history/latest/slow.bin"
isnt "an unfinished copy has no timeline" test -e ".timeline/slow.bin"
tail -c +100001 "$work/a" >&9
exec 9>&-
saved slow.bin
is "once finished it has one version" \
	test "$(timeline slow.bin | wc -l)" -eq 1
is "and that is whole" cmp "$work/a" ".history/$moment/slow.bin"

# ---- what must hold of all of it ----

bad=0 n=0
while IFS= read -r -d '' kept; do
	relative=${kept#"$work/kept/"}
	n=$((n + 1))
	cmp "$kept" ".history/$relative" || bad=$((bad + 1))
done < <(find "$work/kept" -type f -print0)
equal "every one of $n old versions is bit-exact" $bad 0

distinct() {
	equal "$1 has $2 distinct versions" "$(timeline "$1" | wc -l)" "$2"
}
distinct art/plain.bin 6
distinct hero.png 3
distinct notes.txt 3
distinct art/picture.kra 2
distinct art/scan.tif 2
distinct art/brushes.sqlite 2
distinct art/mapped.bin 2

is "a timeline's entries are the versions" bash -c '
	for f in .timeline/art/plain.bin/2*; do sha256sum <"$f"; done |
		uniq | wc -l | grep -qx 6'
is "@timeline.txt is there" grep -q . .timeline/art/plain.bin/@timeline.txt
is "@timeline.json is an array of the versions" python3 -c '
import json
rows = json.load(open(".timeline/art/plain.bin/@timeline.json"))
assert len(rows) == 6, rows
for row in rows:
    assert set(row) >= {"file", "moment", "time", "size", "digest"}, row
'

temporary=$(find .history/2*/ \( -name '*.tmp' -o -name '.*.sw?' \
	-o -name '.goutputstream*' -o -name '*-journal' -o -name 'zi??????' \
	-o -name '.scan.tif.*' -o -name 4913 \))
equal "temporary names have no versions" "$temporary" ""

digest=$(getfattr --only-values -n user.artvault.digest \
	".history/$moment/art/scan.tif" 2>/dev/null)
if command -v xxhsum >/dev/null; then
	equal "the digest is what xxhsum says" "$digest" \
		"$(xxhsum -q -H128 art/scan.tif | awk '{ print $1 }')"
fi

cd / || exit 1
is "unmounting" av unmount "$project"
is "the vault is whole" av check --data -C "$project"
finish
