"""Measures two daemons with the same work, round by round, and prints what came out."""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from statistics import median

import floors
import sides

# Figures where ours is to be this many times better.
GOALS = {"launch": 10, "start": 10, "stop.force": 20, "exec": 10, "list.200": 40, "push.tree2000": 20,
         "exec.out": 8, "exec.in": 8, "mem.daemon.200-stopped": 10}
BIG = 256


class Bench:
    def __init__(self, options, pair, debian):
        self.options, self.pair, self.debian = options, pair, debian
        self.figures = {}
        self.units = {}
        self.rounds = options.rounds or (3 if options.quick else 10)
        self.turn = 0

    def wanted(self, name):
        return not self.options.only or self.options.only in name

    def record(self, side, name, unit, value):
        if self.wanted(name):
            self.figures.setdefault(name, {}).setdefault(side.name, []).append(value)
            self.units[name] = unit

    def each(self):
        """The sides in alternating order: neither is always first."""
        self.turn += 1
        return self.pair if self.turn % 2 else list(reversed(self.pair))

    def many(self, rounds, work):
        for _ in range(rounds):
            for side in self.each():
                work(side)

    def section(self, name):
        print(f"  {time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)

    # --- one container ---------------------------------------------------------------------------

    def lifecycle(self, side):
        note = lambda name, ms: self.record(side, name, "ms", ms)
        note("launch", side.run("launch", "busybox", "bench-l"))
        note("stop.force", side.run("stop", "--force", "bench-l"))
        note("start", side.run("start", "bench-l"))
        note("stop.clean", side.run("stop", "bench-l"))
        note("delete", side.run("delete", "bench-l"))
        note("init", side.run("init", "busybox", "bench-l"))
        side.run("delete", "bench-l")

    def api_lifecycle(self, side):
        connection = side.connect()
        for action, name in (("start", "api.start"), ("stop", "api.stop.force")):
            body = {"action": action, "timeout": 0 if action == "stop" else 30, "force": action == "stop"}
            begin = time.perf_counter()
            connection.operation("PUT", "/1.0/containers/bench-a/state", body)
            self.record(side, name, "ms", (time.perf_counter() - begin) * 1e3)
        connection.close()

    def exec_latency(self, side):
        self.record(side, "exec", "ms", side.run("exec", "bench-e", "--", "true"))
        connection = side.connect()
        begin = time.perf_counter()
        connection.operation("POST", "/1.0/containers/bench-e/exec", {"command": ["true"]})
        self.record(side, "api.exec", "ms", (time.perf_counter() - begin) * 1e3)
        connection.close()

    def exec_throughput(self, side):
        out = side.run("exec", "bench-e", "--", "dd", "if=/dev/zero", "bs=128k", f"count={BIG * 8}")
        self.record(side, "exec.out", "MiB/s", BIG / (out / 1e3))
        with open(self.big, "rb") as big:
            into = side.run("exec", "bench-e", "--", "dd", "of=/dev/null", "bs=128k", stdin=big)
        self.record(side, "exec.in", "MiB/s", BIG / (into / 1e3))

    def files(self, side):
        rate = lambda ms: BIG / (ms / 1e3)
        self.record(side, "push.256MiB", "MiB/s", rate(side.run("file", "push", self.big, "bench-e/root/big")))
        back = os.path.join(self.options.work, "fs", "back-" + side.name)
        self.record(side, "pull.256MiB", "MiB/s", rate(side.run("file", "pull", "bench-e/root/big", back)))
        os.remove(back)
        side.run("file", "delete", "bench-e/root/big")

    def trees(self, side):
        self.record(side, "push.tree2000", "ms", side.run("file", "push", "-r", self.tree, "bench-e/root/"))
        back = os.path.join(self.options.work, "fs", "tree-" + side.name)
        os.mkdir(back)
        self.record(side, "pull.tree2000", "ms", side.run("file", "pull", "-r", "bench-e/root/tree", back))
        subprocess.run(["rm", "-rf", back], check=True)
        side.run("exec", "bench-e", "--", "rm", "-rf", "/root/tree")

    def images(self, side):
        meta, squashfs = self.debian
        self.record(side, "import", "ms", side.run("image", "import", meta, squashfs, "--alias", "debian"))
        for again in ("first", "again"):
            self.record(side, f"create.debian.{again}", "ms", side.run("init", "debian", "bench-d"))
            self.record(side, "delete.debian", "ms", side.run("delete", "bench-d"))
        side.run("image", "delete", "debian")

    # --- many containers -------------------------------------------------------------------------

    def listing(self, label, rounds):
        for side in self.pair:
            side.run("list")
        self.many(rounds, lambda side: self.record(side, f"list.{label}", "ms", side.run("list")))
        seconds = 0.5 if self.options.quick else 2.0

        def rates(side):
            for url, name in (("/1.0", "api.1.0"), ("/1.0/containers?recursion=1", f"api.containers.{label}")):
                if url != "/1.0" or label == "0":
                    self.record(side, name, "req/s", floors.requests_per_second(side.socket, url, seconds))
        self.many(2 if self.options.quick else 4, rates)

    def memory(self, label):
        time.sleep(16)  # both give memory back some time after they used it
        for side in self.pair:
            self.record(side, f"mem.daemon.{label}", "MiB", pss(side.process.pid))

    def fill(self, side, prefix, count):
        connection = side.connect()
        for n in range(count):
            body = {"name": f"{prefix}{n}", "source": {"type": "image", "alias": "busybox"}}
            connection.operation("POST", "/1.0/containers", body)
        connection.close()

    def twenty(self):
        self.section("20 at once")
        for side in self.pair:
            self.fill(side, "bench-p", 20)
        names = [f"bench-p{n}" for n in range(20)]
        rounds = 1 if self.options.quick else 4

        def together(side, action):
            body = {"action": action, "timeout": 0 if action == "stop" else 60, "force": action == "stop"}
            def one(name):
                connection = side.connect()
                connection.operation("PUT", f"/1.0/containers/{name}/state", body)
                connection.close()
            threads = [threading.Thread(target=one, args=(name,)) for name in names]
            begin = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return (time.perf_counter() - begin) * 1e3

        for _ in range(rounds):
            for side in self.each():
                self.record(side, "start20.api", "ms", together(side, "start"))
                self.record(side, "stop20.api", "ms", together(side, "stop"))
        for side in self.each():
            self.record(side, "start20.command", "ms", side.run("start", *names))
        # One at a time is looked at, so that helpers can be told apart.
        self.listing("20-running", 3 if self.options.quick else 10)
        self.memory("20-running")
        for side in self.pair:
            count, memory = helpers(side)
            self.record(side, "helpers.per-container", "procs", count / 20)
            self.record(side, "mem.helpers.per-container", "MiB", memory / 20)
        for side in self.pair:
            side.run("stop", "--force", *names)
            side.run("delete", *names)

    def run(self):
        work = self.options.work
        self.big, self.tree = os.path.join(work, "fs", "big"), os.path.join(work, "fs", "tree")
        with open(self.big, "wb") as big:
            for _ in range(BIG):
                big.write(os.urandom(1 << 20))
        for n in range(2000):
            directory = os.path.join(self.tree, f"d{n % 40}")
            os.makedirs(directory, exist_ok=True)
            with open(os.path.join(directory, f"f{n}"), "w", encoding="ascii") as f:
                f.write(f"{n}\n" * 100)
        self.section("daemons")
        for side in self.pair:
            self.record(side, "daemon.start", "ms", side.start())
            side.initialise()
            side.run("image", "import", os.path.join(self.options.cache, "bench-busybox.tar.gz"), "--alias", "busybox")
            side.run("launch", "busybox", "bench-w")  # the first is never measured
            side.run("exec", "bench-w", "--", "true")
            side.run("delete", "--force", "bench-w")
        self.memory("0-stopped")
        self.section("list of 0")
        self.listing("0", self.rounds)
        self.section("life of a container")
        self.many(self.rounds, self.lifecycle)
        for side in self.pair:
            side.run("init", "busybox", "bench-a")
        self.many(self.rounds, self.api_lifecycle)
        for side in self.pair:
            side.run("delete", "--force", "bench-a")
            side.run("launch", "busybox", "bench-e")
        self.section("exec")
        self.many(self.rounds * 3, self.exec_latency)
        self.many(1 if self.options.quick else 3, self.exec_throughput)
        self.section("files")
        self.many(1 if self.options.quick else 3, self.files)
        self.many(1 if self.options.quick else 3, self.trees)
        for side in self.pair:
            side.run("delete", "--force", "bench-e")
        if self.debian:
            self.section("Debian image")
            self.many(1 if self.options.quick else 4, self.images)
        self.twenty()
        counts = [200] if self.options.quick else [200, 1000]
        have = 0
        for count in counts:
            self.section(f"{count} stopped")
            for side in self.pair:
                self.fill(side, f"bench-s{have}-", count - have)
            have = count
            self.listing(str(count), 3 if self.options.quick else 7)
            self.memory(f"{count}-stopped")
        self.section("floors")
        return self.report(floors.all_floors(work, self.rootfs(), self.debian, self.tree, self.big))

    def rootfs(self):
        path = os.path.join(self.options.work, "fs", "rootfs")
        os.makedirs(path)
        image = os.path.join(self.options.cache, "bench-busybox.tar.gz")
        subprocess.run(["tar", "-C", path, "--strip-components=1", "-xzf", image, "rootfs"], check=True)
        return path

    # --- the table -------------------------------------------------------------------------------

    def report(self, floor):
        rates = ("MiB/s", "req/s")
        print(f"\n{'figure':26} {'unit':6} {'peer':>9} {'ours':>9} {'better':>8} {'goal':>5} {'floor':>9}  (medians)")
        result = {}
        for name, by_side in self.figures.items():
            unit = self.units[name]
            value = {side: median(values) for side, values in by_side.items()}
            theirs, own = value.get("peer"), value.get("ours")
            factor = None
            if theirs and own:
                factor = own / theirs if unit in rates else theirs / own
            text = lambda v: f"{v:9.3g}" if v is not None and v < 100 else (f"{v:9.0f}" if v is not None else "        -")
            goal = GOALS.get(name)
            mark = "" if not (goal and factor) else (" reached" if factor >= goal else " to do")
            better = f"{factor:7.1f}x" if factor else "       -"
            print(f"{name:26} {unit:6} {text(theirs)} {text(own)} {better} {str(goal) + 'x' if goal else '':>5} {text(floor.get(name))} {mark}")
            result[name] = {"unit": unit, "floor": floor.get(name), "better": factor,
                            **{side: {"median": median(v), "values": v} for side, v in by_side.items()}}
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as f:
                json.dump(result, f, indent=1)


def pss(pid):
    """Proportional memory of a process in MiB."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def helpers(side):
    """How many processes on the host's side this daemon's containers need, and their memory."""
    own = os.readlink("/proc/self/ns/pid")
    count, memory = 0, 0.0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().replace(b"\0", b" ").decode(errors="replace")
            if os.readlink(f"/proc/{pid}/ns/pid") != own or int(pid) == side.process.pid:
                continue
            theirs = "[lxc monitor]" in words if side.name == "peer" else "lxd-keeper" in words
            if theirs and (side.name != "peer" or side.dir in words):
                count, memory = count + 1, memory + pss(pid)
        except (OSError, ValueError):
            continue
    return count, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, at most 200 containers (about 3 minutes)")
    parser.add_argument("--rounds", type=int, help="how often the short things are done")
    parser.add_argument("--only", metavar="WORD", help="print only figures with this in their name")
    parser.add_argument("--no-peer", action="store_true", help="measure only ours")
    parser.add_argument("--no-lxcfs", action="store_true", help="the peer without lxcfs")
    parser.add_argument("--json", metavar="FILE", help="also write all values there")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--cache", help=argparse.SUPPRESS)
    options = parser.parse_args()
    target = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(os.getcwd(), "target")), "release")
    pair = [sides.ours(options.work, target)]
    if options.no_peer:
        print("peer: left out, as asked for")
    else:
        peer, why = sides.peer(options.work, not options.no_lxcfs)
        print(f"peer: {why}" if peer else f"SKIP peer: {why}")
        if peer:
            pair.insert(0, peer)
    meta, squashfs = (os.path.join(options.cache, f"debian-12.{kind}") for kind in ("tar.xz", "squashfs"))
    debian = (meta, squashfs) if os.path.exists(squashfs) else None
    Bench(options, pair, debian).run()


if __name__ == "__main__":
    main()
