#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sample.py FOLDER STEP: one sitting of work on a small art project.

Step 0 makes the project; each later step saves over some of its files the
way programs do (in place, or through a temporary file and a rename). The
pictures are drawn here, so the sample needs no files of anybody else.
"""
import math
import os
import struct
import sys
import zlib

SIZE = 256
LAST_STEP = 3


def png(pixels):
    """An RGB PNG of SIZE x SIZE from pixels(x, y) -> (r, g, b)."""
    rows = bytearray()
    for y in range(SIZE):
        rows.append(0)
        for x in range(SIZE):
            rows.extend(pixels(x, y))

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + \
            struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + \
        chunk(b"IDAT", zlib.compress(bytes(rows), 6)) + chunk(b"IEND", b"")


def sky(x, y):
    t = y / SIZE
    return int(40 + 160 * t), int(70 + 90 * t), int(150 - 40 * t)


def hero(step):
    """A dusk: a sun, then hills, then somebody's scarf; then all too red."""
    def pixels(x, y):
        r, g, b = sky(x, y)
        if math.hypot(x - 180, y - 90) < 36:
            r, g, b = 250, 210, 120
        if step >= 1 and y > 190 + 18 * math.sin(x / 23):
            r, g, b = 38, 52, 44
        if step >= 2 and abs(x - 90 - 12 * math.sin(y / 9)) < 7 and \
                120 < y < 200:
            r, g, b = 190, 30, 50
        if step >= 3:
            r, g, b = min(255, r + 110), g // 2, b // 2
        return r, g, b
    return png(pixels)


def stone(step):
    """Noise on a lattice, finer in the second version."""
    cell = 32 >> step

    def value(i, j):
        h = (i * 374761393 + j * 668265263) & 0xffffffff
        h = ((h ^ (h >> 13)) * 1274126177) & 0xffffffff
        return (h ^ (h >> 16)) & 0xff

    def pixels(x, y):
        v = 80 + value(x // cell, y // cell) // 3
        return v, v, v - 8
    return png(pixels)


def logo(color):
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
  <circle cx="32" cy="32" r="28" fill="{color}"/>
  <path d="M20 44 L32 16 L44 44 Z" fill="white"/>
</svg>
""".encode()


def cube(size):
    corners = [(x, y, z) for x in (0, size) for y in (0, size)
               for z in (0, size)]
    faces = [(1, 2, 4, 3), (5, 7, 8, 6), (1, 5, 6, 2),
             (3, 4, 8, 7), (1, 3, 7, 5), (2, 6, 8, 4)]
    lines = ["o crate"] + ["v %g %g %g" % c for c in corners] + \
        ["f %d %d %d %d" % f for f in faces]
    return ("\n".join(lines) + "\n").encode()


def save(folder, name, data, swap=False):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    target = path + ".tmp" if swap else path
    with open(target, "wb") as f:
        f.write(data)
    if swap:
        os.rename(target, path)


def main():
    folder, step = sys.argv[1], int(sys.argv[2])
    save(folder, "hero.png", hero(step), swap=step > 0)
    if step == 0:
        save(folder, "textures/stone.png", stone(0))
        save(folder, "logo.svg", logo("#336699"))
        save(folder, "models/crate.obj", cube(1))
        save(folder, "notes.txt", b"dusk, somebody on the hill\n")
    elif step == 1:
        save(folder, "textures/stone.png", stone(1))
        save(folder, "notes.txt", b"dusk, somebody on the hill\n"
             b"the hills are in; scarf next\n")
    elif step == 2:
        save(folder, "models/crate.obj", cube(1.5), swap=True)
        save(folder, "logo.svg", logo("#993333"))
    elif step == LAST_STEP:
        save(folder, "notes.txt", b"too red! get the last hero.png back\n")


if __name__ == "__main__":
    main()
