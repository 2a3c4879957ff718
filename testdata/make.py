#!/usr/bin/env python3
"""Creates the files in this directory with real servers, and records what the servers do with them.

    make.py               create all items
    make.py NAME...       create these items, and the damaged items derived from them
    make.py --observe     start each server on a copy of each item; write verdicts.json and the
                          tables of README.md

AOFKIT_REDIS_6_2, AOFKIT_REDIS_7_0, AOFKIT_REDIS_8_2 and AOFKIT_VALKEY_9_1 contain the paths of the
servers, and AOFKIT_REDIS_8_6 of one that makes an item and is observed only on that. Each server runs in a temporary directory of its own, listens only on a Unix socket, and is
stopped by the process that started it. Only the standard library is needed.

An item is a directory like a server's `dir`. A new run creates the same data but not the same
bytes: RDB headers contain the time and the memory in use, annotations contain the time, and a
rewrite iterates over hash tables in random order. All expiry times are in the year 2100, so that
the verdicts stay valid.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LINES = {
    "redis-6.2": "AOFKIT_REDIS_6_2",
    "redis-7.0": "AOFKIT_REDIS_7_0",
    "redis-8.2": "AOFKIT_REDIS_8_2",
    "valkey-9.1": "AOFKIT_VALKEY_9_1",
}
# Lines that make items and are observed on those alone.
MAKERS = {"redis-8.6": "AOFKIT_REDIS_8_6"}
MULTI_PART = ["redis-7.0", "redis-8.2", "valkey-9.1"]
TIMEOUT_S = 30
YEAR_2100_MS = 4102444800000


# ---------------------------------------------------------------------------------------------
# Servers


def binary(line):
    variable = {**LINES, **MAKERS}[line]
    path = os.environ.get(variable)
    if not path:
        sys.exit(f"{variable} must name the server binary of {line}")
    return path


def version(line):
    """Returns the version of the server, such as `7.0.15`."""
    text = subprocess.run([binary(line), "--version"], capture_output=True, text=True).stdout
    return re.search(r" v=(\S+)", text).group(1)


class ServerError(Exception):
    """An error reply."""


class Client:
    """A connection that sends one command at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_S)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __call__(self, *args):
        self.socket.sendall(frame(*args))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if int(rest) < 0:
            return None
        replies = []
        for _ in range(int(rest)):
            try:
                replies.append(self.reply())
            except ServerError as error:
                replies.append(error)
        return replies

    def info(self, section):
        lines = self("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)


class Ended(Exception):
    """A server that exited during its start."""

    def __init__(self, code, log):
        super().__init__(f"exit code {code}:\n{log}")
        self.code, self.log = code, log


class Server:
    """A running server on the data directory `data`."""

    def __init__(self, line, data, config):
        self.control = pathlib.Path(tempfile.mkdtemp(prefix="aofkit-"))
        args = {
            "port": "0",
            "unixsocket": str(self.control / "socket"),
            "dir": str(data),
            "daemonize": "no",
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "auto-aof-rewrite-percentage": "0",
        }
        if line != "redis-6.2":
            args["enable-debug-command"] = "yes"
        args.update(config)
        command = [binary(line)]
        for name, value in args.items():
            command += [f"--{name}", value]
        self.log_path = self.control / "log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.control
            )
        try:
            self.client = self.connect()
        except BaseException:
            self.kill()
            raise

    def connect(self):
        began = time.monotonic()
        while time.monotonic() - began < TIMEOUT_S:
            code = self.process.poll()
            if code is not None:
                raise Ended(code, self.log())
            with contextlib.suppress(OSError, ServerError):
                client = Client(self.control / "socket")
                if client("PING") == "PONG":
                    return client
            time.sleep(0.01)
        raise TimeoutError(f"not ready after {TIMEOUT_S} s:\n{self.log()}")

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self):
        """Stops the server with SHUTDOWN NOSAVE."""
        with contextlib.suppress(ConnectionError):
            self.client("SHUTDOWN", "NOSAVE")
        self.process.wait(TIMEOUT_S)
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.control, ignore_errors=True)

    def rewrite(self):
        """Runs BGREWRITEAOF and waits until it is finished and the server has deleted history files."""
        self.client("BGREWRITEAOF")
        self.wait(lambda info: info["aof_rewrite_in_progress"] == "0")
        assert self.client.info("persistence")["aof_last_bgrewrite_status"] == "ok", self.log()
        time.sleep(0.3)

    def wait(self, done):
        began = time.monotonic()
        while time.monotonic() - began < TIMEOUT_S:
            info = self.client.info("persistence")
            if info.get("aof_rewrite_scheduled") == "0" and done(info):
                return
            time.sleep(0.02)
        raise TimeoutError(self.log())


@contextlib.contextmanager
def running(line, data, **config):
    """Runs a server for a `with` block. Underscores in the names of `config` mean hyphens."""
    server = Server(line, data, {name.replace("_", "-"): value for name, value in config.items()})
    try:
        yield server
        server.stop()
    finally:
        server.kill()


# ---------------------------------------------------------------------------------------------
# RESP


def to_bytes(arg):
    return arg if isinstance(arg, bytes) else str(arg).encode()


def frame(*args):
    """Returns a command as a client sends it and a server logs it."""
    out = b"*%d\r\n" % len(args)
    for arg in map(to_bytes, args):
        out += b"$%d\r\n%s\r\n" % (len(arg), arg)
    return out


class Frame:
    """The position of a command in a log: `start`, `end`, and the header and text of each argument."""

    def __init__(self, log, start):
        self.start = start
        at = log.index(b"\r\n", start) + 2
        assert log[start : start + 1] == b"*", (start, log[start : start + 20])
        self.args, self.headers, self.texts = [], [], []
        for _ in range(int(log[start + 1 : at - 2])):
            text = log.index(b"\r\n", at) + 2
            end = text + int(log[at + 1 : text - 2])
            self.headers.append((at, text))
            self.texts.append((text, end))
            self.args.append(log[text:end])
            at = end + 2
        self.end = at


def frames(log):
    """Returns all commands of a log without a preamble. Annotations are skipped."""
    found, at = [], 0
    while at < len(log):
        if log[at : at + 1] == b"#":
            at = log.index(b"\n", at) + 1
            continue
        found.append(Frame(log, at))
        at = found[-1].end
    return found


def find(log, *args):
    """Returns the first command that begins with `args`."""
    wanted = [to_bytes(arg) for arg in args]
    return next(f for f in frames(log) if f.args[: len(wanted)] == wanted)


# ---------------------------------------------------------------------------------------------
# Data


USERS = [
    ("1001", "Ana Costa", "ana@example.org", "Lisboa"),
    ("1002", "Bjørn Dahl", "bjorn@example.org", "Tromsø"),
    ("1003", "Chidi Okafor", "chidi@example.org", "Lagos"),
    ("1004", "Dorota Nowak", "dorota@example.org", "Łódź"),
]
GOODS = [("4711", "teapot", 18), ("4712", "kettle", 7), ("4713", "mug", 120), ("4714", "tray", 3)]


def shop(client, tick=lambda: None):
    """Writes a small shop: users and sessions in db 0, stock, carts and orders in db 1, counters in db 2.

    `tick` is called between groups of commands, to let time pass.
    """
    for uid, name, mail, city in USERS:
        client("HSET", f"user:{uid}", "name", name, "mail", mail, "city", city)
        client("SET", f"mail:{mail}", uid)
    for i, (uid, *_) in enumerate(USERS):
        value = json.dumps({"user": int(uid), "csrf": f"{i:02x}c0ffee", "step": i})
        client("SET", f"session:{i:04d}", value, "PXAT", YEAR_2100_MS + i * 60000)
    client("SADD", "cities", *[user[3] for user in USERS])
    tick()
    client("SELECT", 1)
    for sku, name, stock in GOODS:
        client("HSET", f"sku:{sku}", "name", name, "stock", stock)
    client("HSET", "cart:1001", "4711", 1, "4713", 6)
    client("HSET", "cart:1003", "4712", 1)
    client("EXPIREAT", "cart:1003", YEAR_2100_MS // 1000)
    tick()
    order(client, "1001", 501, [("4711", 1), ("4713", 6)])
    client("SELECT", 2)
    for _ in range(5):
        client("INCR", "visits")
    client("ZADD", "bestsellers", 6, "mug", 1, "teapot", 2.5, "tray")
    client("ZINCRBY", "bestsellers", 2, "kettle")
    tick()
    client("SELECT", 0)
    client("DEL", "session:0003")
    client("HSET", "user:1004", "city", "Kraków")
    client("SREM", "cities", "Lagos")
    client("APPEND", "mail:ana@example.org", "")
    client("RPUSH", "outbox", "order 501 placed", "welcome 1004")
    client("LPOP", "outbox")


def order(client, uid, number, goods):
    """Places an order in one transaction."""
    client("MULTI")
    for sku, count in goods:
        client("HINCRBY", f"sku:{sku}", "stock", -count)
    client("HSET", f"order:{number}", "user", uid, "state", "paid")
    client("RPUSH", f"orders:{uid}", number)
    client("DEL", f"cart:{uid}")
    client("EXEC")


def later(client):
    """Writes more data after a rewrite or a restart."""
    client("SELECT", 2)
    client("INCRBY", "visits", 37)
    client("SELECT", 0)
    client("SET", "session:0005", "later", "PXAT", YEAR_2100_MS)
    client("RPUSH", "outbox", "later")


def types(client):
    """Writes each data type in each encoding that a small data set can have."""
    client("SET", "text", "plain text")
    client("SET", "", "the key is empty")
    client("SET", "empty", "")
    client("SET", b"bin\x00\r\n\xff", bytes(range(256)))
    client("SET", "repetitive", "tea for two, " * 60)
    for number in (0, -1, 127, -129, 32767, 40000, 2**31, -(2**63)):
        client("SET", f"int:{number}", number)
    client("SET", "until-2100", "x", "PXAT", YEAR_2100_MS)
    client("SETBIT", "bits", 1000, 1)
    client("PFADD", "visitors", *[f"v{i}" for i in range(40)])
    client("RPUSH", "list:small", "a", "b", 1, 2, -70000)
    client("RPUSH", "list:long", *[f"element {i:03d}" for i in range(40)])
    client("SADD", "set:int16", 1, 2, -3)
    client("SADD", "set:int64", 1, 2**40, -(2**50))
    client("SADD", "set:text", "a", "b", 3)
    client("SADD", "set:large", *[f"m{i}" for i in range(40)])
    client("ZADD", "zset:small", 1, "a", 1.5, "b", "-inf", "c", "+inf", "d", -3, "e")
    client("ZADD", "zset:large", *[x for i in range(40) for x in (i * 0.25, f"m{i}")])
    client("HSET", "hash:small", "f", "v", "n", 17)
    client("HSET", "hash:large", *[x for i in range(40) for x in (f"f{i}", f"v{i}")])
    client("HSET", "hash:until-2100", "f", "v")
    client("PEXPIREAT", "hash:until-2100", YEAR_2100_MS + 1)
    client("GEOADD", "geo", 13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")
    client("SELECT", 9)
    client("XADD", "stream", "1-1", "f", "v", "g", "w")
    client("XADD", "stream", "2-0", "f", "v2", "g", "w2")
    client("XADD", "stream", "3-0", "other", "v3")
    client("XDEL", "stream", "2-0")
    client("XGROUP", "CREATE", "stream", "readers", "0")
    client("XREADGROUP", "GROUP", "readers", "one", "COUNT", 1, "STREAMS", "stream", ">")
    client("SELECT", 0)


SMALL_ENCODINGS = {
    "hash-max-ziplist-entries": "16",
    "zset-max-ziplist-entries": "16",
    "set-max-intset-entries": "16",
    "list-max-ziplist-size": "8",
}


def streams(client):
    """Writes entries, groups, consumers and pending entries, and deletes entries that they refer to."""
    for i in range(1, 9):
        client("XADD", "orders", f"{i}000-0", "number", 500 + i, "total", f"{i}.50")
    client("XGROUP", "CREATE", "orders", "billing", "0")
    client("XGROUP", "CREATE", "orders", "shipping", "$")
    client("XGROUP", "CREATECONSUMER", "orders", "billing", "idle")
    client("XREADGROUP", "GROUP", "billing", "till-1", "COUNT", 3, "STREAMS", "orders", ">")
    client("XREADGROUP", "GROUP", "billing", "till-2", "COUNT", 2, "STREAMS", "orders", ">")
    client("XACK", "orders", "billing", "1000-0", "4000-0")
    client("XCLAIM", "orders", "billing", "till-2", 0, "2000-0")
    client("XDEL", "orders", "3000-0", "8000-0")
    client("XTRIM", "orders", "MAXLEN", 5)
    client("XGROUP", "SETID", "orders", "shipping", "5000-0")
    client("XADD", "emptied", "7-7", "f", "v")
    client("XDEL", "emptied", "7-7")
    client("XGROUP", "CREATE", "fresh", "g", "$", "MKSTREAM")
    client("XSETID", "orders", "9000-5")


LOOKALIKES = {
    "a whole command": frame("SET", "not:key", "not:value"),
    "a line end, then FLUSHALL": b"bye\r\n" + frame("FLUSHALL") + frame("SELECT", 3),
    "the start of a transaction": frame("MULTI") + frame("SET", "a", "b"),
    "the end of one": frame("EXEC"),
    "half a command": frame("SET", "not:key", "not:value")[:-9],
    "many commands": b"".join(frame("INCR", f"not:{i % 3}") for i in range(20)),
    "headers alone": b"\r\n*3\r\n*3\r\n$3\r\n*1\r\n",
    "a huge claim": b"\r\n*999999999\r\n$999999999999\r\n",
    "an annotation": b"\r\n#TS:1700000000\r\n",
    "an RDB": b"REDIS0009\xfa\x09redis-ver\x056.2.5",
    "a manifest": b"file appendonly.aof.9.base.rdb seq 9 type b\n",
    "text that a line reader trips over": b"$5\n\r\r\n\n*\r\n$\r\n",
}


def lookalikes(client):
    for what, value in LOOKALIKES.items():
        client("SET", what, value)
        client("HSET", "all", value, value)
    client("RPUSH", frame("DEL", "all"), *LOOKALIKES.values())


# ---------------------------------------------------------------------------------------------
# Items


class Item:
    """A directory: how it is created, and how a server is started on it."""

    def __init__(self, name, made_by, how, make, config=None, wrong=None, source=None):
        self.name, self.made_by, self.how, self.make = name, made_by, how, make
        self.config, self.wrong, self.source = config or {}, wrong, source
        self.path = HERE / name


ITEMS = {}


def real(name, line, how, **config):
    """Registers `f(directory, line)`, which lets servers write an item.

    `config` contains the settings that a server needs to find the files.
    """

    def register(f):
        assert f"real/{name}" not in ITEMS
        ITEMS[f"real/{name}"] = Item(
            f"real/{name}", line, how, lambda directory: f(directory, line), named(config)
        )
        return f

    return register


def named(config):
    return {name.replace("_", "-"): value for name, value in config.items()}


def on_each(lines, name, how, **config):
    """Like `real`, for several lines. The name of each item is `name` and the line."""

    def register(f):
        for line in lines:
            real(f"{name}-{line}", line, how, **config)(f)
        return f

    return register


def damaged(name, source, wrong, how, made_by=None):
    """Registers `f(directory)`, which edits a copy of the real item `source`.

    `f` returns the part and the offset of the first changed byte, if there is one.
    """

    def register(f):
        assert f"damaged/{name}" not in ITEMS
        origin = ITEMS[f"real/{source}"]
        ITEMS[f"damaged/{name}"] = Item(
            f"damaged/{name}", made_by, how, f, origin.config, wrong, origin.name
        )
        return f

    return register


# Single files, which 6.2 writes.


@real("single-resp-redis-6.2", "redis-6.2", "the shop; `aof-use-rdb-preamble no`, no rewrite")
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        shop(server.client)


@real(
    "single-resp-rewritten-redis-6.2",
    "redis-6.2",
    "the shop, rewritten as commands (`aof-use-rdb-preamble no`), then a few writes",
)
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        shop(server.client)
        server.rewrite()
        later(server.client)


@real("single-preamble-redis-6.2", "redis-6.2", "the shop, rewritten as an RDB; nothing after it")
def _(data, line):
    with running(line, data) as server:
        shop(server.client)
        server.rewrite()


@real(
    "single-preamble-tail-redis-6.2", "redis-6.2", "the shop, rewritten as an RDB; a few writes after"
)
def _(data, line):
    with running(line, data) as server:
        shop(server.client)
        server.rewrite()
        later(server.client)


@real("single-empty-redis-6.2", "redis-6.2", "started and stopped; the file is empty")
def _(data, line):
    with running(line, data):
        pass


@real(
    "single-eval-redis-6.2",
    "redis-6.2",
    "scripts logged verbatim (`lua-replicate-commands no`) and by their effects",
)
def _(data, line):
    script = "redis.call('INCRBY', KEYS[1], ARGV[1]); return redis.call('GET', KEYS[1])"
    with running(line, data, lua_replicate_commands="no") as server:
        server.client("EVAL", script, 1, "total", 5)
        server.client("EVAL", script, 1, "total", 6)
        sha = server.client("SCRIPT", "LOAD", script)
        server.client("EVALSHA", sha, 1, "total", 7)
    with running(line, data) as server:
        server.client("EVAL", script, 1, "total", 8)


# RDB files.


@on_each(
    LINES,
    "rdb",
    "all types in all small encodings, saved by SAVE; no log next to it",
    appendonly="no",
)
def _(data, line):
    config = dict(SMALL_ENCODINGS)
    if line in ("redis-8.2", "valkey-9.1"):
        config["set-max-listpack-entries"] = "16"
    with running(line, data, appendonly="no", **config) as server:
        types(server.client)
        server.client("SAVE")


# Multi-part directories.


@on_each(MULTI_PART, "multi-fresh", "started, nothing written, stopped: an empty base and an empty incr")
def _(data, line):
    with running(line, data):
        pass


@on_each(MULTI_PART, "multi-rdb-base", "the shop, rewritten (the base is an RDB), then a few writes")
def _(data, line):
    with running(line, data) as server:
        shop(server.client)
        server.rewrite()
        later(server.client)


@on_each(
    MULTI_PART,
    "multi-aof-base",
    "the shop, rewritten as commands (`aof-use-rdb-preamble no`), then a few writes",
)
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        shop(server.client)
        server.rewrite()
        later(server.client)


@on_each(
    MULTI_PART,
    "multi-types",
    "all types in all small encodings, written to the base as an RDB and again to the incr",
)
def _(data, line):
    with running(line, data, **SMALL_ENCODINGS) as server:
        types(server.client)
        server.rewrite()
        server.client("FLUSHDB")
        server.client("SELECT", 9)
        server.client("FLUSHDB")
        server.client("SELECT", 0)
        types(server.client)


@on_each(
    MULTI_PART,
    "multi-several-incrs",
    "a rewrite, then two that failed because their child was killed: three incrs",
)
def _(data, line):
    with running(line, data) as server:
        shop(server.client)
        server.rewrite()
        for attempt in range(2):
            server.client("SET", f"before-failure-{attempt}", "x" * 20)
            # The child spends ten seconds on each key, so that it can be killed.
            server.client("CONFIG", "SET", "rdb-key-save-delay", 10_000_000)
            server.client("BGREWRITEAOF")
            server.wait(lambda info: info["aof_rewrite_in_progress"] == "1")
            pid = server.process.pid
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            assert len(children) == 1, children
            os.kill(int(children[0]), signal.SIGKILL)
            server.wait(lambda info: info["aof_rewrite_in_progress"] == "0")
            server.client("CONFIG", "SET", "rdb-key-save-delay", 0)
        later(server.client)


@on_each(
    ["redis-7.0", "valkey-9.1"],
    "multi-history",
    "two rewrites with `aof-disable-auto-gc yes`: history files remain and are named",
)
def _(data, line):
    with running(line, data, aof_disable_auto_gc="yes") as server:
        shop(server.client)
        server.rewrite()
        later(server.client)
        server.rewrite()
        later(server.client)


@on_each(
    MULTI_PART,
    "multi-timestamps",
    "the shop with `aof-timestamp-enabled yes`, some seconds apart, rewritten as commands in between",
)
def _(data, line):
    config = {"aof-timestamp-enabled": "yes", "aof-use-rdb-preamble": "no"}
    with running(line, data, **config) as server:
        shop(server.client, tick=lambda: time.sleep(1.1))
        server.rewrite()
        time.sleep(1.1)
        later(server.client)
        time.sleep(1.1)
        server.client("SET", "last", "write")


@real(
    "multi-upgraded-redis-7.0",
    "redis-7.0",
    "the shop in a file with a preamble and a tail by redis-6.2, then taken over by redis-7.0: the "
    "base is the old file",
)
def _(data, line):
    with running("redis-6.2", data) as server:
        shop(server.client)
        server.rewrite()
        later(server.client)
    with running(line, data) as server:
        later(server.client)


@on_each(
    MULTI_PART,
    "multi-quoted-name",
    "`appendfilename \"my file.aof\"`: quoted in the manifest",
    appendfilename="my file.aof",
)
def _(data, line):
    with running(line, data, appendfilename="my file.aof") as server:
        shop(server.client)


@real(
    "multi-offsets-redis-8.2",
    "redis-8.2",
    "the shop with a replica attached, rewritten, a few writes, stopped: `startoffset` and `endoffset` "
    "in the manifest count the replication stream",
)
def _(data, line):
    with running(line, data, repl_diskless_sync_delay="0") as server:
        replica = Client(server.control / "socket")
        # A client that sends PSYNC counts as a replica, even if it does not read the reply.
        replica.socket.sendall(frame("PSYNC", "?", -1))
        time.sleep(0.5)
        shop(server.client)
        server.wait(lambda info: info["rdb_bgsave_in_progress"] == "0")
        server.rewrite()
        later(server.client)
        replica.socket.close()


@real(
    "multi-killed-redis-8.2",
    "redis-8.2",
    "the shop, then `kill -9`: a `startoffset` and no `endoffset`",
)
def _(data, line):
    with contextlib.suppress(ConnectionError), running(line, data) as server:
        shop(server.client)
        server.process.kill()


# Contents of logs.


@on_each(
    LINES,
    "transactions",
    "client transactions and a script, in two databases; the log ends with a transaction",
)
def _(data, line):
    with running(line, data) as server:
        client = server.client
        client("SET", "before", "1")
        order(client, "1001", 501, [("4711", 1), ("4713", 6)])
        client("SELECT", 1)
        client("EVAL", "redis.call('SET', 'a', 1); redis.call('SET', 'b', 2)", 0)
        client("SET", "between", "2")
        client("MULTI")
        client("SET", "one", "in db 1")
        client("SELECT", 2)
        client("SET", "two", "in db 2")
        client("EXEC")
        client("SELECT", 0)
        order(client, "1002", 502, [("4712", 2)])


LIBRARY = """#!lua name=shop
redis.register_function('restock', function(keys, args)
  redis.call('HINCRBY', keys[1], 'stock', args[1])
  return redis.call('RPUSH', keys[1] .. ':log', args[1])
end)
"""


@on_each(
    MULTI_PART,
    "functions",
    "a library loaded before the rewrite and one after; FCALL is logged by its effects",
)
def _(data, line):
    with running(line, data) as server:
        client = server.client
        client("FUNCTION", "LOAD", LIBRARY)
        client("FCALL", "restock", 1, "sku:4711", 5)
        server.rewrite()
        client("FCALL", "restock", 1, "sku:4712", 6)
        other = LIBRARY.replace("shop", "depot").replace("restock", "refill")
        client("FUNCTION", "LOAD", other)
        client("FCALL", "refill", 1, "sku:4713", 7)
        client("FUNCTION", "LOAD", "REPLACE", other)


@on_each(LINES, "streams", "entries, groups, consumers, pending entries; rewritten, then the same again")
def _(data, line):
    with running(line, data) as server:
        streams(server.client)
        server.rewrite()
        server.client("SELECT", 3)
        streams(server.client)


@on_each(
    ["redis-8.2", "valkey-9.1"],
    "hash-field-expiry",
    "hash fields that expire in 2100, set in every way; in a base that is an RDB and in the incr",
)
def _(data, line):
    with running(line, data) as server:
        field_expiry(server.client)
        server.rewrite()
        server.client("SELECT", 3)
        field_expiry(server.client)


@on_each(
    ["redis-8.2", "valkey-9.1"],
    "hash-field-expiry-aof-base",
    "as hash-field-expiry, the base written as commands",
)
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        field_expiry(server.client)
        server.rewrite()
        server.client("SELECT", 3)
        field_expiry(server.client)


def field_expiry(client):
    client("HSET", "device:1", "name", "scale", "token", "t-1", "code", "1234", "count", 1)
    client("HPEXPIREAT", "device:1", YEAR_2100_MS, "FIELDS", 2, "token", "code")
    client("HEXPIREAT", "device:1", YEAR_2100_MS // 1000 + 60, "FIELDS", 1, "count")
    client("HPERSIST", "device:1", "FIELDS", 1, "code")
    client("HINCRBY", "device:1", "count", 2)
    client("HSETEX", "device:2", "PXAT", YEAR_2100_MS + 1, "FIELDS", 2, "token", "t-2", "code", "99")
    client("HGETEX", "device:2", "PERSIST", "FIELDS", 1, "code")
    client("HSETEX", "device:2", "KEEPTTL", "FIELDS", 1, "token", "t-3")
    client("HSET", "device:3", "token", "t-4")
    client("HEXPIRE", "device:3", 2_000_000_000, "FIELDS", 1, "token")
    client("HSET", "device:3", "token", "t-5")
    client("HEXPIRE", "device:2", 0, "FIELDS", 1, "code")


@on_each(
    list(MAKERS),
    "multi-newest-types",
    "all types in all small encodings, streams with producers, fields that expire and vector sets, in the base and again in the incr",
)
def _(data, line):
    with running(line, data, **SMALL_ENCODINGS) as server:
        newest_types(server.client)
        server.rewrite()
        for database in (9, 4, 3, 0):
            server.client("SELECT", database)
            server.client("FLUSHDB")
        newest_types(server.client)


def newest_types(client):
    types(client)
    client("SELECT", 3)
    field_expiry(client)
    streams(client)
    client("XADD", "produced", "IDMP", "till-1", "sale-1", "*", "total", "7.50")
    client("XADD", "produced", "IDMP", "till-1", "sale-2", "*", "total", "1.25")
    client("XADD", "produced", "IDMP", "till-2", "sale-1", "*", "total", "0.99")
    client("XADD", "produced", "IDMP", "till-1", "sale-1", "*", "total", "7.50")
    client("XCFGSET", "produced", "IDMP-DURATION", 86400, "IDMP-MAXSIZE", 500)
    client("SELECT", 4)
    client("VADD", "points", "VALUES", 3, 0.5, -0.25, 1, "a", "NOQUANT", "SETATTR", '{"n": 1}')
    client("VADD", "points", "VALUES", 3, 0, 1, 0.75, "b", "NOQUANT")
    client("VADD", "bits", "VALUES", 4, 1, -1, 1, -1, "a", "BIN")
    client("SELECT", 0)


@on_each(["redis-6.2", "redis-7.0", "valkey-9.1"], "lookalikes", "values whose text looks like frames")
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        lookalikes(server.client)


# Accidental deletion.


@on_each(LINES, "flushall", "the shop, then FLUSHALL: the last command of the log")
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        shop(server.client)
        server.client("FLUSHALL")


@on_each(
    MULTI_PART,
    "flushall-timestamps",
    "as flushall, with `aof-timestamp-enabled yes` and some seconds between",
)
def _(data, line):
    config = {"aof-timestamp-enabled": "yes", "aof-use-rdb-preamble": "no"}
    with running(line, data, **config) as server:
        shop(server.client, tick=lambda: time.sleep(1.1))
        time.sleep(1.1)
        server.client("FLUSHALL")


@on_each(
    MULTI_PART,
    "flushall-rdb-base",
    "the shop, rewritten into an RDB, a few writes, then FLUSHALL ASYNC",
)
def _(data, line):
    with running(line, data) as server:
        shop(server.client)
        server.rewrite()
        later(server.client)
        server.client("FLUSHALL", "ASYNC")


@on_each(
    ["redis-6.2", "redis-7.0"],
    "flushall-then-writes",
    "the shop, FLUSHALL, then writes to old and new keys",
)
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        shop(server.client)
        server.client("FLUSHALL")
        later(server.client)
        server.client("HSET", "user:1005", "name", "Emi Sato")
        server.client("HSET", "user:1001", "city", "Porto")


@real(
    "flushdb-swapdb-redis-7.0",
    "redis-7.0",
    "the shop, then other commands that empty a database: FLUSHDB in a transaction, SWAPDB, FLUSHDB ASYNC "
    "in a script, FLUSHALL twice; one SET last",
)
def _(data, line):
    with running(line, data, aof_use_rdb_preamble="no") as server:
        client = server.client
        shop(client)
        client("SELECT", 1)
        client("MULTI")
        client("FLUSHDB")
        client("SET", "swept", "1")
        client("EXEC")
        client("SWAPDB", 0, 7)
        client("EVAL", "redis.call('FLUSHDB', 'ASYNC'); redis.call('SET', 'by', 'script')", 0)
        client("FLUSHALL")
        client("FLUSHALL")
        client("SET", "after", "all")


# Damaged: single files, from a log that all four servers read.

SINGLE = "single-resp-redis-6.2"
LOG = "appendonly.aof"


def edit(directory, part, offset, replaced, new):
    """Replaces `replaced` bytes at `offset` with `new`."""
    path = directory / part
    log = path.read_bytes()
    path.write_bytes(log[:offset] + new + log[offset + replaced :])
    return part, offset


def cut(directory, part, offset):
    path = directory / part
    path.write_bytes(path.read_bytes()[:offset])
    return part, offset


def insert_before_delete(directory, *inserted):
    """Inserts bytes before the shop's DEL, which is in the middle of the log, in db 0."""
    at = find((directory / LOG).read_bytes(), "DEL", "session:0003").start
    return edit(directory, LOG, at, 0, b"".join(inserted))


@damaged(
    "torn-tail",
    SINGLE,
    "the last command ends in the middle of an argument",
    "cut 4 bytes into the last argument but one",
)
def _(directory):
    last = frames((directory / LOG).read_bytes())[-1]
    return cut(directory, LOG, last.texts[-1][0] + 4)


@damaged(
    "torn-header",
    SINGLE,
    "the last command ends in the header of an argument",
    "cut after the `$` of the last argument",
)
def _(directory):
    last = frames((directory / LOG).read_bytes())[-1]
    return cut(directory, LOG, last.headers[-1][0] + 1)


@damaged("torn-line-end", SINGLE, "the last LF is missing", "cut 1 byte")
def _(directory):
    return cut(directory, LOG, (directory / LOG).stat().st_size - 1)


@damaged(
    "torn-transaction",
    "transactions-redis-6.2",
    "the file ends inside MULTI, after a complete command",
    "cut before the last EXEC",
)
def _(directory):
    return cut(directory, LOG, frames((directory / LOG).read_bytes())[-1].start)


@damaged(
    "torn-transaction-in-command",
    "transactions-redis-6.2",
    "the file ends inside a command inside MULTI",
    "cut in the last argument before the last EXEC",
)
def _(directory):
    last = frames((directory / LOG).read_bytes())[-2]
    return cut(directory, LOG, last.texts[-1][0] + 3)


def dangle(directory, line, part):
    """Lets a server cut a torn transaction, continue, and stop."""
    log = (directory / part).read_bytes()
    last = frames(log)[-2]
    assert last.args[0] != b"MULTI" and frames(log)[-1].args == [b"EXEC"]
    multi = [f for f in frames(log) if f.args == [b"MULTI"]][-1]
    cut(directory, part, last.texts[-1][0] + 3)
    with running(line, directory) as server:
        yield server
    yield part, multi.start


@damaged(
    "dangling-multi-redis-6.2",
    "transactions-redis-6.2",
    "a MULTI without an EXEC; five later writes become part of its transaction and are lost when the file is loaded",
    "cut as in torn-transaction-in-command, then loaded by redis-6.2, which appends more writes",
    made_by="redis-6.2",
)
def _(directory):
    steps = dangle(directory, "redis-6.2", LOG)
    client = next(steps).client
    for i in range(5):
        client("SET", f"lost:{i}", i)
    return next(steps)


@damaged(
    "dangling-multi-redis-7.0",
    "transactions-redis-7.0",
    "a MULTI without an EXEC; five later writes become part of its transaction and are lost when the file is loaded",
    "the incr cut as in torn-transaction-in-command, then loaded by redis-7.0, which appends more writes",
    made_by="redis-7.0",
)
def _(directory):
    steps = dangle(directory, "redis-7.0", f"appendonlydir/{LOG}.1.incr.aof")
    client = next(steps).client
    for i in range(5):
        client("SET", f"lost:{i}", i)
    return next(steps)


@damaged(
    "dangling-multi-closed-redis-7.0",
    "transactions-redis-7.0",
    "a MULTI that the EXEC of a later transaction closes: the torn transaction is executed with it",
    "as dangling-multi-redis-7.0, the writes after it ending in a transaction",
    made_by="redis-7.0",
)
def _(directory):
    steps = dangle(directory, "redis-7.0", f"appendonlydir/{LOG}.1.incr.aof")
    client = next(steps).client
    client("SET", "between", "3")
    order(client, "1003", 503, [("4714", 1)])
    client("SET", "after", "4")
    return next(steps)


@damaged(
    "dangling-multi-upgraded-redis-7.0",
    "transactions-redis-6.2",
    "a MULTI without an EXEC at the end of a base, which is not the last file",
    "the single file cut as in torn-transaction-in-command, then taken over by redis-7.0",
    made_by="redis-7.0",
)
def _(directory):
    steps = dangle(directory, "redis-7.0", LOG)
    client = next(steps).client
    client("SET", "written", "after")
    _, offset = next(steps)
    return f"appendonlydir/{LOG}", offset


@damaged(
    "nul-tail",
    SINGLE,
    "NUL bytes to the end of the block, as after a power loss",
    "NULs appended up to a multiple of 4096 bytes",
)
def _(directory):
    size = (directory / LOG).stat().st_size
    return edit(directory, LOG, size, 0, bytes(-size % 4096))


@damaged(
    "garbage-middle",
    SINGLE,
    "64 bytes in the middle are overwritten",
    "64 bytes from the start of a command on overwritten with 0xA5",
)
def _(directory):
    at = find((directory / LOG).read_bytes(), "HSET", "sku:4712").start
    return edit(directory, LOG, at, 64, b"\xa5" * 64)


@damaged(
    "flipped-digit",
    SINGLE,
    "the length of an argument is too large by one, so that everything after it is misread",
    "`$8` changed to `$9` before the key of `HSET sku:4713`",
)
def _(directory):
    header, text = find((directory / LOG).read_bytes(), "HSET", "sku:4713").headers[1]
    return edit(directory, LOG, header + 1, text - header - 3, b"9")


@damaged("zero-argc", SINGLE, "a command without arguments", "`*0` inserted between two commands")
def _(directory):
    return insert_before_delete(directory, b"*0\r\n")


@damaged(
    "negative-length",
    SINGLE,
    "an argument of length -1",
    "the length of DEL's argument changed to `-1`",
)
def _(directory):
    header, text = find((directory / LOG).read_bytes(), "DEL", "session:0003").headers[1]
    return edit(directory, LOG, header + 1, text - header - 3, b"-1")


@damaged(
    "lf-headers",
    SINGLE,
    "header lines that end in LF only, which loaders tolerate",
    "the CR removed from the three headers of a command",
)
def _(directory):
    found = find((directory / LOG).read_bytes(), "DEL", "session:0003")
    lines = b"*2\n" + b"".join(b"$%d\n%s\r\n" % (len(arg), arg) for arg in found.args)
    edit(directory, LOG, found.start, found.end - found.start, lines)
    return LOG, found.start + 2


@damaged(
    "unchecked-line-end",
    SINGLE,
    "two other bytes in place of an argument's CR LF, which loaders do not check",
    "CR LF after the name of DEL changed to `xx`",
)
def _(directory):
    end = find((directory / LOG).read_bytes(), "DEL", "session:0003").texts[0][1]
    return edit(directory, LOG, end, 2, b"xx")


@damaged(
    "inline-command",
    SINGLE,
    "an inline command, which clients may send but logs may not contain",
    "`SET inline 1` inserted between two commands",
)
def _(directory):
    return insert_before_delete(directory, b"SET inline 1\r\n")


@damaged(
    "annotation-between-arguments",
    SINGLE,
    "a #TS line inside a command",
    "inserted before the second argument of DEL",
)
def _(directory):
    header, _ = find((directory / LOG).read_bytes(), "DEL", "session:0003").headers[1]
    return edit(directory, LOG, header, 0, b"#TS:1700000000\r\n")


@damaged("unknown-command", SINGLE, "a command that no server knows", "`FROBNICATE x 1` inserted")
def _(directory):
    return insert_before_delete(directory, frame("FROBNICATE", "x", 1))


@damaged(
    "unknown-subcommand", SINGLE, "a sub-command that no server knows", "`XGROUP FROB x` inserted"
)
def _(directory):
    return insert_before_delete(directory, frame("XGROUP", "FROB", "x"))


@damaged("wrong-arity", SINGLE, "SET without a value", "`SET only-a-key` inserted")
def _(directory):
    return insert_before_delete(directory, frame("SET", "only-a-key"))


@damaged(
    "wrong-type",
    SINGLE,
    "a command that fails when it is executed: its key has another type",
    "`LPUSH user:1001 x` inserted; user:1001 is a hash",
)
def _(directory):
    return insert_before_delete(directory, frame("LPUSH", "user:1001", "x"))


@damaged(
    "select-out-of-range",
    SINGLE,
    "a database that servers with 16 databases do not have: the next commands apply to the previous one",
    "`SELECT 99` and `SET stray 1` inserted",
)
def _(directory):
    return insert_before_delete(directory, frame("SELECT", 99), frame("SET", "stray", 1))


@damaged(
    "nested-multi",
    SINGLE,
    "a MULTI inside a MULTI",
    "MULTI, SET, MULTI, SET, EXEC inserted",
)
def _(directory):
    return insert_before_delete(
        directory,
        frame("MULTI"),
        frame("SET", "outer", 1),
        frame("MULTI"),
        frame("SET", "inner", 1),
        frame("EXEC"),
    )


@damaged("stray-exec", SINGLE, "an EXEC without a MULTI", "EXEC inserted between two commands")
def _(directory):
    return insert_before_delete(directory, frame("EXEC"))


@damaged(
    "discarded-multi",
    SINGLE,
    "a DISCARD, which a loader queues: the transaction stays open to the end",
    "MULTI, SET, DISCARD inserted",
)
def _(directory):
    return insert_before_delete(
        directory, frame("MULTI"), frame("SET", "discarded", 1), frame("DISCARD")
    )


# Damaged: preambles.

PREAMBLE = "single-preamble-tail-redis-6.2"


def preamble_end(log):
    """Returns the end of the RDB: the commands after it begin with SELECT."""
    return log.index(frame("SELECT", 2))


@damaged(
    "preamble-bad-crc",
    PREAMBLE,
    "the checksum of the preamble is wrong",
    "the last byte of the checksum changed",
)
def _(directory):
    log = (directory / LOG).read_bytes()
    at = preamble_end(log) - 1
    return edit(directory, LOG, at, 1, bytes([log[at] ^ 1]))


@damaged(
    "preamble-flipped-byte",
    PREAMBLE,
    "a value in the preamble is changed, which only the checksum reveals",
    "`ana@example.org` changed to `bna@example.org`",
)
def _(directory):
    at = (directory / LOG).read_bytes().index(b"ana@example.org")
    return edit(directory, LOG, at, 1, b"b")


@damaged(
    "preamble-unknown-type",
    PREAMBLE,
    "a type byte in the preamble that no server knows",
    "the type byte of the first key changed to 0xC8",
)
def _(directory):
    log = (directory / LOG).read_bytes()
    # After RESIZEDB (0xFB) and its two one-byte lengths. A key that expires has 9 more bytes.
    at = log.index(b"\xfe\x00\xfb") + 5
    at += 9 if log[at] == 0xFC else 0
    return edit(directory, LOG, at, 1, b"\xc8")


@damaged(
    "preamble-truncated",
    PREAMBLE,
    "the file ends inside the preamble",
    "cut 100 bytes before the end of the preamble",
)
def _(directory):
    return cut(directory, LOG, preamble_end((directory / LOG).read_bytes()) - 100)


@damaged(
    "preamble-torn-tail",
    PREAMBLE,
    "the last command after the preamble is torn",
    "cut 3 bytes",
)
def _(directory):
    return cut(directory, LOG, (directory / LOG).stat().st_size - 3)


# Damaged: multi-part directories.

SEVERAL = "multi-several-incrs-redis-7.0"
DIRECTORY = "appendonlydir"
MANIFEST = f"{DIRECTORY}/{LOG}.manifest"


@damaged(
    "truncated-part-not-last",
    SEVERAL,
    "an incr ends in the middle of an argument, and is not the last",
    "the last incr but one cut 5 bytes short",
)
def _(directory):
    part = f"{DIRECTORY}/{LOG}.3.incr.aof"
    return cut(directory, part, (directory / part).stat().st_size - 5)


@damaged(
    "truncated-last-part",
    SEVERAL,
    "the last incr ends in the middle of an argument",
    "the last incr cut 5 bytes short",
)
def _(directory):
    part = f"{DIRECTORY}/{LOG}.4.incr.aof"
    return cut(directory, part, (directory / part).stat().st_size - 5)


@damaged(
    "truncated-base",
    "multi-aof-base-redis-7.0",
    "the base, of commands, ends in the middle of an argument",
    "the base cut 5 bytes short",
)
def _(directory):
    part = f"{DIRECTORY}/{LOG}.2.base.aof"
    return cut(directory, part, (directory / part).stat().st_size - 5)


@damaged(
    "truncated-rdb-base",
    "multi-rdb-base-redis-7.0",
    "the base, an RDB, ends before its end",
    "the base cut 20 bytes short",
)
def _(directory):
    part = f"{DIRECTORY}/{LOG}.2.base.rdb"
    return cut(directory, part, (directory / part).stat().st_size - 20)


@damaged(
    "open-transaction-not-last",
    SEVERAL,
    "an incr that is not the last ends inside a MULTI",
    "MULTI and SET appended to the last incr but one",
)
def _(directory):
    part = f"{DIRECTORY}/{LOG}.3.incr.aof"
    size = (directory / part).stat().st_size
    return edit(directory, part, size, 0, frame("MULTI") + frame("SET", "open", 1))


def manifest(name, wrong, how, source=SEVERAL):
    """Registers `f(text)`, which returns the new text of a manifest."""

    def register(f):
        def rewrite(directory):
            path = directory / MANIFEST
            old = path.read_bytes()
            new = f(old.decode()).encode()
            path.write_bytes(new)
            same = os.path.commonprefix([old, new])
            return MANIFEST, len(same)

        damaged(f"manifest-{name}", source, wrong, how)(rewrite)
        return f

    return register


def lines(text):
    return text.splitlines(keepends=True)


@manifest("non-monotonic", "the sequence numbers of incrs do not increase", "the last two lines swapped")
def _(text):
    return "".join(lines(text)[:-2] + lines(text)[-1:] + lines(text)[-2:-1])


@manifest("duplicate-base", "two bases", "the line of the base repeated")
def _(text):
    return lines(text)[0] + text


@manifest("path-in-name", "a name with a directory in it", "`./` put before the name of the base")
def _(text):
    return text.replace("file ", "file ./", 1)


@manifest("blank-line", "an empty line", "an empty line put after the first")
def _(text):
    return text.replace("\n", "\n\n", 1)


@manifest("no-final-newline", "the last line has no newline", "the last LF removed")
def _(text):
    return text[:-1]


@manifest("zero-seq", "the sequence number 0", "the sequence number of the base changed to 0")
def _(text):
    return re.sub(r"seq \d+", "seq 0", text, count=1)


@manifest("bad-type", "a type that is none of b, h, i", "the type of the base changed to x")
def _(text):
    return text.replace("type b", "type x")


@manifest("odd-tokens", "a key without a value", "the last token of the first line removed")
def _(text):
    return text.replace(" type b", " type", 1)


@manifest("too-long-line", "a line of more than 1024 bytes", "a key of 1100 bytes added to a line")
def _(text):
    return text.replace("\n", f" {'k' * 1100} v\n", 1)


@manifest("no-base", "no base: its data are missing, and no server notices", "the first line removed")
def _(text):
    return "".join(lines(text)[1:])


@manifest("empty", "an empty manifest", "all lines removed")
def _(text):
    return ""


@manifest("comments-only", "only a comment: read as a set without files", "all lines replaced")
def _(text):
    return "# nothing\n"


@manifest(
    "tolerated",
    "nothing: everything that a reader must tolerate",
    "comment, blanks, CR LF, keys in another order and case, an unknown key, `incr` for `i`, the base "
    "last, a history file that is missing",
)
def _(text):
    base, *incrs = lines(text)
    name, seq = re.match(r"file (\S+) seq (\d+) type b", base).groups()
    incrs = [line.replace("type i", "type incr") for line in incrs]
    gone = f"file {LOG}.1.base.rdb seq 1 type h\n"
    last = f" \tTYPE b SEQ {seq} colour blue File '{name}'\t\r\n"
    return "# a comment\n" + gone + "".join(incrs) + last


@damaged(
    "manifest-missing-file",
    SEVERAL,
    "a file in the manifest does not exist",
    "the last incr but one removed",
)
def _(directory):
    (directory / DIRECTORY / f"{LOG}.3.incr.aof").unlink()


@damaged(
    "manifest-missing",
    SEVERAL,
    "the manifest does not exist: servers since 7.0 start empty and create a set of their own next to the "
    "parts",
    "the manifest removed",
)
def _(directory):
    (directory / MANIFEST).unlink()


# ---------------------------------------------------------------------------------------------
# Creating items


def make(names):
    """Creates the items of these names, or all, and the items derived from them."""
    wanted = [
        item
        for item in ITEMS.values()
        if not names or {item.name, item.name.split("/")[1], item.source} & set(names)
    ]
    edits = {}
    path = HERE / "edits.json"
    if names and path.exists():
        edits = json.loads(path.read_text())
    # Real items come first: the others are derived from them.
    for item in wanted:
        with tempfile.TemporaryDirectory(prefix="aofkit-") as temporary:
            data = pathlib.Path(temporary) / "data"
            if item.source:
                shutil.copytree(HERE / item.source, data)
            else:
                data.mkdir()
            change = item.make(data)
            if item.source:
                edits.pop(item.name, None)
                if change:
                    edits[item.name] = {"part": change[0], "offset": change[1]}
            shutil.rmtree(item.path, ignore_errors=True)
            item.path.parent.mkdir(exist_ok=True)
            shutil.copytree(data, item.path)
        print(item.name)
    path.write_text(json.dumps(edits, indent=1, sort_keys=True) + "\n")


# ---------------------------------------------------------------------------------------------
# Recording verdicts


def sizes(data):
    found = {}
    for path in sorted(data.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found[str(path.relative_to(data))] = path.stat().st_size
    return found


def became_shorter(before, after):
    """Returns the logs that became shorter. A log that was moved is recognized by its name."""
    moved = {pathlib.PurePath(name).name: name for name in after}
    cut_files = {}
    for name, size in before.items():
        if name.endswith((".aof", ".rdb")):
            now = name if name in after else moved.get(pathlib.PurePath(name).name)
            if now and after[now] < size:
                cut_files[now] = after[now]
    return cut_files


def reads_any(line, item, data):
    """Returns whether a file exists that this server reads."""
    if item.config.get("appendonly") == "no":
        return (data / "dump.rdb").exists()
    name = item.config.get("appendfilename", LOG)
    multi = line != "redis-6.2" and (data / DIRECTORY / f"{name}.manifest").exists()
    return multi or (data / name).exists()


def reason(log):
    """Returns the line of a server's log that states why it exited."""
    for pattern in (r"crashed by signal|ASSERTION FAILED|Guru Meditation", r" [#*] (?!Warning)"):
        lines = [
            re.sub(r"^\S+ \d+ \w+ \d+ [\d:.]+ [#*] ", "", line).strip()
            for line in log.splitlines()
            if re.search(pattern, line)
            and not re.search(r"overcommit|TCP backlog|transparent huge|User requested", line)
        ]
        if lines:
            return lines[-1] if "signal" not in pattern else lines[0]
    return (log.strip().splitlines() or [""])[-1].strip()


def start_once(line, item, data, truncated):
    """Starts a server on `data` and returns what it did."""
    read = reads_any(line, item, data)
    before = sizes(data)
    config = {**item.config, "aof-load-truncated": truncated}
    verdict = {}
    try:
        server = Server(line, data, config)
    except Ended as ended:
        crashed = ended.code < 0 or "BUG REPORT START" in ended.log
        verdict["outcome"] = "crashes" if crashed else "refuses"
        if ended.code < 0:
            verdict["signal"] = signal.Signals(-ended.code).name
        else:
            verdict["exit_code"] = ended.code
        verdict["reason"] = steady(reason(ended.log), data)
        log = ended.log
    else:
        try:
            client, log = server.client, server.log()
            verdict["keys"] = {
                name: int(re.match(r"keys=(\d+)", value).group(1))
                for name, value in client.info("keyspace").items()
                if name.startswith("db")
            }
            verdict["digest"] = client("DEBUG", "DIGEST")
        finally:
            server.kill()
    cut_files = became_shorter(before, sizes(data))
    if cut_files:
        verdict["cut_to"] = cut_files
    complaints = log.count("== CRITICAL ==")
    if complaints:
        verdict["errors_while_loading"] = complaints
    if "outcome" not in verdict:
        verdict["outcome"] = "cuts" if cut_files else "loads" if read else "ignores"
    return dict(sorted(verdict.items()))


def steady(text, data):
    """Returns the text without the parts that change from run to run."""
    return text.replace(str(data), "DIR")


def verdict(line, item, truncated):
    with tempfile.TemporaryDirectory(prefix="aofkit-") as temporary:
        data = pathlib.Path(temporary) / "data"
        shutil.copytree(item.path, data)
        first = start_once(line, item, data, truncated)
        if first["outcome"] == "refuses" and "cut_to" in first:
            first["second_start"] = start_once(line, item, data, truncated)
        return first


def check_aof(item):
    """Returns the result of redis-check-aof 7.0, which is the server's binary under another name."""
    name = item.config.get("appendfilename", LOG)
    for candidate in (item.path / DIRECTORY / f"{name}.manifest", item.path / name):
        if candidate.exists():
            break
    else:
        return None
    with tempfile.TemporaryDirectory(prefix="aofkit-") as temporary:
        data = pathlib.Path(temporary) / "data"
        shutil.copytree(item.path, data)
        path = data / candidate.relative_to(item.path)
        done = subprocess.run(
            ["redis-check-aof", str(path)],
            executable=binary("redis-7.0"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
        )
    parts = [
        {"part": pathlib.PurePath(part).name, "size": int(size), "ok_up_to": int(ok)}
        for part, size, ok in re.findall(
            r"AOF analyzed: filename=(.*?), size=(\d+), ok_up_to=(\d+)", done.stdout
        )
    ]
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    # Some messages are written with the server's log function, with process ID and time.
    message = re.sub(r"^\S+ \d+ \w+ \d+ [\d:.]+ [#*] ", "", lines[-1])
    result = {"exit_code": done.returncode, "parts": parts, "message": steady(message, data)}
    wrong = re.findall(r"^(?:0x\s*[0-9a-f]+: .*|.*[Ee]rror.*)$", done.stdout, re.M)
    if wrong and done.returncode:
        result["first_fault"] = steady(wrong[0], data)
    return result


def observers(item):
    return [*LINES, *(line for line in MAKERS if line == item.made_by)]


def observe():
    versions = {line: version(line) for line in LINES}
    edits = json.loads((HERE / "edits.json").read_text())
    jobs = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for item in ITEMS.values():
            for line in observers(item):
                for truncated in ("yes", "no"):
                    jobs[item.name, line, truncated] = pool.submit(verdict, line, item, truncated)
        checks = {item.name: pool.submit(check_aof, item) for item in ITEMS.values()}
    items = {}
    for item in ITEMS.values():
        entry = {"how": item.how}
        if item.made_by:
            entry["made_by"] = item.made_by
        if item.source:
            entry["source"] = item.source
            entry["wrong"] = item.wrong
        if item.name in edits:
            entry["edit"] = edits[item.name]
        if item.config:
            entry["config"] = item.config
        entry["files"] = sizes(item.path)
        entry["verdicts"] = {
            line: {
                f"aof-load-truncated {truncated}": jobs[item.name, line, truncated].result()
                for truncated in ("yes", "no")
            }
            for line in observers(item)
        }
        entry["check_aof"] = checks[item.name].result()
        items[item.name] = entry
    servers = {**versions, **{line: version(line) for line in MAKERS}}
    text = json.dumps({"servers": servers, "items": items}, indent=1, ensure_ascii=False)
    (HERE / "verdicts.json").write_text(text + "\n")
    write_tables(versions, items)


def verdict_cell(verdicts):
    """Returns a verdict for a table: with `aof-load-truncated yes`, then with `no` if it differs."""

    def one(verdict):
        outcome = verdict["outcome"]
        if outcome == "crashes":
            return f"**crashes** ({verdict.get('signal') or 'exit ' + str(verdict['exit_code'])})"
        if outcome == "refuses":
            text = "refuses"
            if "cut_to" in verdict:
                text += f", but cuts to {only(verdict['cut_to'])}; then {one(verdict['second_start'])}"
            return text
        if outcome == "ignores":
            return "reads nothing"
        keys = counted(sum(verdict["keys"].values()), "key")
        if verdict.get("errors_while_loading"):
            keys += ", " + counted(verdict["errors_while_loading"], "error")
        return keys if outcome == "loads" else f"cuts to {only(verdict['cut_to'])}: {keys}"

    yes, no = (one(verdicts[f"aof-load-truncated {truncated}"]) for truncated in ("yes", "no"))
    return yes if yes == no else f"{yes} / {no}"


def counted(number, what):
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def only(cut_files):
    return ", ".join(str(size) for size in cut_files.values())


def check_cell(check):
    if check is None:
        return ""
    text = "valid" if check["exit_code"] == 0 else "**invalid**"
    wrong = [part for part in check["parts"] if part["size"] != part["ok_up_to"]]
    if wrong:
        text += f", up to {wrong[0]['ok_up_to']} of {wrong[0]['size']}"
    return text


def write_tables(versions, items):
    """Writes the tables between the markers in README.md, and prints them."""
    heads = [f"{line} ({number})".replace("-", " ", 1) for line, number in versions.items()]
    out = []
    for kind in ("real", "damaged"):
        first = "item | how it was made" if kind == "real" else "item | what is wrong with it; how it was made"
        out.append(f"| {first} | {' | '.join(heads)} | redis-check-aof 7.0 |")
        out.append("|---" * (len(heads) + 3) + "|")
        for name, item in items.items():
            if not name.startswith(kind):
                continue
            if kind == "real":
                what = f"by {item['made_by']}: {item['how']}"
            else:
                what = f"{item['wrong']}; from `{item['source'].split('/')[1]}`: {item['how']}"
            row = [f"`{name.split('/')[1]}`", what]
            row += [verdict_cell(item["verdicts"][line]) for line in versions]
            row.append(check_cell(item["check_aof"]))
            out.append("| " + " | ".join(row) + " |")
        out.append("")
        if kind == "real":
            out += ["## Damaged", ""]
    text = "\n".join(out)
    print(text)
    readme = HERE / "README.md"
    if readme.exists():
        before, _, rest = readme.read_text().partition("<!-- tables -->\n")
        _, _, after = rest.partition("<!-- end of tables -->\n")
        readme.write_text(f"{before}<!-- tables -->\n{text}<!-- end of tables -->\n{after}")


def main(arguments):
    if arguments == ["--observe"]:
        observe()
    elif any(argument.startswith("-") for argument in arguments):
        sys.exit(__doc__)
    else:
        make(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
