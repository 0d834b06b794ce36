#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scale.py ARTVAULT FOLDER [FOLDERS FILES MOMENTS] [--figures]

Makes a project of FOLDERS folders with FILES files each below FOLDER, mounts
it, lives through MOMENTS moments of random edits, creations, deletions and
renames, and then compares the past with a model of it: listings, contents,
timelines, and which moments each folder lists. With --figures it prints how
long things took and what the daemon holds; nothing is judged by time.
"""
import json
import os
import random
import subprocess
import sys
import time

args = [a for a in sys.argv[1:] if not a.startswith("--")]
figures = "--figures" in sys.argv
artvault, top = args[0], args[1]
n_folders, n_files, n_moments = map(int, args[2:5] or (40, 10, 60))
project = os.path.join(top, "project")
rng = random.Random(20261120)
wrong = 0


def run(*words):
    return subprocess.run([artvault, *words], check=True,
                          stdout=subprocess.PIPE).stdout


def complain(text):
    global wrong
    wrong += 1
    if wrong <= 20:
        print("FAILED:", text)


def figure(text, seconds, n=1):
    if figures:
        each = f"  ({seconds / n * 1e6:.0f} us each)" if n > 1 else ""
        print(f"{text:58s} {seconds * 1e3:10.1f} ms{each}")


class Clock:
    def __enter__(self):
        self.start = time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.start


class Model:
    """What every path held, and what every node has been."""

    def __init__(self):
        self.now = {}        # path -> (node, bytes)
        self.past = []       # one dict a moment
        self.nodes = {}      # node -> contents, one after the other
        self.touched = []    # one set of folders a moment
        self.n = 0

    def fresh(self):
        self.n += 1
        return self.n

    def data(self):
        return (f"{self.fresh()} " * rng.randrange(1, 300)).encode()

    def put(self, path, data, node=None):
        node = node if node is not None else self.fresh()
        self.now[path] = (node, data)
        self.nodes.setdefault(node, []).append(data)

    def moment(self, folders):
        self.past.append(dict(self.now))
        self.touched.append(folders)


def write(path, data):
    with open(os.path.join(project, path), "wb") as f:
        f.write(data)


def edit(model):
    """A few changes, each of another path."""
    folders = set()
    for path in rng.sample(sorted(model.now), min(5, len(model.now))):
        folder = os.path.dirname(path)
        node, _ = model.now[path]
        what = rng.random()
        if what < 0.7:
            data = model.data()
            write(path, data)
            model.put(path, data, node)
        elif what < 0.8:
            os.unlink(os.path.join(project, path))
            del model.now[path]
        elif what < 0.9:
            to = os.path.join(f"f{rng.randrange(n_folders):04d}",
                              f"moved{model.fresh()}.bin")
            os.rename(os.path.join(project, path), os.path.join(project, to))
            model.now[to] = model.now.pop(path)
            folders.add(os.path.dirname(to))
        else:
            to = os.path.join(folder, f"new{model.fresh()}.bin")
            data = model.data()
            write(to, data)
            model.put(to, data)
        folders.add(folder)
    return folders


def listing(state, folder):
    prefix = folder + "/"
    return sorted(p[len(prefix):] for p in state if p.startswith(prefix))


def check_moment(name, state):
    base = os.path.join(project, ".history", name)
    found = {}
    for folder, _, files in os.walk(base):
        for file in files:
            path = os.path.join(folder, file)
            with open(path, "rb") as f:
                found[os.path.relpath(path, base)] = f.read()
    if found != {p: data for p, (_, data) in state.items()}:
        complain(f"the tree of {name} differs: {len(found)} files, not "
                 f"{len(state)}")
    return len(found)


def daemon_memory():
    """VmRSS of whichever process of the mount holds most."""
    most = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read()
            if b"mount" in line and project.encode() in line:
                with open(f"/proc/{pid}/status") as f:
                    most = max([most] + [int(row.split()[1]) for row in f
                                         if row.startswith("VmRSS")])
        except OSError:
            pass
    return most


def main():
    model = Model()
    for i in range(n_folders):
        os.makedirs(os.path.join(project, f"f{i:04d}"))
        for j in range(n_files):
            data = model.data()
            model.put(f"f{i:04d}/{j}.bin", data)
            write(f"f{i:04d}/{j}.bin", data)

    with Clock() as c:
        run("mount", project)
    figure("mount", c.seconds)
    with Clock() as c:
        run("sync", project)
    figure(f"first capture of {n_folders * n_files:,} files", c.seconds,
           n_folders * n_files)
    model.moment({f"f{i:04d}" for i in range(n_folders)})

    with Clock() as c:
        for _ in range(n_moments):
            folders = edit(model)
            run("sync", project)
            model.moment(folders)
    figure(f"{n_moments:,} moments of 5 changes, each with sync", c.seconds,
           n_moments)

    with Clock() as c:
        log = json.loads(run("log", "--json", "-C", project))
    figure("log --json", c.seconds)
    names = sorted(m["moment"] for m in log)
    if len(names) != n_moments + 1:
        complain(f"{len(names)} moments, not {n_moments + 1}")
        return

    with Clock() as c:
        listed = [n for n in os.listdir(os.path.join(project, ".history"))
                  if n[0].isdigit()]
    figure(f"listing .history of {len(names):,} moments", c.seconds)
    if sorted(listed) != names:
        complain(f".history lists {len(listed)} moments")

    picks = [(rng.randrange(len(names)), rng.randrange(n_folders))
             for _ in range(400)]
    with Clock() as c:
        got = [os.listdir(os.path.join(project, ".history", names[at],
                                       f"f{i:04d}")) for at, i in picks]
    figure("listing 400 old folders", c.seconds, len(picks))
    for (at, i), found in zip(picks, got):
        if sorted(found) != listing(model.past[at], f"f{i:04d}"):
            complain(f"{names[at]}/f{i:04d} lists {found}")

    paths = []
    for at, _ in picks:
        path = rng.choice(sorted(model.past[at]))
        paths.append((os.path.join(project, ".history", names[at], path),
                      len(model.past[at][path][1])))
    with Clock() as c:
        for path, size in paths:
            if os.stat(path).st_size != size:
                complain(f"{path} has another size")
    figure("as-of lookup: stat of 400 old files", c.seconds, len(paths))

    for at in {0, len(names) // 2, len(names) - 1}:
        with Clock() as c:
            n = check_moment(names[at], model.past[at])
        figure(f"reading the whole tree of one moment ({n:,} files)",
               c.seconds, n)

    nodes = sorted(model.now.items(), key=lambda e: -len(model.nodes[e[1][0]]))
    sample = nodes[:20] + rng.sample(nodes, min(60, len(nodes)))
    n_versions = 0
    with Clock() as c:
        for path, (node, _) in sample:
            folder = os.path.join(project, ".timeline", path)
            got = []
            for name in sorted(os.listdir(folder)):
                if name.startswith("@"):
                    continue
                with open(os.path.join(folder, name), "rb") as f:
                    got.append(f.read())
            n_versions += len(got)
            if got != model.nodes[node]:
                complain(f"the timeline of {path} has {len(got)} versions, "
                         f"not {len(model.nodes[node])}")
    figure(f"{len(sample)} timelines, {n_versions} versions read", c.seconds,
           len(sample))

    for i in rng.sample(range(n_folders), min(40, n_folders)):
        folder = f"f{i:04d}"
        got = sorted(n for n in os.listdir(
            os.path.join(project, folder, ".history")) if n[0].isdigit())
        expected = [names[at] for at, t in enumerate(model.touched)
                    if folder in t]
        if got != expected:
            extra = [n for n in got if n not in set(expected)]
            lacks = [n for n in expected if n not in set(got)]
            complain(f"{folder}/.history lists {len(got)} moments, not "
                     f"{len(expected)} (too many {extra[:3]}, lacking "
                     f"{lacks[:3]})")

    # Any time means "as of then".
    times = [m["time"] for m in sorted(log, key=lambda m: m["moment"])]
    for at in rng.sample(range(len(times)), min(20, len(times))):
        path = os.path.join(project, ".history", times[at],
                            sorted(model.past[at])[0])
        with open(path, "rb") as f:
            if f.read() != model.past[at][sorted(model.past[at])[0]][1]:
                complain(f"{times[at]} is not as of then")

    if figures:
        print(f"{'memory of the daemon':58s} {daemon_memory() / 1024:10.1f} "
              "MB resident")
        status = json.loads(run("status", "--json", "-C", project))
        print(f"{'the vault':58s} {status['vault_bytes'] / 1e6:10.1f} MB for "
              f"{status['logical_bytes'] / 1e6:.1f} MB of versions")


try:
    main()
finally:
    subprocess.run([artvault, "unmount", project], check=False)
with Clock() as checked:
    if subprocess.run([artvault, "check", "--data", "-C", project],
                      check=False, stdout=subprocess.DEVNULL).returncode != 0:
        complain("the vault is not whole")
figure("check --data", checked.seconds)
if wrong:
    print(f"{wrong} claims do not hold")
sys.exit(1 if wrong else 0)
