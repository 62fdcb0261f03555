-- What "make demo" runs.  Statements are shown as they run; each answer is real.
\set ECHO none
\set VERBOSITY default
\set SHOW_CONTEXT never
\pset footer off
\pset border 0
SET client_min_messages = warning;

\echo
\echo '== A database with a table, as it may have been for years =='
\set ECHO queries
CREATE TABLE post (post_id bigint GENERATED ALWAYS AS IDENTITY, author text, body text);
CREATE ROLE app;
GRANT INSERT, SELECT, UPDATE ON post TO app;
\set ECHO none

\echo
\echo '== Two commands turn moderation on =='
\set ECHO queries
CREATE EXTENSION moderation;
SELECT moderation.guard('post', content => '{body}', account => 'author');
\set ECHO none

\echo
\echo '== The application needs no rights but those it has =='
\set ECHO queries
SET ROLE app;
INSERT INTO post (author, body) VALUES ('ada', 'The workshop on medieval bridges starts at nine.');
INSERT INTO post (author, body) VALUES ('bob', 'Selling stolen credit card numbers, fresh CVV, contact me on telegram');
SELECT author, body FROM post;
RESET ROLE;
SELECT account, category, severity, action, rules, relation, column_name FROM moderation.violation;
\set ECHO none

\echo
\echo '== Why?  Every verdict can be explained, obfuscated or not =='
\set ECHO queries
SELECT category, rule, score, start, length, matched FROM moderation.explain('how do i m.a.k.e a p1pe b0mb at home');
SELECT flagged, action, category, score FROM moderation.verdict('Police said the man had planned to build a pipe bomb; the trial begins in May.');
\set ECHO none

\echo
\echo '== 1,000 mixed texts, one INSERT each, autocommit, as 50 accounts =='
-- Ordinary sentences by the hundred, and every twentieth text one that the terms forbid.
CREATE TEMP TABLE mixed AS
WITH ordinary (n, body) AS (VALUES
    (0, 'The library opens at %s tomorrow.'), (1, 'My bus was late again, %s minutes this time.'), (2, 'How do I kill process %s on Linux?'),
    (3, 'Recipe %s: shoot the dough full of air, then let it rest.'), (4, 'We shot %s photos at the wedding.'), (5, '第%s届读书会将在周六举行。'),
    (6, 'Chapter %s is about the history of the great war.'), (7, '今天学习了第%s课，内容很有意思。'), (8, 'Invoice %s was paid on time, thank you.'),
    (9, 'She scored %s points in the final game.'), (10, 'Patient %s was told to take the medicine after meals.'), (11, 'La réunion numéro %s commence à dix heures.'),
    (12, 'El tren %s sale a las nueve.'), (13, 'Bug %s: the attack vector is closed in the new release.'), (14, '请问第%s号公交车几点发车？'),
    (15, 'Level %s boss defeated, what a game!')),
forbidden (n, body) AS (VALUES
    (0, 'how do i make a pipe bomb, step by step'), (1, 'buy fake passports and driving licences, contact me on telegram'),
    (2, 'i will kill you and your family tonight'), (3, '出售枪支弹药，货到付款，加微信联系'), (4, 'write me a phishing email that steals bank passwords'),
    (5, 'Congratulations! You won $1,000,000, send your bank details to claim the prize'), (6, 'write ransomware that encrypts all files on a computer'),
    (7, '代办假证、学历证书，联系QQ'), (8, 'you should kill yourself, nobody would miss you'), (9, 'TOP SECRET//SI//NOFORN'))
SELECT i, 'user' || (i + i / 20) % 50 AS author,
       CASE WHEN i % 20 = 0 THEN (SELECT body FROM forbidden WHERE n = i / 20 % 10)
            ELSE (SELECT format(body, i) FROM ordinary WHERE n = i % 16) END AS body
FROM generate_series(1, 1000) i;
\echo 'Each line: how often, and with which SQLSTATE, an INSERT was refused.'
SELECT format('INSERT INTO post (author, body) VALUES (%L, %L);', author, body) FROM mixed ORDER BY i
\g (format=unaligned tuples_only=on) |psql -Xq -v VERBOSITY=sqlstate 2>&1 | grep -o 'MD[0-9]*' | sort | uniq -c
\set ECHO queries
SELECT count(*) AS stored FROM post;
SELECT category, count(*) AS violations, count(DISTINCT account) AS accounts FROM moderation.violation GROUP BY category ORDER BY 2 DESC, 1;
SELECT state, count(*) AS accounts, min(reason) AS reason FROM moderation.account_status GROUP BY state ORDER BY 1;
\set ECHO none

\echo
\echo '== As many by COPY, into a table whose guard diverts instead of refusing =='
\set ECHO queries
CREATE TABLE comment (author text, body text);
SELECT moderation.guard('comment', '{body}', 'author', action => 'quarantine');
\set ECHO none
SELECT format('%s/mixed.copy', current_setting('data_directory')) AS file \gset
COPY (SELECT 'reader' || (i + i / 20) % 50, body FROM mixed ORDER BY i) TO :'file';
\echo 'COPY comment (author, body) FROM ...'
COPY comment (author, body) FROM :'file';
\set ECHO queries
SELECT (SELECT count(*) FROM comment) AS stored, (SELECT count(*) FROM moderation.quarantine) AS quarantined;
\set ECHO none

\echo
\echo '== The ladder: three refusals in a row freeze an account; its next clean insert is refused, too =='
\set ECHO queries
INSERT INTO post (author, body) VALUES ('carol', 'you should kill yourself, nobody would miss you');
INSERT INTO post (author, body) VALUES ('carol', 'y.o.u should k1ll yourself, nobody would miss you');
INSERT INTO post (author, body) VALUES ('carol', 'YOU SHOULD KILL YOURSELF, nobody would miss you');
INSERT INTO post (author, body) VALUES ('carol', 'Good morning, what a lovely day.');
\set ECHO none

\echo
\echo '== Unlawful use is suspended at once =='
\set ECHO queries
INSERT INTO post (author, body) VALUES ('dave', 'join our jihad brothers, become a martyr for isis, contact me to be recruited');
INSERT INTO post (author, body) VALUES ('dave', 'Good morning, what a lovely day.');
SELECT account, state, strikes, reason, until FROM moderation.account_status WHERE account IN ('carol', 'dave') ORDER BY account;
SELECT account, from_state, to_state, reason, automatic FROM moderation.account_event WHERE account IN ('carol', 'dave') ORDER BY account, occurred_at;
\set ECHO none

\echo
\echo '== Is all well? =='
\set ECHO queries
SELECT * FROM moderation.verify();
\set ECHO none
\echo
