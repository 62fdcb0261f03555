-- The ledger is told what befalls a guard, whoever does it; another table under a guarded one's name is found out.
\set VERBOSITY terse
\i sql/include/test_policy.sql
CREATE ROLE event_owner;
CREATE SCHEMA event AUTHORIZATION event_owner;
GRANT USAGE ON SCHEMA moderation TO event_owner;
SET ROLE event_owner;
CREATE TABLE event.post (id int PRIMARY KEY, author text, body text, title text);
CREATE TABLE event.part (id int, author text, body text) PARTITION BY LIST (id);
CREATE TABLE event.part_1 PARTITION OF event.part FOR VALUES IN (1);
CREATE TABLE event.part_2 PARTITION OF event.part FOR VALUES IN (2);
RESET ROLE;
CREATE VIEW event.told AS SELECT relation, what, detail, actor = session_user AS by_me FROM moderation.guard_event
	WHERE relation LIKE 'event%.%' ORDER BY occurred_at;
CREATE VIEW event.problem AS SELECT object, problem FROM moderation.verify() WHERE object ~ 'event\.' ORDER BY 1, 2;
SELECT moderation.guard('event.post', '{body}', 'author', 'test');
SELECT moderation.guard('event.post', '{body}', 'author', 'test');
SELECT moderation.guard('event.post', '{body,title}', 'author', 'test', action => 'flag');
SELECT moderation.guard('event.post', '{body,title}', 'author', 'test');
SELECT moderation.guard('event.part', '{body}', 'author', 'test', row_security => true);
-- What an owner is refused is not told: nothing came of it.
SET ROLE event_owner;
ALTER TABLE event.post DISABLE TRIGGER ALL;
-- What is undone is not told.
BEGIN;
ALTER TABLE event.post RENAME TO other;
ROLLBACK;
RESET ROLE;
TABLE event.told;

-- A superuser.
ALTER TABLE event.post DISABLE TRIGGER zzz_moderation_scan;
DROP TRIGGER zzz_moderation_verify ON event.post;
ALTER TABLE event.part_1 NO FORCE ROW LEVEL SECURITY;
CREATE RULE aside AS ON UPDATE TO event.post DO INSTEAD NOTHING;
ALTER TABLE event.post ALTER title TYPE bytea USING '';
TABLE event.problem;
DROP RULE aside ON event.post;
SELECT moderation.guard('event.post', '{body}', 'author', 'test');
SELECT moderation.guard('event.part', '{body}', 'author', 'test', row_security => true);
TABLE event.problem;
-- Storing what is not classified: an event for each table and transaction, also when a part of it is rolled back.
SET moderation.mode = restore;
INSERT INTO event.post VALUES (1, 'event 1', 'a zorblax'), (2, 'event 1', 'a zorblax');
BEGIN;
INSERT INTO event.post VALUES (3, 'event 1', 'a zorblax');
SAVEPOINT s;
INSERT INTO event.part VALUES (1, 'event 1', 'a zorblax');
ROLLBACK TO s;
COPY event.part FROM stdin;
1	event 1	a zorblax
2	event 1	a zorblax
\.
UPDATE event.post SET body = 'zorblax';
COMMIT;
BEGIN;
INSERT INTO event.post VALUES (4, 'event 1', 'a zorblax');
ROLLBACK;
SELECT * FROM event.told OFFSET 5;
RESET moderation.mode;
SELECT account FROM moderation.violation WHERE account = 'event 1';
-- A ledger that cannot be told does not stop a restore.
BEGIN;
SET LOCAL moderation.mode = restore;
ALTER TABLE moderation.guard_event ADD CONSTRAINT event_none CHECK (what <> 'restore') NOT VALID;
INSERT INTO event.post VALUES (5, 'event 1', 'a zorblax');
SELECT count(*) FROM event.post WHERE id = 5;
ROLLBACK;

-- Names: renamed, moved, dropped, and another table or view that takes the name.
DELETE FROM event.post;
SET ROLE event_owner;
ALTER TABLE event.post RENAME TO post_old;
CREATE TABLE event.post (LIKE event.post_old);
INSERT INTO event.post VALUES (1, 'event 2', 'a zorblax');
RESET ROLE;
TABLE event.problem;
SELECT moderation.guard('event.post', '{body}', 'author', 'test');
TABLE event.problem;
SET ROLE event_owner;
ALTER TABLE event.post_old RENAME TO post_older;
CREATE VIEW event.post_old AS SELECT * FROM event.post_older;
RESET ROLE;
TABLE event.problem;
SELECT moderation.unguard('event.post_old'); -- on purpose
TABLE event.problem;
SET ROLE event_owner;
DROP TABLE event.post;
CREATE TABLE event.post (id int, author text, body text);
RESET ROLE;
TABLE event.problem;
DROP TABLE event.post;
TABLE event.problem;
ALTER SCHEMA event RENAME TO event_2;
CREATE SCHEMA event;
CREATE TABLE event.post_older (author text, body text);
SELECT object, problem FROM moderation.verify() WHERE object ~ 'event' ORDER BY object COLLATE "C", problem COLLATE "C";
DROP TABLE event.post_older;
CREATE TABLE event.part (id int, author text, body text) PARTITION BY LIST (id);
ALTER TABLE event_2.part DETACH PARTITION event_2.part_1;
ALTER TABLE event.part ATTACH PARTITION event_2.part_1 FOR VALUES IN (1);
SELECT object, problem FROM moderation.verify() WHERE object ~ 'event' ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT moderation.guard('event.part', '{body}', 'author', 'test');
SELECT object, problem FROM moderation.verify() WHERE object ~ 'event' ORDER BY object COLLATE "C", problem COLLATE "C";
SELECT moderation.unguard('event.part');
SELECT * FROM event_2.told OFFSET 16;

-- Each is an entry of the database's own chain.
SELECT count(*) FROM moderation.guard_event AS e WHERE NOT EXISTS (SELECT FROM moderation.ledger AS l WHERE l.subject = e.event_id)
	AND NOT EXISTS (SELECT FROM moderation.ledger_note AS n WHERE n.subject = e.event_id);

SET client_min_messages = warning;
DROP SCHEMA event CASCADE;
DROP SCHEMA event_2 CASCADE;
REVOKE ALL ON SCHEMA moderation FROM event_owner;
DROP ROLE event_owner;
