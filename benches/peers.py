#!/usr/bin/env python3
"""Measures aofkit against its peers in interleaved pairs, checks the answers, and prints a Markdown table.

    benches/peers.py AOFKIT [--servers target/servers] [--log LOG] [--rounds 5] [--row PART_OF_A_NAME ...]
                     [--growth | --growth-large] [--size BYTES] [--work DIR] [--keep] [--update docs/performance.md]

Without --log, redis-benchmark writes one: the default tests of its kind at the same time, each with as many commands,
1.15 GB in all; without redis-benchmark, `aofkit generate` does. In each round, aofkit and its peer run one after the
other, as whole processes, with files in memory. The ratio is the median of the rounds; the ratio of processor time (user
and system, the least of all rounds) is printed beside it, because on a busy machine nothing else is significant. A row
whose answer is wrong, or whose peer's answer is another one, fails, and so does the script.

--growth compares the processor time of a command in logs of 100 MB and 1 GB; --growth-large, of 8 GB as well. --update
replaces the measurements in the page between its two comments `peers.py`.

Needs Linux, Python 3.9, a server of Redis 7.0, redis-check-aof, redis-check-rdb, redis-cli, pigz, zstd and unzip, and free
space for six times the log in --work (by default a directory next to LOG, or in TMPDIR). A row whose peer is missing is
skipped, and said to be. Servers listen on a socket in that directory only.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

TESTS = "set incr lpush rpush lpop rpop sadd hset spop zadd zpopmin mset".split()
# What redis-benchmark writes for the commands of one round of all tests, measured.
BYTES_OF_ALL_TESTS = 810


class Wrong(Exception):
    """An answer is wrong."""


class Missing(Exception):
    """A peer is not installed."""


class Cost:
    """What a process cost: seconds of wall clock and of processors, and bytes of memory of its own."""

    def __init__(self, wall, cpu, memory=0):
        self.wall, self.cpu, self.memory = wall, cpu, memory


def anonymous_bytes(pid):
    try:
        with open(f"/proc/{pid}/status") as status:
            found = re.search(r"^RssAnon:\s*(\d+) kB", status.read(), re.M)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def run(args, stdout=subprocess.DEVNULL, allowed=(0,), sample=False, shell=False):
    """Runs a program to its end and returns its cost. Its children count as well."""
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        child = subprocess.Popen(args, stdout=stdout, stderr=errors, stdin=subprocess.DEVNULL, shell=shell)
        peak = 0
        while sample:
            peak = max(peak, anonymous_bytes(child.pid))
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            time.sleep(0.01)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in allowed:
            errors.seek(0)
            raise Wrong(f"{args}: exit code {child.returncode}: {errors.read()[-2000:].decode(errors='replace')}")
        return Cost(wall, usage.ru_utime + usage.ru_stime, peak)


def output(args, allowed=(0,)):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode not in allowed:
        raise Wrong(f"{args}: exit code {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
    return done.stdout


def sha256(stream):
    found = hashlib.sha256()
    while chunk := stream.read(1 << 20):
        found.update(chunk)
    return found.hexdigest()


def file_sha256(path, ranges=None):
    """The hash of a file, or of ranges of it, each from its first byte to before its last."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for start, end in ranges or [(0, os.path.getsize(path))]:
            file.seek(start)
            while start < end and (chunk := file.read(min(1 << 20, end - start))):
                found.update(chunk)
                start += len(chunk)
    return found.hexdigest()


def program(name):
    found = shutil.which(name)
    if not found:
        raise Missing(name)
    return found


def expect(what, found, wanted):
    if found != wanted:
        raise Wrong(f"{what}: {found!r}, and {wanted!r} is right")


class Server:
    """A server on a socket in a directory of its own."""

    def __init__(self, binary, work, *options):
        self.directory = tempfile.mkdtemp(dir=work)
        self.socket = os.path.join(self.directory, "s")
        self.log = open(os.path.join(self.directory, "log"), "wb")
        self.args = [binary, "--port", "0", "--unixsocket", self.socket, "--dir", self.directory, "--save", "",
                     "--appendfsync", "no", "--loglevel", "warning", "--enable-debug-command", "local", *options]

    def start(self):
        self.process = subprocess.Popen(self.args, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        while not self.is_loaded():
            if self.process.poll() is not None:
                with open(self.log.name, errors="replace") as log:
                    raise Wrong(f"the server stopped: {log.read()[-2000:]}")
            time.sleep(0.02)
        return self

    def call(self, *args):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.socket)
            parts = [arg.encode() for arg in args]
            client.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            replies = client.makefile("rb")
            line = replies.readline()
            if line[:1] == b"$":
                return replies.read(int(line[1:])).decode()
            if line[:1] == b"-":
                raise Wrong(f"{args}: {line.decode()}")
            return line[1:-2].decode()

    def info(self, section):
        return dict(line.split(":", 1) for line in self.call("INFO", section).splitlines() if ":" in line)

    def is_loaded(self):
        try:
            return self.info("persistence").get("loading") == "0"
        except (OSError, ValueError, Wrong):
            return False

    def rewrite(self):
        self.call("BGREWRITEAOF")
        while True:
            info = self.info("persistence")
            if info["aof_rewrite_in_progress"] + info["aof_rewrite_scheduled"] == "00":
                expect("the status of the server's rewrite", info["aof_last_bgrewrite_status"], "ok")
                return
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Bench:
    """The inputs, and the rows of the table."""

    def __init__(self, options):
        self.aofkit = os.path.realpath(options.aofkit)
        self.options = options
        near = os.path.dirname(os.path.realpath(options.log)) if options.log else None
        self.work = tempfile.mkdtemp(prefix="aofkit-peers.", dir=options.work or near)
        server = os.path.abspath(os.path.join(options.servers, "redis-7.0", "redis-server"))
        self.server = server if os.path.exists(server) else shutil.which("redis-server")
        self.made = {}

    def path(self, name):
        return os.path.join(self.work, name)

    def own(self, *args, **more):
        return run([self.aofkit, *args], **more)

    def report(self, *args, allowed=(0,)):
        return json.loads(output([self.aofkit, *args, "--json"], allowed))

    # Inputs. Each is made once, when it is first needed.

    def input(self, name):
        if name not in self.made:
            self.made[name] = getattr(self, "make_" + name)()
        return self.made[name]

    def make_log(self):
        if self.options.log:
            return os.path.realpath(self.options.log)
        if not (self.server and shutil.which("redis-benchmark")):
            return self.make_synthetic()
        server = Server(self.server, self.work, "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0",
                        "--aof-use-rdb-preamble", "no").start()
        try:
            times = str(max(1000, self.options.size // BYTES_OF_ALL_TESTS))
            args = ["redis-benchmark", "-s", server.socket, "-n", times, "-r", "1000000", "-P", "64", "-c", "10", "-q", "-t"]
            tests = [subprocess.Popen([*args, test], stdout=subprocess.DEVNULL) for test in TESTS]
            for test in tests:
                expect("redis-benchmark's exit code", test.wait(), 0)
            written = os.path.join(server.directory, "appendonlydir", "appendonly.aof.1.incr.aof")
            os.rename(written, self.path("log.aof"))
        finally:
            server.stop()
        return self.path("log.aof")

    def make_synthetic(self):
        path = self.path("synthetic.aof")
        self.own("generate", "--size", f"{self.options.size}b", "--keys", "2000000", "--output", path)
        return path

    def make_rewritten(self):
        path = self.path("rewritten.aof")
        self.own("compact", self.input("synthetic"), "--format", "aof", "--no-check", "--output", path)
        return path

    def make_rdb(self):
        path = self.path("dump.rdb")
        self.own("compact", self.input("log"), "--format", "rdb", "--no-check", "--output", path)
        return path

    def make_flushed(self):
        path = self.path("flushed.aof")
        shutil.copyfile(self.input("log"), path)
        with open(path, "ab") as log:
            log.write(b"*1\r\n$8\r\nFLUSHALL\r\n")
        return path

    def make_damaged(self):
        """A log with noise in the middle of one command, and the range of the bytes that are then no command."""
        log, path = self.input("log"), self.path("damaged.aof")
        shutil.copyfile(log, path)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(log) // 2)
            around = file.read(1 << 20)
            # Two neighbouring frames of SET, as redis-benchmark and `generate` write them.
            starts = [found.start() for found in re.finditer(rb"(?<=\r\n)\*\d+\r\n\$\d+\r\n[A-Za-z]+\r\n", around)]
            start, end = (os.path.getsize(log) // 2 + at for at in starts[10:12])
            file.seek(start)
            file.write(b"?" * 6)
        return path, (start, end)

    def commands(self):
        if "commands" not in self.made:
            self.made["commands"] = self.report("verify", self.input("log"))["logs"][0]["commands"]
        return self.made["commands"]

    # Rows: what is compared, and how an answer is known to be right.

    def rows(self):
        yield Row("verify", "`verify` of a log", "redis-check-aof", 30, self.verify, self.redis_check_aof)
        yield Row("scan", "`verify` of a log", "a bare scan of its structure, two threads", 1.15, self.verify_again, self.bare_scan, takes=True)
        yield Row("verify-rdb", "`verify` of an RDB", "redis-check-rdb", 8, self.verify_rdb, self.redis_check_rdb)
        yield Row("check-aof", "`check-aof`", "redis-check-aof", 30, self.check_aof, self.redis_check_aof)
        yield Row("compact", "`compact --no-check`, as commands", "redis-server 7.0: load, BGREWRITEAOF", 22, self.compact_unchecked, self.server_rewrite, memory=0.2)
        yield Row("compact-check", "`compact`, as commands, read back", "the same", 18, self.compact, self.server_rewrite, memory=0.2)
        yield Row("compress", "`compress` of a rewritten log, read back", "`pigz -p2 -6`", 1.5, lambda: self.compress("rewritten"), lambda: self.pigz("rewritten"), size=1.0)
        yield Row("compress-synthetic", "`compress` of a synthetic log, read back", "`pigz -p2 -6`", 1.5, lambda: self.compress("synthetic"), lambda: self.pigz("synthetic"), size=1.0)
        yield Row("compress-level", "`compress --level 2 --no-check`", "`pigz -p2 -1`", None, lambda: self.compress("synthetic", "--level", "2", "--no-check"), lambda: self.pigz("synthetic", "-1"))
        yield Row("compress-zstd", "`compress --method zstd --no-check`", "`zstd -T2 -3`", None, lambda: self.compress("synthetic", "--method", "zstd", "--no-check"), self.zstd)
        yield Row("verify-zip", "`verify` of a zip", "`unzip -t`", None, lambda: self.own("verify", self.input("zip")), lambda: run([program("unzip"), "-tqq", self.input("zip")]))
        yield Row("recover", "`recover`, report only", "dd", 12, self.recover, lambda: self.dd("flushed"), takes=True)
        yield Row("digest", "`digest`", "dd", 14, self.digest, lambda: self.dd("log"), takes=True)
        yield Row("log", "`log` to a pipe", "dd to the same", 8, self.log_to_pipe, self.dd_to_pipe, takes=True)
        yield Row("salvage", "`repair --salvage`", "verify", 3, lambda: self.salvage(), self.verify_damaged, takes=True)
        yield Row("salvage-no-replay", "`repair --salvage --no-replay`", "verify", 3, lambda: self.salvage("--no-replay"), self.verify_damaged, takes=True)

    def verify(self):
        return self.own("verify", self.input("log"))

    def verify_again(self):
        self.commands()
        return self.verify()

    def bare_scan(self):
        found = self.report("bench", self.input("log"), "--rounds", "1")
        expect("the commands of the scan", found["commands"], self.commands())
        scans = [it for it in found["scans"] if (it["reader"], it["checks"], it["mapping"]) == ("parallel", "none", "cold")]
        return Cost(scans[0]["min_s"], 0)

    def redis_check_aof(self):
        return run([program("redis-check-aof"), self.input("log")])

    def check_aof(self):
        log = self.input("log")
        if "check-aof" not in self.made:
            ours, theirs = output([self.aofkit, "check-aof", log]), output([program("redis-check-aof"), log])
            expect("the output of check-aof", ours, theirs)
            self.made["check-aof"] = True
        return self.own("check-aof", log)

    def verify_rdb(self):
        rdb = self.input("rdb")
        if "rdb-keys" not in self.made:
            said = output([program("redis-check-rdb"), rdb]).decode()
            keys = int(re.search(r"\[info\] (\d+) keys read", said)[1])
            expect("the keys of the RDB", self.report("verify", rdb)["logs"][0]["rdb_keys"], keys)
            self.made["rdb-keys"] = keys
        return self.own("verify", rdb)

    def redis_check_rdb(self):
        return run([program("redis-check-rdb"), self.input("rdb")])

    def compact(self, *more):
        out = self.path("compacted.aof")
        if os.path.exists(out):
            os.remove(out)
        cost = self.own("compact", self.input("log"), "--format", "aof", "--output", out, *more, sample=True)
        if "compacted" not in self.made:
            self.made["compacted"] = self.report("digest", out)["digest"]
        self.check_digest()
        return cost

    def compact_unchecked(self):
        return self.compact("--no-check")

    def check_digest(self):
        """The digests of what was compacted and of the server's data set, once both are known."""
        if {"compacted", "served"} <= self.made.keys():
            expect("the digest of the compacted log", self.made["compacted"], self.made["served"])

    def server_rewrite(self):
        if not self.server:
            raise Missing("redis-server")
        server = Server(self.server, self.work, "--appendonly", "yes")
        # It moves the log into a directory of its own, and never writes to it.
        os.link(self.input("log"), os.path.join(server.directory, "appendonly.aof"))
        start = time.perf_counter()
        try:
            server.start()
            server.rewrite()
            wall = time.perf_counter() - start
            cpu = sum(float(value) for name, value in server.info("cpu").items()
                      if name in ("used_cpu_sys", "used_cpu_user", "used_cpu_sys_children", "used_cpu_user_children"))
            memory = int(server.info("memory")["used_memory_rss"])
            if "served" not in self.made:
                self.made["served"] = server.call("DEBUG", "DIGEST")
            self.check_digest()
            return Cost(wall, cpu, memory)
        finally:
            server.stop()

    def make_zip(self):
        path = self.path("kept.zip")
        self.own("compress", self.input("synthetic"), "--no-check", "--output", path)
        return path

    def zstd(self):
        with open(self.path("log.zst"), "wb") as out:
            return run([program("zstd"), "-q", "-T2", "-3", "-c", self.input("synthetic")], stdout=out)

    def compress(self, name, *more):
        log, out = self.input(name), self.path("log.zip")
        if os.path.exists(out):
            os.remove(out)
        cost = self.own("compress", log, "--output", out, *more, sample=True)
        if not more:
            self.made[name, "bytes"] = os.path.getsize(out)
        # Not every Python and unzip reads Zstandard.
        if (name, "checked", more) not in self.made and "zstd" not in more:
            wanted = file_sha256(log)
            with zipfile.ZipFile(out) as archive, archive.open("appendonly.aof") as entry:
                expect("what Python unpacks", sha256(entry), wanted)
            with subprocess.Popen([program("unzip"), "-p", out, "appendonly.aof"], stdout=subprocess.PIPE) as unzip:
                expect("what unzip unpacks", sha256(unzip.stdout), wanted)
            self.made[name, "checked", more] = True
        return cost

    def pigz(self, name, level="-6"):
        pigz = program("pigz")
        with open(self.path("log.gz"), "wb") as out:
            cost = run([pigz, "-p2", level, "-c", self.input(name)], stdout=out)
            if level == "-6":
                self.made[name, "peer"] = out.seek(0, os.SEEK_END)
        return cost

    def recover(self):
        flushed = self.input("flushed")
        if "events" not in self.made:
            found = self.report("recover", flushed, allowed=(0, 1))
            expect("whether FLUSHALL is found", found["answer"], "yes")
            self.made["events"] = True
        return self.own("recover", flushed, allowed=(0, 1))

    def digest(self):
        log = self.input("log")
        if "digest" not in self.made:
            self.made["digest"] = self.report("digest", log)["digest"]
            if self.server:
                self.server_rewrite()
                expect("the digest of the log", self.made["digest"], self.made["served"])
        return self.own("digest", log)

    def dd(self, name):
        return run(["dd", "if=" + self.input(name), "of=/dev/null", "bs=1M", "status=none"])

    def log_to_pipe(self):
        log = self.input("log")
        if "lines" not in self.made:
            with subprocess.Popen([self.aofkit, "log", log], stdout=subprocess.PIPE) as shown:
                self.made["lines"] = sum(chunk.count(b"\n") for chunk in iter(lambda: shown.stdout.read(1 << 20), b""))
            expect("the lines of `log`", self.made["lines"], self.commands())
        return run('"$AOFKIT" log "$LOG" | cat >/dev/null', shell=True)

    def dd_to_pipe(self):
        return run('dd if="$LOG" bs=1M status=none | cat >/dev/null', shell=True)

    def verify_damaged(self):
        return self.own("verify", self.input("damaged")[0], allowed=(0, 1))

    def salvage(self, *more):
        (damaged, (start, end)), out = self.input("damaged"), self.path("repaired.aof")
        if os.path.exists(out):
            os.remove(out)
        cost = self.own("repair", damaged, "--salvage", "--output", out, *more, sample=True)
        if "intact" not in self.made:
            self.made["intact"] = file_sha256(damaged, [(0, start), (end, os.path.getsize(damaged))])
        if ("salvaged", more) not in self.made:
            expect("what is salvaged", file_sha256(out), self.made["intact"])
            self.made["salvaged", more] = True
        return cost

    def close(self):
        if not self.options.keep:
            shutil.rmtree(self.work, ignore_errors=True)


class Row:
    """A comparison. Its ratio is how many times as fast aofkit is, or how many times as long it takes."""

    def __init__(self, name, what, against, goal, ours, peer, takes=False, size=None, memory=None):
        self.name, self.what, self.against, self.goal = name, what, against, goal
        self.ours, self.peer, self.takes, self.size, self.memory = ours, peer, takes, size, memory

    def measure(self, bench, rounds):
        pairs = [(self.ours(), self.peer()) for _ in range(rounds)]
        ratios = [ours.wall / peer.wall if self.takes else peer.wall / ours.wall for ours, peer in pairs]
        ratio = statistics.median(ratios)
        least = [min(pair[side].cpu for pair in pairs) for side in (0, 1)]
        cpu = None if not all(least) else least[0] / least[1] if self.takes else least[1] / least[0]
        met = self.goal is None or (ratio <= self.goal if self.takes else ratio >= self.goal)
        more = []
        if self.size is not None:
            name = self.name.split("-")[-1].replace("compress", "rewritten")
            size = bench.made[name, "bytes"] / bench.made[name, "peer"]
            met &= size <= self.size
            more.append(f"{size:.3f} of the size")
        if self.memory is not None:
            memory = statistics.median(ours.memory / peer.memory for ours, peer in pairs)
            met &= memory <= self.memory
            more.append(f"{memory:.2f} of the memory")
        said = f"takes {ratio:.2f} times as long" if self.takes else f"{ratio:.2f} times as fast"
        said = ", ".join([said, *more])
        goal = "" if self.goal is None else f"{'at most' if self.takes else 'at least'} {self.goal}"
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        return f"| {self.what} | {self.against} | {said} | {spread} | {'' if cpu is None else f'{cpu:.2f}'} | {goal} | {'' if not goal else 'yes' if met else 'no'} |"


def versions(bench):
    """The machine, and the versions of the peers."""
    with open("/proc/cpuinfo") as cpuinfo:
        model = re.search(r"^model name\s*: (.*)", cpuinfo.read(), re.M)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    lines = [f"{len(os.sched_getaffinity(0))} cores of {model[1] if model else os.uname().machine}, {memory:.0f} GiB, "
             f"Linux {os.uname().release}, load {os.getloadavg()[0]:.1f} at the start"]
    for name in (bench.aofkit, bench.server or "redis-server", "redis-check-aof", "pigz", "dd"):
        # The checkers are the server under another name, and have no option for their version.
        as_name = "redis-server" if name == "redis-check-aof" else name
        shown = os.path.basename(name)
        try:
            done = subprocess.run([as_name, "--version"], executable=shutil.which(name) or name, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            said = done.stdout.decode(errors="replace").strip().splitlines()
            said = re.sub(r" (sha|malloc|bits|build)=.*", "", said[0]) if said else "unknown version"
        except OSError:
            said = "not installed"
        lines.append(f"{shown}: {said}")
    return lines


def growth(bench, sizes):
    """The processor time of a command in logs of several sizes, as a multiple of that in the first."""
    jobs = {
        "`verify`": lambda log: ["verify", log],
        "`check-aof`": lambda log: ["check-aof", log],
        "`log`": lambda log: ["log", log],
        "`digest`": lambda log: ["digest", log],
        "`compact --no-check`": lambda log: ["compact", log, "--format", "aof", "--no-check", "--output", bench.path("grown")],
    }
    costs = {job: [] for job in jobs}
    for size in sizes:
        log = bench.path(f"growth-{size}.aof")
        bench.own("generate", "--size", f"{size}b", "--keys", str(size // 500), "--output", log)
        commands = bench.report("verify", log)["logs"][0]["commands"]
        for job, args in jobs.items():
            best = None
            for _ in range(bench.options.rounds):
                if os.path.exists(bench.path("grown")):
                    os.remove(bench.path("grown"))
                cost = bench.own(*args(log)).cpu
                best = cost if best is None else min(best, cost)
            costs[job].append(best / commands)
        os.remove(log)
    names = [f"{size // 10**6} MB" if size < 10**9 else f"{size // 10**9} GB" for size in sizes]
    lines = ["| cost of a command | " + " | ".join(names) + " | at most 1.15 |", "|---|" + "---|" * (len(sizes) + 1)]
    for job, found in costs.items():
        ratios = [cost / found[0] for cost in found]
        met = "yes" if max(ratios) <= 1.15 else "no"
        lines.append(f"| {job} | " + " | ".join(f"{ratio:.2f}" for ratio in ratios) + f" | {met} |")
    return lines


BEGIN, END = "<!-- peers.py: begin -->", "<!-- peers.py: end -->"


def update(page, lines):
    with open(page) as file:
        text = file.read()
    if BEGIN not in text or END not in text:
        sys.exit(f"error: {page} has no comments `{BEGIN}` and `{END}`")
    before, rest = text.split(BEGIN, 1)
    text = before + BEGIN + "\n\n" + "\n".join(lines) + "\n\n" + END + rest.split(END, 1)[1]
    with open(page, "w") as file:
        file.write(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("aofkit")
    parser.add_argument("--servers", default="target/servers")
    parser.add_argument("--log")
    parser.add_argument("--size", type=int, default=1_150_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--row", action="append", default=[])
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--growth-large", action="store_true")
    parser.add_argument("--work")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--update")
    options = parser.parse_args()
    bench = Bench(options)
    lines, failed = [], False

    def say(line):
        lines.append(line)
        print(line, flush=True)

    try:
        for line in versions(bench):
            say(f"- {line}")
        say("")
        rows = [row for row in bench.rows() if not options.row or any(part in row.name for part in options.row)]
        if rows:
            os.environ.update(AOFKIT=bench.aofkit, LOG=bench.input("log"))
            say(f"The log has {os.path.getsize(bench.input('log')):,} bytes and {bench.commands():,} commands.")
            say("")
            say("| what | against | ratio | from, to | processor time | goal | met |")
            say("|---|---|---|---|---|---|---|")
        for row in rows:
            try:
                say(row.measure(bench, options.rounds))
            except Missing as name:
                say(f"| {row.what} | {row.against} | not measured: {name} is not installed | | | | |")
            except Wrong as what:
                failed = True
                say(f"| {row.what} | {row.against} | WRONG: {str(what)[:500]} | | | | no |")
        if options.growth or options.growth_large:
            say("")
            sizes = [10**8, 10**9] + ([8 * 10**9] if options.growth_large else [])
            for line in growth(bench, sizes):
                say(line)
    finally:
        bench.close()
    if options.update and not failed:
        update(options.update, lines)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
