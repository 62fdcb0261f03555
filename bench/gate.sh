#!/bin/bash
# What the gate costs an account that may write, and what freezes cost everybody else.
#
# Cost: rows without content, so that nothing is scanned, into a table without a trigger, one with a trigger in C that does nothing
# (autoinc, whose column is given), and a guarded one; interleaved in one run, the minimum of the repetitions, in microseconds of
# backend CPU.  The guard's two triggers are in its figure.  WAL is counted in bytes.
# Churn: 8 writers among 100,000 accounts with a status, 5,000 of them frozen, with and without a moderator who freezes 90 accounts a
# second, interleaved; transactions per second, the maximum of the repetitions, and the latency of a freeze.  A freeze lets commits in
# flight end, and then keeps others waiting during its own: what that costs is two flushes of WAL for each freeze, and so depends
# on the disk.  CLUSTER_OPTIONS="-c fsync=off" shows what is left without it.
#
#   bench/gate.sh [REPETITIONS]        default 5; about two minutes
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${MODERATION_DATA:-}" ] || exec env CLUSTER_OPTIONS="-c shared_buffers=256MB -c max_wal_size=4GB -c autovacuum=off ${CLUSTER_OPTIONS:-}" .ci/cluster "$0" "$@"
repetitions=${1:-5} seconds=4
bin=$("${PG_CONFIG:-pg_config}" --bindir)
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; chmod 755 "$dir"
psql() { command psql -X -q -v ON_ERROR_STOP=1 -At "$@"; }
psql <<'SQL'
SET client_min_messages = error;
CREATE EXTENSION moderation;
CREATE EXTENSION autoinc;
CREATE TABLE plain (author text, body text, n int DEFAULT 1);
CREATE TABLE noop (LIKE plain INCLUDING DEFAULTS);
CREATE TABLE gated (LIKE plain INCLUDING DEFAULTS);
CREATE TRIGGER noop BEFORE INSERT ON noop FOR EACH ROW EXECUTE FUNCTION autoinc('n', 'nothing');
SELECT FROM (SELECT moderation.guard('gated', '{body}', 'author')) AS x;
CREATE TABLE cost (path text, variant text, cpu float8, wal float8);
CREATE FUNCTION cpu() RETURNS float8 LANGUAGE sql AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::float8 / 1000 $$;
-- A transaction for each row.
CREATE PROCEDURE put(variant text, count int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. count LOOP
		CASE variant
			WHEN 'plain' THEN INSERT INTO plain VALUES ('account ' || i % 1000);
			WHEN 'noop' THEN INSERT INTO noop VALUES ('account ' || i % 1000);
			ELSE INSERT INTO gated VALUES ('account ' || i % 1000);
		END CASE;
		COMMIT;
	END LOOP;
END $$;
SQL

one() {
    local path=$1 variant=$2 count=$3 statement=$4
    psql <<SQL
SET client_min_messages = error; SET synchronous_commit = off;
TRUNCATE $variant; INSERT INTO $variant SELECT 'warm' FROM generate_series(1, 200); CHECKPOINT;
CALL put('$variant', 100);
SELECT cpu() AS cpu, pg_current_wal_insert_lsn() AS lsn \gset
$statement;
SELECT (cpu() - :cpu) / $count AS cpu, (pg_current_wal_insert_lsn() - :'lsn')::float8 / $count AS wal \gset
INSERT INTO cost VALUES ('$path', '$variant', :cpu, :wal);
SQL
}
for ((i = 0; i < repetitions; i++)); do
    for variant in plain noop gated; do
        one 'a transaction a row' $variant 10000 "CALL put('$variant', 10000)"
        one 'bulk, one account' $variant 50000 "INSERT INTO $variant SELECT 'one' FROM generate_series(1, 50000)"
        one 'bulk, each its own' $variant 50000 "INSERT INTO $variant SELECT 'account ' || n FROM generate_series(1, 50000) AS n"
    done
done
command psql -X -q -P footer=off <<'SQL'
WITH m AS (SELECT path, variant, min(cpu) AS cpu, min(wal) AS wal FROM cost GROUP BY 1, 2)
SELECT p.path AS rows, round(p.cpu::numeric, 2) AS "plain us", round(n.cpu::numeric, 2) AS "no-op trigger us", round(g.cpu::numeric, 2) AS "guard us",
	round((g.cpu - p.cpu)::numeric, 2) AS "guard - plain", round((g.cpu - n.cpu)::numeric, 2) AS "guard - no-op", round(p.wal::numeric, 1) AS "WAL bytes a row, plain", round(g.wal::numeric, 1) AS "guard"
FROM m AS p JOIN m AS n USING (path) JOIN m AS g USING (path) WHERE p.variant = 'plain' AND n.variant = 'noop' AND g.variant = 'gated' ORDER BY 1;
SQL

psql <<'SQL'
INSERT INTO moderation.account (account, strikes) SELECT 'account ' || n, 1 FROM generate_series(1, 95000) AS n;
INSERT INTO moderation.account (account, state) SELECT 'frozen ' || n, 'frozen' FROM generate_series(1, 5000) AS n;
CREATE SEQUENCE victim;
VACUUM ANALYZE moderation.account;
SQL
for variant in plain gated; do
    printf '%s\n' '\set n random(1, 95000)' "INSERT INTO $variant VALUES ('account ' || :n);" > "$dir/$variant.sql"
done
echo "SELECT moderation.freeze('victim ' || nextval('victim'), 'bench');" > "$dir/freeze.sql"
writers() { "$bin/pgbench" -n -M prepared -c 8 -j 2 -T $seconds -f "$dir/$1.sql" | sed -nE 's/^tps = ([0-9.]+).*/\1/p'; }
echo "one writer, one commit at a time: $("$bin/pgbench" -n -M prepared -c 1 -T 2 -f "$dir/plain.sql" | sed -nE 's/^latency average = //p')"
for ((i = 0; i < repetitions; i++)); do
    for variant in plain gated; do
        psql -c "TRUNCATE $variant" -c CHECKPOINT
        echo "$variant quiet $(writers $variant)"
        "$bin/pgbench" -n -M prepared -c 1 -R 90 -T $((seconds + 1)) -f "$dir/freeze.sql" > "$dir/freezes" & pid=$!
        sleep 0.5
        echo "$variant churn $(writers $variant)"
        wait $pid
        sed -nE "s/^number of transactions actually processed: ([0-9]+).*/$variant freezes \1/p; s/^latency average = ([0-9.]+).*/$variant latency \1/p; s/^rate limit schedule lag: avg ([0-9.]+).*/$variant latency -\1/p" "$dir/freezes"
    done
done > "$dir/churn"
awk -v s=$((seconds + 1)) '
    $2 == "freezes" || $2 == "latency" {sum[$1 $2] += $3; count[$1 $2] += $3 > 0; next}	# the latency without the lag of the schedule
    $3 > best[$1 $2] {best[$1 $2] = $3}
    END {
        printf "8 writers, tps: no guard %d, with freezes %d (%.2f); guard %d, with freezes %d (%.2f)\n",
            best["plainquiet"], best["plainchurn"], best["plainchurn"] / best["plainquiet"], best["gatedquiet"], best["gatedchurn"], best["gatedchurn"] / best["gatedquiet"]
        printf "freezes a second: %.0f and %.0f; latency of a freeze, ms: %.1f beside writers without a guard, %.1f beside guarded ones\n",
            sum["plainfreezes"] / count["plainfreezes"] / s, sum["gatedfreezes"] / count["gatedfreezes"] / s,
            sum["plainlatency"] / count["plainlatency"], sum["gatedlatency"] / count["gatedlatency"]
    }' "$dir/churn"
