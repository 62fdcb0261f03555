-- Hostile texts, made from the built-in policy's own document, and one session's measurements of one of them.
CREATE FUNCTION memory_kb() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+) kB')::int $$;
-- User and system time of this backend, in hundredths of a second.
CREATE FUNCTION cpu() RETURNS int LANGUAGE sql AS $$
	SELECT (m[1]::bigint + m[2]::bigint)::int FROM regexp_match(pg_read_file('/proc/self/stat'), '\) (?:\S+ ){11}(\d+) (\d+)') AS m $$;
CREATE FUNCTION ms() RETURNS int LANGUAGE sql AS $$ SELECT (extract(epoch FROM clock_timestamp() - '2020-01-01') * 1000 % 1000000000)::int $$;

CREATE TABLE document AS SELECT document FROM moderation.policy WHERE policy = 'terms-of-service' AND state = 'active';
CREATE TABLE word AS SELECT DISTINCT m[1] AS word FROM document, regexp_matches(document, '"([^"{}\\]{2,60})"', 'g') AS m
	UNION SELECT DISTINCT m[1] FROM document, regexp_matches(document, '[\[,] *([^]"{},''\[:\n]{2,40})(?=[],])', 'g') AS m;
CREATE TABLE piece (name text PRIMARY KEY, piece text);
INSERT INTO piece VALUES
	('harmless words', 'some harmless words of a letter about the weather '),
	('the policy itself', (SELECT document FROM document)),
	('terms', (SELECT string_agg(word, ' ' ORDER BY md5(word)) FROM word)),
	('prefixes of terms', (SELECT string_agg(left(word, -1), ' ' ORDER BY md5(word)) FROM word)),
	('terms run together', (SELECT string_agg(word, '' ORDER BY md5(word)) FROM word)),
	('spread letters', (SELECT string_agg(regexp_replace(word, '(.)', '\1 ', 'g'), ' ' ORDER BY md5(word)) FROM word)),
	('dotted letters', (SELECT string_agg(regexp_replace(word, '(.)', '\1.', 'g'), ' ' ORDER BY md5(word)) FROM word)),
	('leet', (SELECT string_agg(translate(word, 'aeiost', '43105+'), ' ' ORDER BY md5(word)) FROM word)),
	('tripled letters', (SELECT string_agg(regexp_replace(word, '(\w)', '\1\1\1', 'g'), ' ' ORDER BY md5(word)) FROM word)),
	('Han run together', (SELECT string_agg(m[1], '' ORDER BY md5(m[1])) FROM document, regexp_matches(document, '([一-鿿]+)', 'g') AS m)),
	('Han words', (SELECT string_agg(DISTINCT m[1], ' ') FROM document, regexp_matches(document, '([一-鿿]{1,4})', 'g') AS m)),
	('pieces of patterns', (SELECT string_agg(regexp_replace(m[1], '\\[a-zA-Z]|[^\w ]+', ' ', 'g'), ' ')
		FROM document, regexp_matches(document, '''(\\b[^'']+)''', 'g') AS m)),
	('combining characters', 'kill' || repeat(U&'\0301', 1000) || ' bomb '),
	('only combining', U&'\0301\0489\20DD'),
	('zero-width', (SELECT string_agg(regexp_replace(word, '(.)', '\1' || U&'\200B\200D', 'g'), ' ' ORDER BY md5(word)) FROM word)),
	('only zero-width', U&'\200B'),
	('a character that expands', U&'\FDFA'),
	('one word', 'a'),
	('one Han character', '杀'),
	('spaces', ' '),
	('signs', '@$$!|(){}<>'),
	('emoji', '👩‍👩‍👧‍👦🏴'),
	('directions', U&'\202Ea\202C'),
	('digits', '1 0 5 7 '),
	('single letters', 'a b c d e f ');
CREATE UNLOGGED TABLE content (name text, mb int, body text);
ALTER TABLE content ALTER body SET STORAGE EXTERNAL;
INSERT INTO content SELECT name, mb, left(repeat(piece, mb * 1000000 / octet_length(piece) + 1), (mb * 1000000::bigint * length(piece) / octet_length(piece))::int)
	FROM piece, (VALUES (1), (15)) AS m (mb);
-- Nobody's content: it is judged, and counts against nobody.
CREATE TABLE post (account text, body text, list text[], doc json, docb jsonb);
SELECT moderation.guard('post', '{body,list,doc,docb}', 'account');
