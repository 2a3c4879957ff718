#!/usr/bin/env python3
"""Memory and throughput of a backup to object storage, in pairs with the plain upload of the same archive by boto3.

    target/servers/moto/bin/python3 benches/store_upload.py PROGRAM [--gib N] [--pairs N] [--rate MB] [--options TEXT]

The store is a sink on the loopback interface: it takes parts, compares the CRC-32 that is sent with each, keeps small objects,
and forgets the bytes of large ones, so that neither its disk nor its memory is measured. --rate limits what it takes from all
connections together, in MB/s, as a network does. Both clients send to the same sink, one after the other, in alternating order.
Printed for each pair: the seconds of both, their ratio (of boto3's to aofkit's: 1 is as fast), and the largest RssAnon of aofkit.
"""

import argparse
import atexit
import base64
import http.server
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
import zlib


class Sink:
    def __init__(self, rate):
        self.rate, self.lock, self.free_at = rate, threading.Lock(), 0.0
        self.objects, self.uploads, self.next = {}, {}, 1

    def wait(self, count):
        if not self.rate:
            return
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic()) + count / self.rate / 1e6
            until = self.free_at
        time.sleep(max(0.0, until - time.monotonic()))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read(self):
        """The body in pieces, as it arrives."""
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            self.sink.wait(len(piece))
            left -= len(piece)
            yield piece

    def parts(self):
        url = urllib.parse.urlsplit(self.path)
        return url.path.split("/", 2)[2] if url.path.count("/") > 1 else "", dict(
            urllib.parse.parse_qsl(url.query, keep_blank_values=True))

    def do_PUT(self):
        key, query = self.parts()
        if "partNumber" in query:
            crc, count = 0, 0
            for piece in self.read():
                crc, count = zlib.crc32(piece, crc), count + len(piece)
            text = base64.b64encode(crc.to_bytes(4, "big")).decode()
            # boto3 sends it after the body, in a form that this sink does not take apart.
            if self.headers.get("x-amz-checksum-crc32", text) != text:
                return self.answer(400, b"<Error><Code>BadDigest</Code></Error>")
            self.sink.uploads[query["uploadId"]][int(query["partNumber"])] = (crc, count)
            return self.answer(200, headers=[("ETag", f'"{crc:08x}"'), ("x-amz-checksum-crc32", text)])
        body = b"".join(self.read())
        with self.sink.lock:
            there = self.sink.objects.get(key)
            wanted = self.headers.get("If-Match")
            if self.headers.get("If-None-Match") == "*" and there or wanted and (not there or there["etag"] != wanted):
                return self.answer(412)
            etag = f'"{zlib.crc32(body):08x}"'
            self.sink.objects[key] = {"body": body, "etag": etag, "bytes": len(body), "headers": []}
        self.answer(200, headers=[("ETag", etag)])

    def do_POST(self):
        key, query = self.parts()
        body = b"".join(self.read())
        if "uploads" in query:
            with self.sink.lock:
                name, self.sink.next = str(self.sink.next), self.sink.next + 1
                self.sink.uploads[name] = {"token": self.headers.get("x-amz-meta-aofkit-upload", "")}
            return self.answer(200, f"<R><UploadId>{name}</UploadId></R>".encode())
        upload = self.sink.uploads.pop(query["uploadId"])
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
        crcs = b"".join(upload[number][0].to_bytes(4, "big") for number in numbers)
        crc = base64.b64encode(zlib.crc32(crcs).to_bytes(4, "big")).decode()
        headers = [("x-amz-checksum-crc32", f"{crc}-{len(numbers)}"), ("x-amz-meta-aofkit-upload", upload["token"])]
        total = sum(upload[number][1] for number in numbers)
        with self.sink.lock:
            if self.headers.get("If-None-Match") == "*" and key in self.sink.objects:
                return self.answer(412)
            self.sink.objects[key] = {"body": None, "etag": f'"{crc}"', "bytes": total, "headers": headers}
        self.answer(200, b"<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")

    def do_HEAD(self):
        found = self.sink.objects.get(self.parts()[0])
        if not found:
            return self.answer(404)
        self.answer(200, headers=[("ETag", found["etag"]), ("Content-Length", str(found["bytes"])), *found["headers"]])

    def do_GET(self):
        key, query = self.parts()
        if key:
            found = self.sink.objects.get(key)
            if not found or found["body"] is None:
                return self.answer(404)
            return self.answer(200, found["body"], [("ETag", found["etag"])])
        if "uploads" in query:
            return self.answer(200, b"<ListMultipartUploadsResult/>")
        keys = sorted(key for key in self.sink.objects if key.startswith(query.get("prefix", "")))
        lines = "".join(f"<Contents><Key>{key}</Key><Size>{self.sink.objects[key]['bytes']}</Size></Contents>" for key in keys)
        self.answer(200, f"<ListBucketResult>{lines}</ListBucketResult>".encode())

    def do_DELETE(self):
        self.sink.objects.pop(self.parts()[0], None)
        self.answer(204)


def write_log(path, size):
    """Values that cannot be compressed, so that the archive is as long as the log."""
    with open(path, "wb") as out:
        number, written = 0, 0
        block = os.urandom(1 << 20)
        while written < size:
            key = b"key:%012d" % number
            value = b"%016x" % number + block[number % 900_000:][:100_000]
            command = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value)
            written += out.write(command)
            number += 1
            if number % 500 == 0:
                block = os.urandom(1 << 20)


def largest_rss(process):
    """The largest RssAnon of a process in bytes, seen every 20 ms until it ends."""
    largest = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                found = re.search(r"RssAnon:\s+(\d+) kB", status.read())
            largest = max(largest, int(found[1]) * 1024 if found else 0)
        except OSError:
            pass
        time.sleep(0.02)
    return largest


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("--gib", type=float, default=5)
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--rate", type=float, default=0)
    arguments.add_argument("--options", default="", help="options of `aofkit backup`")
    options = arguments.parse_args()
    more = options.options.split()
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    Handler.sink = sink = Sink(options.rate)
    http.server.ThreadingHTTPServer.daemon_threads = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Of its own process, so that its interpreter is not shared with boto3.
    child = os.fork()
    if child == 0:
        server.serve_forever()
    atexit.register(lambda: os.getpid() != child and os.kill(child, signal.SIGTERM))
    endpoint = f"http://127.0.0.1:{server.server_port}"
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL_S3": endpoint, "TZ": "UTC"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a",
                          aws_secret_access_key="b", config=Config(request_checksum_calculation="when_required"))
    with tempfile.TemporaryDirectory() as place:
        log, local = f"{place}/a.aof", f"{place}/local"
        write_log(log, options.gib * (1 << 30))
        os.mkdir(local)
        subprocess.run([options.program, "backup", log, "--to", local, "--quiet", *more], check=True, env=environment)
        archive = f"{local}/{[name for name in os.listdir(local) if '.zip' in name][0]}"
        size = os.path.getsize(archive)
        print(f"log {os.path.getsize(log):,} bytes, archive {size:,} bytes, rate {options.rate or 'unlimited'}", flush=True)

        def ours(number):
            began = time.monotonic()
            process = subprocess.Popen([options.program, "backup", log, "--to", "s3://bucket/p", "--quiet", *more,
                                        "--name-template", f"{number}.zip"], env=environment)
            rss = largest_rss(process)
            assert process.returncode == 0, process.returncode
            return time.monotonic() - began, rss

        def theirs(number):
            began = time.monotonic()
            client.upload_file(archive, "bucket", f"boto/{number}.zip", Config=TransferConfig(max_concurrency=10))
            return time.monotonic() - began

        for number in range(options.pairs):
            if number % 2:
                plain = theirs(number)
                took, rss = ours(number)
            else:
                took, rss = ours(number)
                plain = theirs(number)
            print(f"aofkit {took:.1f} s ({size / took / 1e6:.0f} MB/s), boto3 {plain:.1f} s ({size / plain / 1e6:.0f} MB/s), "
                  f"ratio {plain / took:.2f}, RssAnon {rss / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
