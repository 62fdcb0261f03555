#!/bin/bash
# What learning from a site's own decisions changes: bench/learn.sh FILE.jsonl ...
#
# The labels of the sets stand for the decisions of reviewers, of all content, and of what was flagged alone, as in a review queue.  Prints
# the reports of moderation.learn(), which are on decisions held back; see docs/reference.md.  A line is as .ci/eval says.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || { echo "usage: bench/learn.sh FILE.jsonl ..." >&2; exit 1; }
.ci/build
files=$(realpath "$@")
report() {
    echo; echo "$1"
    psql -Xq -v ON_ERROR_STOP=1 -c '\timing on' -c "SET client_min_messages = warning" -c "SET maintenance_work_mem = '1GB'" -c "
        SELECT category, decisions, harmless, false_alarms_before AS alarms, false_alarms_after AS alarms_after, violations, missed_before AS missed,
            missed_after FROM moderation.learn('TABLE $2') WHERE learned"
}
site() {
    psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION moderation' -c 'CREATE TABLE line (line text)'
    for file in $files; do
        # A text format in which nothing needs an escape: the separator and quote are bytes that JSON cannot contain.
        psql -Xq -v ON_ERROR_STOP=1 -c "\\copy line FROM '$file' WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')"
    done
    psql -Xq -v ON_ERROR_STOP=1 <<'SQL'
CREATE TABLE key (key text, category text);
INSERT INTO key SELECT category, category FROM moderation.category
UNION ALL VALUES ('sexual', 'pornography'), ('sexual_minors', 'child_sexual_exploitation'), ('grooming', 'child_grooming'),
    ('trafficking', 'human_trafficking'), ('gore', 'graphic_violence'), ('misinformation', 'deception'),
    ('impersonation_fraud', 'inauthentic'), ('malware_cyber', 'cyber_attack'), ('political_sensitive', 'politics'),
    ('illicit_other', 'illegal_activity'), ('benign', NULL);
CREATE TABLE decision AS
SELECT line::jsonb ->> 'text' AS content, k.category, l.value = '1' AND k.key <> 'benign' AS upheld
FROM line, jsonb_each_text(line::jsonb -> 'labels') AS l JOIN key AS k USING (key)
WHERE k.key <> 'benign' OR l.value = '1';
CREATE TABLE reviewed AS
SELECT d.* FROM decision AS d, moderation.classify(d.content) AS c WHERE c.category = d.category AND c.flagged;
SQL
    report 'Decisions on all content:' decision
    report 'Decisions on what was flagged alone:' reviewed
}
export -f site report; export files
CLUSTER_OPTIONS="-c fsync=off -c max_wal_size=4GB" .ci/cluster bash -c 'set -eu; site'
