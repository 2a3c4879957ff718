#!/usr/bin/env python3
"""Fills a three-node cluster from a log with `aofkit compact --into`, while slots are moved between its nodes.

Compares the exclusive or of DEBUG DIGEST of the nodes with DEBUG DIGEST of a server that has loaded the log itself.

    benches/into_cluster.py AOFKIT REDIS_SERVER LOG [OPTION ...]

The options are passed to aofkit; by default `--rate unlimited`. Needs a server of Redis 7.0 or later, or Valkey, and
free space for the log in the temporary directory. Everything listens on 127.0.0.1 only.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

SLOTS = 16384
NODES = 3


class ServerError(Exception):
    """The server replied with an error."""


class Client:
    """A connection to a server."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")

    def call(self, *args):
        args = [arg if isinstance(arg, bytes) else str(arg).encode() for arg in args]
        parts = [b"*%d\r\n" % len(args)] + [b"$%d\r\n%s\r\n" % (len(arg), arg) for arg in args]
        self.socket.sendall(b"".join(parts))
        return self.reply()

    def reply(self):
        line = self.replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self.replies.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        if kind in b"+:":
            return rest.decode()
        raise ServerError("the connection was closed")


def free_port():
    """Returns a port that is free, as is that of the cluster bus, which is 10000 higher."""
    while True:
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            if port > 55000:
                continue
            with socket.socket() as second:
                try:
                    second.bind(("127.0.0.1", port + 10000))
                    return port
                except OSError:
                    continue


def start(server, directory, port, *options):
    os.makedirs(directory, exist_ok=True)
    fixed = ["--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", ""]
    fixed += ["--enable-debug-command", "yes", "--appendfsync", "no", "--loglevel", "warning"]
    with open(os.path.join(directory, "log"), "wb") as log:
        return subprocess.Popen([server, *fixed, *options], stdout=log, stderr=log)


def ready(port):
    while True:
        try:
            client = Client(port)
            client.call("PING")
            return client
        except (OSError, ServerError):
            time.sleep(0.05)


def digest_of_log(server, log, directory):
    """Returns the number of keys and the digest of a server that has loaded the log."""
    os.makedirs(directory)
    shutil.copy(log, os.path.join(directory, "appendonly.aof"))
    port = free_port()
    process = start(server, directory, port, "--appendonly", "yes")
    try:
        client = ready(port)
        return int(client.call("DBSIZE")), client.call("DEBUG", "DIGEST")
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(directory)


class Cluster:
    """Three primaries, each with a third of the slots."""

    def __init__(self, server, directory):
        self.ports = [free_port() for _ in range(NODES)]
        self.processes = [
            start(server, os.path.join(directory, str(port)), port, "--cluster-enabled", "yes")
            for port in self.ports
        ]
        self.clients = [ready(port) for port in self.ports]
        self.ids = [client.call("CLUSTER", "MYID") for client in self.clients]
        self.owners = [slot * NODES // SLOTS for slot in range(SLOTS)]
        for node, client in enumerate(self.clients):
            slots = [slot for slot in range(SLOTS) if self.owners[slot] == node]
            client.call("CLUSTER", "ADDSLOTS", *slots)
            client.call("CLUSTER", "SET-CONFIG-EPOCH", node + 1)
        for port in self.ports[1:]:
            self.clients[0].call("CLUSTER", "MEET", "127.0.0.1", port)
        while not all(b"cluster_state:ok" in client.call("CLUSTER", "INFO") for client in self.clients):
            time.sleep(0.1)

    def stop(self):
        for process in self.processes:
            process.kill()
            process.wait()

    def keys(self):
        return sum(int(client.call("DBSIZE")) for client in self.clients)

    def digest(self):
        union = 0
        for client in self.clients:
            union ^= int(client.call("DEBUG", "DIGEST"), 16)
        return "%040x" % union

    def move(self, slot):
        """Moves a slot with its keys to the next node. Returns the number of keys."""
        source = self.owners[slot]
        to = (source + 1) % NODES
        self.clients[to].call("CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        self.clients[source].call("CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[to])
        moved = 0
        while True:
            names = self.clients[source].call("CLUSTER", "GETKEYSINSLOT", slot, 100)
            if not names:
                break
            self.clients[source].call(
                "MIGRATE", "127.0.0.1", self.ports[to], "", 0, 5000, "KEYS", *names
            )
            moved += len(names)
        for node in (to, source, *(set(range(NODES)) - {to, source})):
            self.clients[node].call("CLUSTER", "SETSLOT", slot, "NODE", self.ids[to])
        self.owners[slot] = to
        return moved


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    aofkit, server, log, *options = sys.argv[1:]
    random.seed(1)
    directory = tempfile.mkdtemp(prefix="into-cluster-")
    cluster = None
    try:
        keys, digest = digest_of_log(server, log, os.path.join(directory, "whole"))
        cluster = Cluster(server, directory)
        moves, moved, ended = 0, 0, threading.Event()
        started = time.monotonic()
        command = [aofkit, "compact", log, "--into", f"127.0.0.1:{cluster.ports[0]}"]
        run = subprocess.Popen(command + (options or ["--rate", "unlimited"]))
        threading.Thread(target=lambda: (run.wait(), ended.set())).start()
        while not ended.is_set():
            moved += cluster.move(random.randrange(SLOTS))
            moves += 1
            ended.wait(0.005)
        seconds = time.monotonic() - started
        size = os.path.getsize(log) / 1e6
        print(f"log of {size:.0f} MB: {keys} keys, in {seconds:.1f} s, exit code {run.returncode}")
        print(f"meanwhile {moves} slots with {moved} keys were moved")
        found = cluster.keys(), cluster.digest()
        print(f"server that loaded the log: {keys} keys, digest {digest}")
        print(f"nodes of the cluster:       {found[0]} keys, digest {found[1]}")
        return 0 if found == (keys, digest) and run.returncode == 0 else 1
    finally:
        if cluster:
            cluster.stop()
        shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
