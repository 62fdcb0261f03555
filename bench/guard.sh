#!/bin/bash
# What a guard costs: a table without one, one whose triggers fire and pass (moderation.mode = restore), and a guarded one with the
# built-in policy, interleaved in one run; medians over the repetitions.  Microseconds per row, of backend CPU and on the clock.
#
#   bench/guard.sh [REPETITIONS]        default 5; about two minutes
set -eu
cd "$(dirname "$0")/.."
[ -n "${MODERATION_DATA:-}" ] || exec env CLUSTER_OPTIONS="-c shared_buffers=256MB -c max_wal_size=4GB ${CLUSTER_OPTIONS:-}" .ci/cluster "$0" "$@"
repetitions=${1:-5}
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; chmod 755 "$dir"
psql() { command psql -X -q -v ON_ERROR_STOP=1 -At "$@"; }
psql -f bench/guard.sql | grep rows

# The statements of each path, one file for each language and table; a round of warming up opens the policy and fills the plan.
declare -A rows=([transaction]=10000 [autocommit]=3000 [copy]=40000)
for language in English Chinese; do
    command psql -X -q -c "COPY (SELECT n, account, body FROM text_row, generate_series(1, 20) AS g WHERE language = '$language') TO STDOUT" > "$dir/all"
    for path in transaction autocommit copy; do
        count=${rows[$path]}
        for table in plain passing guarded; do
            {
                [ $table != passing ] || echo "SET client_min_messages = error; SET moderation.mode = restore;"
                echo "TRUNCATE $table; SET synchronous_commit = off; CHECKPOINT;"
                echo "PREPARE put (int, text, text) AS INSERT INTO $table VALUES (\$1, \$2, \$3);"
                [ $path != transaction ] || echo 'BEGIN;'
                echo "INSERT INTO $table SELECT n, account, body FROM text_row WHERE language = '$language' LIMIT 200;"
                echo 'SELECT cpu() AS cpu, extract(epoch FROM clock_timestamp()) * 1e6 AS wall \gset'
                if [ $path = copy ]; then
                    echo "COPY $table FROM stdin;"; head -n "$count" "$dir/all"; echo '\.'
                else
                    head -n "$count" "$dir/all" | awk -F'\t' '{printf "EXECUTE put(%s, '\''%s'\'', '\''%s'\'');\n", $1, $2, $3}'
                fi
                echo "SELECT (cpu() - :cpu) / $count AS cpu, (extract(epoch FROM clock_timestamp()) * 1e6 - :wall) / $count AS wall \gset"
                [ $path != transaction ] || echo 'COMMIT;'
                echo "RESET moderation.mode; INSERT INTO result VALUES ('$language', '$path', '$table', :cpu, :wall);"
            } > "$dir/$language.$path.$table"
        done
    done
done

for ((i = 0; i < repetitions; i++)); do
    for run in "$dir"/*.*.*; do psql -f "$run" >/dev/null; done
done
[ "$(psql -c 'SELECT count(*) FROM moderation.violation')" = 0 ] || { echo "the guard found violations in rows that have none" >&2; exit 1; }
command psql -X -q -P footer=off <<'SQL'
WITH m AS (
    SELECT language, path, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu, percentile_cont(0.5) WITHIN GROUP (ORDER BY wall) AS wall
    FROM result GROUP BY 1, 2, 3)
SELECT p.language, p.path, round(p.cpu::numeric, 1) AS "plain us CPU", round(p.wall::numeric, 1) AS "us clock",
    round((t.cpu / p.cpu)::numeric, 2) AS "triggers / plain CPU", round((g.cpu / p.cpu)::numeric, 2) AS "guarded / plain CPU",
    round((g.wall / p.wall)::numeric, 2) AS "guarded / plain clock", round((g.cpu - p.cpu)::numeric, 1) AS "guard us CPU"
FROM m AS p JOIN m AS t USING (language, path) JOIN m AS g USING (language, path)
WHERE p.variant = 'plain' AND t.variant = 'passing' AND g.variant = 'guarded'
ORDER BY p.language DESC, CASE p.path WHEN 'copy' THEN 3 WHEN 'transaction' THEN 1 ELSE 2 END;
SQL
