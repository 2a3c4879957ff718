#!/bin/bash
# Compares `aofkit compact` with a redis-server that loads the same log and rewrites it (BGREWRITEAOF). Measures whole
# processes in pairs: see README.md in this directory.
#
#   benches/compact_vs_server.sh AOFKIT REDIS_SERVER LOG [PAIRS]
#
# Needs Linux, bash, redis-cli, awk and /usr/bin/time, and free space for twice the log's data set next to LOG.
set -euo pipefail

[ $# -ge 3 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2; }
# Symbolic links are not resolved: the behaviour of a server's program depends on its name.
aofkit=$(realpath -s "$1") server=$(realpath -s "$2") log=$(realpath "$3") pairs=${4:-3}
work=$(mktemp -d "$(dirname "$log")/compact-bench.XXXXXX")
server_pid=
trap '[ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true; rm -rf "$work"' EXIT
figures=$work/figures

now() { date +%s.%N; }
ask() { redis-cli -s "$work/socket" "$@" 2>/dev/null | tr -d '\r' || true; }
field() { ask INFO "$1" | sed -n "s/^$2://p"; }

# The server moves the log into a directory of its own, so it gets a hard link to the file. It never writes to it.
server_run() {
    rm -rf "$work/data" && mkdir "$work/data" && ln "$log" "$work/data/appendonly.aof"
    local start; start=$(now)
    "$server" --port 0 --unixsocket "$work/socket" --dir "$work/data" --save '' --appendonly yes \
        --appendfsync no --loglevel warning >"$work/server.log" 2>&1 &
    server_pid=$!
    until [ "$(field persistence loading)" = 0 ]; do
        kill -0 "$server_pid" || { cat "$work/server.log" >&2; exit 1; }
        sleep 0.02
    done
    ask BGREWRITEAOF >"$work/answer"
    until [ "$(field persistence aof_rewrite_in_progress)$(field persistence aof_rewrite_scheduled)" = 00 ]; do
        sleep 0.02
    done
    local end; end=$(now)
    [ "$(field persistence aof_last_bgrewrite_status)" = ok ] || { echo "the rewrite failed" >&2; exit 1; }
    local rss cpu
    rss=$(field memory used_memory_rss)
    cpu=$(ask INFO cpu | awk -F: '/^used_cpu_(sys|user)(_children)?:/ { sum += $2 } END { print sum }')
    kill "$server_pid"; wait "$server_pid" || true; server_pid=
    rm -rf "$work/data"
    echo "server $(awk "BEGIN { print $end - $start }") $cpu $rss" >>"$figures"
}

# Memory is the anonymous memory that aofkit reports: the peak of the process includes the mapped log.
aofkit_run() {
    local name=$1; shift
    rm -rf "$work/out" "$work/report"
    /usr/bin/time -o "$work/time" -f '%e %U %S' "$aofkit" compact "$log" --output "$work/out" --json "$@" >"$work/report"
    local memory
    memory=$(sed -n 's/^ *"memory_bytes": \([0-9]*\).*/\1/p' "$work/report")
    awk -v name="$name" -v memory="${memory:-0}" '{ print name, $1, $2 + $3, memory }' "$work/time" >>"$figures"
    rm -rf "$work/out"
}

cat "$log" >/dev/null
for _ in $(seq "$pairs"); do
    server_run
    aofkit_run no-check --no-check
    aofkit_run check
    aofkit_run rdb-no-check --no-check --format multipart --for redis-7.0
    aofkit_run rdb-check --format multipart --for redis-7.0
    aofkit_run one-thread-no-check --no-check --threads 1
done

# The medians of the ratios of the server's values to aofkit's, pair by pair.
awk '
    { n = ++count[$1]; wall[$1, n] = $2; cpu[$1, n] = $3; memory[$1, n] = $4; if (n == 1) names[++total] = $1 }
    function median(of, what, name, n,   i, j, t, v) {
        for (i = 1; i <= n; i++) {
            if (what == "wall") v[i] = wall[of, i] / wall[name, i]
            else if (what == "cpu") v[i] = cpu[of, i] / cpu[name, i]
            else v[i] = memory[name, i] / memory[of, i]
        }
        for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) if (v[j] < v[i]) { t = v[i]; v[i] = v[j]; v[j] = t }
        return v[int((n + 1) / 2)]
    }
    END {
        for (k = 1; k <= total; k++) {
            name = names[k]
            for (i = 1; i <= count[name]; i++)
                printf "%-20s %8.2f s wall %8.2f s processor %6.0f MB\n", name, wall[name, i], cpu[name, i], memory[name, i] / 1e6
        }
        for (k = 1; k <= total; k++) if (names[k] != "server")
            printf "%-20s %5.1f times as fast, %5.1f times less processor time, %.2f of the memory\n", names[k],
                median("server", "wall", names[k], count[names[k]]), median("server", "cpu", names[k], count[names[k]]),
                median("server", "memory", names[k], count[names[k]])
    }' "$figures"
