"""What the loops have in common in which each system call of a command fails once: faults and server-faults."""

import argparse
import os
import random
import re
import shutil
import sys
import time


def some_of_each(calls, most):
    """At most so many of each call: the first and the last, between which the same is done again and again."""
    some = []
    for name in sorted({call for call, _ in calls}):
        of_name = [one for one in calls if one[0] == name]
        some += of_name if len(of_name) <= most else of_name[:most // 2] + of_name[-(most // 2):]
    return some


def own_calls(trace, begins):
    """Every (call, number) in a trace after the program has begun its own work, in whose lines `begins` is."""
    counts, found, begun = {}, [], False
    for line in trace.splitlines():
        call = re.match(r"\d+ +(\w+)\(", line)
        if not call:
            continue
        call = call.group(1)
        counts[call] = counts.get(call, 0) + 1
        # What the loader opens and maps before is the system's.
        begun = begun or any(text in line for text in begins)
        # A process that cannot be looked at is one of another user.
        if begun and '"/proc' not in line:
            found.append((call, counts[call]))
    return found


def arguments(description):
    """The options of such a loop, without the program."""
    if not shutil.which("strace"):
        sys.exit("strace is missing")
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", default="target/debug/aofkit", type=os.path.abspath)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    return parser


def let_each_fail(kinds, options):
    """Makes the trials, lets their calls fail in a random order for --seconds, and exits with what was wrong."""
    trials, wrong, done = [], 0, 0
    try:
        for make in kinds:
            trials.append(make())
        faults = [(trial, *call) for trial in trials for call in trial.calls()]
        random.Random(options.seed).shuffle(faults)
        end = time.monotonic() + options.seconds
        for trial, call, number in faults:
            if time.monotonic() > end:
                break
            found = trial.fault(call, number)
            done += 1
            if found:
                wrong += 1
                print(found, flush=True)
    finally:
        for trial in trials:
            trial.remove()
    print(f"{done} of {len(faults)} calls failed once, seed {options.seed}: {wrong} wrong")
    sys.exit(1 if wrong else 0)
