#!/bin/bash
# Measures the time and memory of every subcommand on one log and prints a Markdown table: see README.md in this
# directory.
#
#   benches/each_subcommand.sh AOFKIT LOG [ROUNDS]
#
# Time is a multiple of the time that `dd` takes to read LOG in the same round; the table shows the median of the
# rounds. Memory is the peak of the anonymous memory (RssAnon), sampled a hundred times a second. Needs Linux, bash, awk
# and dd, and free space for twice LOG next to it.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
aofkit=$(realpath "$1") log=$(realpath "$2") rounds=${3:-3}
work=$(mktemp -d "$(dirname "$log")/each-subcommand.XXXXXX")
trap 'rm -rf "$work"' EXIT
figures=$work/figures

now() { date +%s%N; }

# The inputs of the subcommands: an RDB, an archive, a log that ends in a FLUSHALL, one with damage in the middle, a key.
"$aofkit" compact "$log" --format rdb --no-check --output "$work/dump.rdb" --quiet >"$work/messages"
"$aofkit" compress "$log" --no-check --level 1 --output "$work/log.zip" --quiet >"$work/messages"
cp "$log" "$work/flushed.aof"
printf '*1\r\n$8\r\nFLUSHALL\r\n' >>"$work/flushed.aof"
cp "$log" "$work/damaged.aof"
printf '%300s' damage | dd of="$work/damaged.aof" bs=1 seek=$(($(stat -c %s "$log") / 2)) conv=notrunc status=none
key=$("$aofkit" log --limit 1 --json "$log" | sed -n 's/.*"args":\[{[^}]*},{"text":"\([^"]*\)".*/\1/p' | head -1)
key=${key:-user:1}

# Runs dd and then a subcommand, and records the nanoseconds of both and the subcommand's peak memory in KiB.
measure() {
    local name=$1; shift
    rm -rf "$work/out" "$work/archives"
    mkdir "$work/archives"
    sync
    local start read took peak=0 anon pid
    start=$(now); dd if="$log" of=/dev/null bs=1M status=none; read=$(($(now) - start))
    start=$(now)
    "$aofkit" "$@" --quiet >/dev/null 2>"$work/errors" &
    pid=$!
    while anon=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status" 2>/dev/null) && [ -n "$anon" ]; do
        [ "$anon" -le "$peak" ] || peak=$anon
        sleep 0.01
    done
    # Exit code 1 means findings.
    wait "$pid" || [ $? -eq 1 ] || { cat "$work/errors" >&2; exit 1; }
    took=$(($(now) - start))
    printf '%s\t%s\t%s\t%s\n' "$name" "$read" "$took" "$peak" >>"$figures"
}

cat "$log" "$work"/*.* >/dev/null
for _ in $(seq "$rounds"); do
    measure 'verify' verify "$log"
    measure 'verify, of an RDB' verify "$work/dump.rdb"
    measure 'verify, of an archive' verify "$work/log.zip"
    measure 'check-aof' check-aof "$log"
    measure 'recover, report only' recover "$work/flushed.aof"
    measure 'recover --strip' recover "$work/flushed.aof" --strip --output "$work/out"
    measure 'recover --undelete' recover "$work/flushed.aof" --undelete 'user:*' --output "$work/out"
    measure 'repair --salvage' repair "$work/damaged.aof" --salvage --output "$work/out"
    measure 'log' log "$log"
    measure 'history' history "$key" "$log"
    measure 'digest' digest "$log"
    measure 'diff, log and RDB' diff "$log" "$work/dump.rdb"
    measure 'compact' compact "$log" --format aof --output "$work/out"
    measure 'compact --memory 32mb' compact "$log" --format aof --memory 32mb --output "$work/out"
    measure 'compact, to an RDB base' compact "$log" --format multipart --output "$work/out"
    measure 'compress' compress "$log" --output "$work/out.zip" --force
    measure 'extract' extract "$work/log.zip" --output "$work/out"
    measure 'backup' backup "$log" --to "$work/archives"
    measure 'backup --compact' backup "$log" --compact --to "$work/archives"
    measure 'restore' restore "$work/log.zip" --output "$work/out"
    measure 'generate, as much' generate --size "$(stat -c %s "$log")b" --output "$work/out"
done

awk -F'\t' '
    !($1 in n) { order[++names] = $1 }
    { ratio[$1, ++n[$1]] = $3 / $2; if ($4 > memory[$1]) memory[$1] = $4 }
    END {
        print "| subcommand | time, in reads by dd | memory |"
        print "|---|---|---|"
        for (i = 1; i <= names; i++) {
            name = order[i]
            for (a = 1; a <= n[name]; a++)
                for (b = a + 1; b <= n[name]; b++)
                    if (ratio[name, b] < ratio[name, a]) { t = ratio[name, a]; ratio[name, a] = ratio[name, b]; ratio[name, b] = t }
            shown = name; more = ""
            if (comma = index(name, ", ")) { shown = substr(name, 1, comma - 1); more = substr(name, comma) }
            printf "| `%s`%s | %.1f | %.0f MB |\n", shown, more, ratio[name, int((n[name] + 1) / 2)], memory[name] * 1024 / 1e6
        }
    }' "$figures"
