#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# A check that never complains is worth nothing: each must find what it is
# for, in a tree made up for the purpose.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
failures=0

fresh_tree() {
	rm -rf "$tree"/*
	mkdir -p scripts store/base versions diffimg fs tests
	cp -r "$root/scripts/lib" "$root"/scripts/check-* scripts/
	cp "$root/.clang-format" .
	touch store/base/span.h store/store.h versions/tree.h diffimg/image.h
}

# claim TEXT COMMAND...: the command fails.
refuses() {
	claim=$1
	shift
	if "$@" >out.txt 2>&1; then
		echo "not refused: $claim"
		failures=$((failures + 1))
	fi
}

accepts() {
	claim=$1
	shift
	if ! "$@" >out.txt 2>&1; then
		echo "refused: $claim"
		cat out.txt
		failures=$((failures + 1))
	fi
}

layers_accept() {
	fresh_tree
	echo "#include $2" >"$1"
	accepts "$2 in $1" scripts/check-layers
}

layers_refuse() {
	fresh_tree
	echo "#include $2" >"$1"
	refuses "$2 in $1" scripts/check-layers
}

layers_accept store/a.c '"store/base/span.h"'
layers_accept versions/a.c '"store/store.h"'
layers_accept diffimg/a.c '"store/base/span.h"'
layers_accept fs/a.c '"versions/tree.h"'
layers_accept fs/a.c '"diffimg/image.h"'
layers_accept store/index.c '<rocksdb/c.h>'
layers_accept store/codec.c '<zstd.h>'
layers_accept fs/a.h '<fuse3/fuse_lowlevel.h>'
layers_refuse store/base/a.c '"store/store.h"'
layers_refuse store/a.c '"versions/tree.h"'
layers_refuse versions/a.c '"diffimg/image.h"'
layers_refuse diffimg/a.c '"versions/tree.h"'
layers_refuse diffimg/a.c '"store/store.h"'
layers_refuse store/a.c '"base/span.h"'
layers_refuse store/a.c '"store/missing.h"'
layers_refuse store/a.c '<rocksdb/c.h>'
layers_refuse store/index.h '<rocksdb/c.h>'
layers_refuse versions/a.c '<zstd.h>'
layers_refuse store/put.c '<xxhash.h>'
layers_refuse versions/a.c '<fuse3/fuse.h>'
layers_refuse versions/a.c '<jansson.h>'
fresh_tree
touch store/same.c fs/same.c
refuses "two files of one name" scripts/check-layers

symbols() {
	fresh_tree
	mkdir -p build/store/CMakeFiles/vault_store.dir
	touch store/oil.h "store/$1"
	echo "$2" | gcc -fPIC -x c -c -o \
		"build/store/CMakeFiles/vault_store.dir/$1.o" -
	scripts/check-symbols build
}
accepts "a symbol of its file" symbols ink.c 'void vault_ink_dry(void) {}'
accepts "statics" symbols ink.c \
	'static void dry(void) {} void vault_ink(void) { dry(); }'
accepts "data that never changes" symbols ink.c \
	'static const char *const n[] = {"a"}; const char *vault_ink(int i);
	 const char *vault_ink(int i) { return n[i]; }'
accepts "a symbol of the header it is named after" symbols oil_paint.c \
	'void vault_oil(void) {}'
refuses "a symbol of no header" symbols ink_pen.c 'void vault_ink(void) {}'
refuses "a symbol of another file" symbols ink.c 'void vault_oil(void) {}'
refuses "a symbol without a prefix" symbols ink.c 'void dry(void) {}'
refuses "exported data that can change" symbols ink.c 'int vault_ink = 3;'
refuses "hidden data that can change" symbols ink.c \
	'static int n; int vault_ink(void) { return ++n; }'
fresh_tree
refuses "nothing built" scripts/check-symbols build

if command -v clang-format-14 >/dev/null; then
	fresh_tree
	rm store/base/span.h store/store.h versions/tree.h diffimg/image.h
	tag='/* SPDX-License-Identifier: Apache-2.0 */'
	printf '%s\nint vault_a(void);\n' "$tag" >store/a.h
	accepts "a file laid out right" scripts/check-format
	printf '%s\nint  vault_a( void );\n' "$tag" >store/a.h
	refuses "a file laid out wrong" scripts/check-format
	printf 'int vault_a(void);\n' >store/a.h
	refuses "a file without the licence" scripts/check-format
fi

cat >report.xml <<'XML'
<testsuite name="x" tests="4" failures="1" skipped="1">
	<testcase name="good" classname="good" time="0.1" status="run">
		<system-out>[ PASSED ] &lt;failure</system-out>
	</testcase>
	<testcase name="bad" classname="bad" time="0.1" status="fail">
		<failure message=""/>
		<system-out></system-out>
	</testcase>
	<testcase name="left" classname="left" time="0.1" status="notrun">
		<skipped message="SKIP_RETURN_CODE=77"/>
		<system-out></system-out>
	</testcase>
	<testcase name="gone" classname="gone" time="0" status="notrun">
		<skipped message="Unable to find executable"/>
		<system-out></system-out>
	</testcase>
</testsuite>
XML
line=$("$root/scripts/lib/tally" report.xml)
if [ "$line" != "1 passed, 2 failed, 1 skipped" ]; then
	echo "counted wrong: $line"
	failures=$((failures + 1))
fi
names=$("$root/scripts/lib/tally" --failed report.xml | tr '\n' ' ')
[ "$names" = "bad gone " ] || { echo "failed: $names"; failures=1; }

[ $failures -eq 0 ]
