#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""manifest.py [--links] FOLDER: all of a tree that a copy must keep.

One line for each entry: path, type, mode (without setuid and setgid), owner,
mtime, size and digest or target, xattrs. With --links, files that are one
inode are named together.
"""
import hashlib
import os
import stat
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}
XATTRS = (b"user.", b"system.posix_acl_")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def xattrs(path):
    names = [os.fsencode(n) for n in os.listxattr(path, follow_symlinks=False)]
    return {n.decode(): os.getxattr(path, n, follow_symlinks=False).hex()
            for n in sorted(names) if n.startswith(XATTRS)}


def main():
    links = "--links" in sys.argv
    top = os.fsencode(sys.argv[-1])
    inodes = {}
    lines = []
    for folder, dirs, files in os.walk(top):
        for name in [b"."] * (folder == top) + dirs + files:
            if folder == top and name in (b".artvault", b".history",
                                          b".timeline"):
                continue
            path = os.path.join(folder, name)
            shown = os.path.relpath(path, top)
            st = os.lstat(path)
            kind = KINDS.get(stat.S_IFMT(st.st_mode), "other")
            what = ""
            if kind == "file":
                what = f"{st.st_size} {digest(path)}"
                inodes.setdefault((st.st_dev, st.st_ino), []).append(shown)
            elif kind == "link":
                what = repr(os.readlink(path))
            mode = stat.S_IMODE(st.st_mode) & ~(stat.S_ISUID | stat.S_ISGID)
            lines.append(f"{shown!r} {kind} {mode:o} {st.st_uid}:{st.st_gid} "
                         f"{st.st_mtime_ns} {what} {xattrs(path)}")
        if folder == top:
            dirs[:] = [d for d in dirs if d not in
                       (b".artvault", b".history", b".timeline")]
    if links:
        lines += [f"one inode: {sorted(paths)!r}"
                  for paths in inodes.values() if len(paths) > 1]
    print("\n".join(sorted(lines)))


main()
