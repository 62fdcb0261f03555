#!/bin/bash
# What it costs that a refusal leaves a durable violation: refusals that record against refusals that record nothing (a frozen
# account's) and against the commit of an ordinary row, which like a record ends in a flush.  Side by side on one private server.
# Prints p50 and p99 in microseconds, and how many a second.
#
#   bench/recorder.sh [SECONDS for each figure and round] [ROUNDS]
set -eu
seconds=${1:-2} rounds=${2:-3}
if [ -z "${MODERATION_DATA:-}" ]; then
    cd "$(dirname "$0")/.."
    exec .ci/cluster bash bench/recorder.sh "$seconds" "$rounds"
fi
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT

psql -Xqo /dev/null -v ON_ERROR_STOP=1 <<'SQL'
CREATE EXTENSION moderation;
\i t/recorder/load.sql
CREATE TABLE plain (account text, body text);
SELECT moderation.freeze('frozen', 'for the baseline');
SQL
echo "INSERT INTO plain VALUES ('account', 'a zorblax in passing');" > "$dir/commit.sql"
echo "SELECT refused('frozen');" > "$dir/nothing.sql"
printf '%s\n' '\set n random(1, 1000)' "SELECT refused('account ' || :n);" > "$dir/recorded.sql"

run() {     # KIND CLIENTS FILE: appends latencies in us, prints transactions a second
    pgbench -n -M prepared -c "$2" -j 1 -T "$seconds" -l --log-prefix="$dir/log" -f "$dir/$1.sql" > "$dir/out" 2>"$dir/err" || { cat "$dir/err" >&2; exit 1; }
    cat "$dir"/log.* | awk '{print $3}' >> "$3"; rm -f "$dir"/log.*
    sed -nE 's/^tps = ([0-9]+).*without.*/\1/p' "$dir/out" >> "$3.tps"
}
percentile() { sort -n "$2" | awk -v p="$1" '{v[NR] = $1} END {i = int(NR * p / 100 + 0.5); print v[i < 1 ? 1 : i]}'; }

printf '%-8s %-28s %8s %8s %12s\n' clients '' 'p50 us' 'p99 us' 'per second'
for clients in 1 8; do
    for _ in $(seq "$rounds"); do
        for kind in nothing commit recorded; do run $kind $clients "$dir/$kind.$clients"; done
    done
    for kind in nothing commit recorded; do
        case $kind in nothing) what='refusal, nothing recorded' ;; commit) what='commit of an ordinary row' ;; *) what='refusal, recorded' ;; esac
        printf '%-8s %-28s %8s %8s %12s\n' $clients "$what" "$(percentile 50 "$dir/$kind.$clients")" "$(percentile 99 "$dir/$kind.$clients")" \
            "$(sort -n "$dir/$kind.$clients.tps" | tail -n 1)"
    done
    awk -v c=$clients -v a="$(percentile 50 "$dir/nothing.$clients")" -v b="$(percentile 50 "$dir/recorded.$clients")" -v d="$(percentile 50 "$dir/commit.$clients")" \
        'BEGIN {printf "%-8s recording adds at p50: %d us, %.1f times a commit\n", c, b - a, (b - a) / d}'
done
psql -XAtc "SELECT 'recorded ' || count(*) || ', under as many ids: ' || (count(*) = count(DISTINCT violation_id)) || ', fallbacks ' || (SELECT fallbacks FROM moderation.recorder_status()) FROM moderation.violation"
