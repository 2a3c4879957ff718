"""The writing commands, the logs that they read, and what can be read of their results: for faults, kills and power-loss."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile


def command(*words):
    words = [word.encode() for word in words]
    head = b"*%d\r\n" % len(words)
    return head + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


SOUND = b"".join(command("SET", f"key:{n}", "value") for n in range(500))
LOGS = {
    "sound.aof": SOUND,
    "other.aof": SOUND + command("SET", "other", "1"),
    "flushed.aof": SOUND + command("FLUSHALL"),
    "torn.aof": SOUND + b"*3\r\n$3\r\nSET\r\n$3",
}

# Name, arguments, and the result. Some replace what is there.
COMMANDS = [
    ("compact", "compact sound.aof -o new", "new"),
    ("compact to a set", "compact sound.aof -o new --format multipart", "new"),
    ("compact to commands", "compact sound.aof -o new --format aof", "new"),
    ("convert", "convert sound.aof --for redis-6.2 -o new", "new"),
    ("merge", "merge sound.aof flushed.aof -o new", "new"),
    ("recover", "recover flushed.aof --strip -o new", "new"),
    ("recover in place", "recover flushed.aof --strip --in-place", "flushed.aof"),
    ("repair", "repair torn.aof -o new", "new"),
    ("repair in place", "repair torn.aof --in-place", "torn.aof"),
    ("check-aof", "check-aof --fix --yes torn.aof", "torn.aof"),
    ("compress", "compress sound.aof -o new", "new"),
    ("replace", "compress other.aof -o old.zip --force", "old.zip"),
    ("extract", "extract sound.zip -o new", "new"),
    ("restore", "restore sound.zip -o new", "new"),
    ("generate", "generate -o new --commands 200", "new"),
    ("backup", "backup sound.aof --to archives --name-template new.zip", "archives/new.zip"),
]


def make_source(program, top):
    """Makes the directory in which the commands run."""
    os.makedirs(os.path.join(top, "archives"))
    for name, log in LOGS.items():
        with open(os.path.join(top, name), "wb") as out:
            out.write(log)
    for archive in ("sound.zip", "old.zip"):
        subprocess.run([program, "-q", "compress", "sound.aof", "-o", archive], cwd=top, check=True)


def content(path):
    """A digest of a file, or of all files in a directory; None where there is nothing."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    if not os.path.isdir(path):
        return None
    found = []
    for top, _, names in sorted(os.walk(path)):
        for name in sorted(names):
            if not name.endswith(".lock"):
                whole = os.path.join(top, name)
                found.append((os.path.relpath(whole, path), content(whole)))
    return repr(found) if found else None


class Trial:
    """One command, and the directory in which it runs again and again."""

    def __init__(self, program, name, line, result):
        self.program, self.name, self.line, self.result = program, name, line, result
        self.place = os.path.realpath(tempfile.mkdtemp(prefix="aofkit-trial-"))
        self.source = os.path.join(self.place, "source")
        make_source(program, self.source)

    def copy(self):
        """A new copy of the source."""
        at = os.path.join(self.place, "run")
        shutil.rmtree(at, ignore_errors=True)
        shutil.copytree(self.source, at)
        return at

    def environment(self):
        return {"PATH": os.environ["PATH"], "TMPDIR": self.place, "TZ": "UTC"}

    def remove(self):
        shutil.rmtree(self.place, ignore_errors=True)

    def judge(self, at):
        """What can be read of the result: a log by its fingerprint, so that the time in an archive does not matter."""
        path = os.path.join(at, self.result)
        if at != self.source and content(path) == content(os.path.join(self.source, self.result)):
            return self.before()
        return self.fingerprint(path) if os.path.lexists(path) else None

    def fingerprint(self, path):
        seen = subprocess.run([self.program, "digest", "--fingerprint", path], capture_output=True, text=True)
        found = re.search(r"fingerprint +(\w+)", seen.stdout)
        if not found or seen.returncode not in (0, 1):
            return "unreadable: " + seen.stderr
        # A torn log has the keys of the repaired one.
        verified = subprocess.run([self.program, "verify", "-q", path], stderr=subprocess.DEVNULL)
        return found.group(1), verified.returncode

    def before(self):
        if not hasattr(self, "_before"):
            self._before = self.judge(self.source)
        return self._before

    def changed_input(self, at):
        """The first input that is not what it was."""
        for name in os.listdir(self.source):
            is_result = name == self.result.split("/")[0]
            if not is_result and content(os.path.join(at, name)) != content(os.path.join(self.source, name)):
                return name
        return None


def unfinished(at):
    """The unfinished output in a directory."""
    return [n for top, d, f in os.walk(at) for n in d + f if n.startswith(".") and n.endswith(".tmp")]
