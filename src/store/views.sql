-- Live policies, readable as rows.
CREATE VIEW moderation.category AS
	SELECT c.policy, c.policy_version, c.category, c.clause_en, c.clause_zh, c.flag_at, c.act_at, c.actions, c.strike,
		c.suspend_from, c.evidence
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_categories(live.policy, live.policy_version) AS c;
REVOKE ALL ON TABLE moderation.category FROM PUBLIC;
COMMENT ON VIEW moderation.category IS 'categories of every live policy: clause, thresholds and what follows';
COMMENT ON COLUMN moderation.category.policy IS 'the policy';
COMMENT ON COLUMN moderation.category.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.category.category IS 'the category''s key';
COMMENT ON COLUMN moderation.category.clause_en IS 'the clause, in English';
COMMENT ON COLUMN moderation.category.clause_zh IS 'the clause, in Chinese';
COMMENT ON COLUMN moderation.category.flag_at IS 'score from which content is flagged';
COMMENT ON COLUMN moderation.category.act_at IS 'score from which the action of its severity is taken';
COMMENT ON COLUMN moderation.category.actions IS 'actions for severity 0, 1, 2, 3; the array''s first element is severity 0';
COMMENT ON COLUMN moderation.category.strike IS 'whether refused content counts against the account';
COMMENT ON COLUMN moderation.category.suspend_from IS 'severity from which the account is suspended at once; NULL: never';
COMMENT ON COLUMN moderation.category.evidence IS 'what is kept of refused content: its hash, or the content';

CREATE VIEW moderation.rule AS
	SELECT r.policy, r.policy_version, r.rule, r.category, r.language, r.weight, r.severity, r.note, r.terms, r.patterns,
		r.hits, r.misses
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_rules(live.policy, live.policy_version) AS r;
REVOKE ALL ON TABLE moderation.rule FROM PUBLIC;
COMMENT ON VIEW moderation.rule IS 'rules of every live policy; what they look for is in the document';
COMMENT ON COLUMN moderation.rule.policy IS 'the policy';
COMMENT ON COLUMN moderation.rule.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.rule.rule IS 'the rule''s id';
COMMENT ON COLUMN moderation.rule.category IS 'the category it speaks for';
COMMENT ON COLUMN moderation.rule.language IS 'BCP 47, or any';
COMMENT ON COLUMN moderation.rule.weight IS 'score of one finding';
COMMENT ON COLUMN moderation.rule.severity IS '0 mention, 1 mild, 2 clear, 3 gravest';
COMMENT ON COLUMN moderation.rule.note IS 'what it is for';
COMMENT ON COLUMN moderation.rule.terms IS 'number of terms, word lists spelled out';
COMMENT ON COLUMN moderation.rule.patterns IS 'number of patterns';
COMMENT ON COLUMN moderation.rule.hits IS 'number of examples it must find';
COMMENT ON COLUMN moderation.rule.misses IS 'number of examples it must not find';

CREATE VIEW moderation.policy_coverage AS
	SELECT l.policy, l.policy_version, l.category, l.language, l.rules, l.clear_rules, l.words, l.patterns, l.hits, l.misses,
		l.last_change
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_languages(live.policy, live.policy_version) AS l;
REVOKE ALL ON TABLE moderation.policy_coverage FROM PUBLIC;
COMMENT ON VIEW moderation.policy_coverage IS 'what every live policy has for each category and language';
COMMENT ON COLUMN moderation.policy_coverage.policy IS 'the policy';
COMMENT ON COLUMN moderation.policy_coverage.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.policy_coverage.category IS 'the category';
COMMENT ON COLUMN moderation.policy_coverage.language IS 'BCP 47, or any';
COMMENT ON COLUMN moderation.policy_coverage.rules IS 'number of rules';
COMMENT ON COLUMN moderation.policy_coverage.clear_rules IS 'rules of severity 2 or 3: with weight enough they act alone';
COMMENT ON COLUMN moderation.policy_coverage.words IS 'words and phrases as they are written, those of word lists included, each once; not what lists multiply to';
COMMENT ON COLUMN moderation.policy_coverage.patterns IS 'number of patterns';
COMMENT ON COLUMN moderation.policy_coverage.hits IS 'number of examples that must be found';
COMMENT ON COLUMN moderation.policy_coverage.misses IS 'number of examples that must not be found';
COMMENT ON COLUMN moderation.policy_coverage.last_change IS 'when the version was loaded from which the rules look for what they look for now; notes and examples apart';

CREATE VIEW moderation.policy_standard AS
	SELECT r.policy, r.policy_version, r.standard, r.risk, r.clause_en, r.clause_zh, r.rules, r.words, r.required, r.met,
		r.last_change, r.renewed
	FROM (SELECT p.policy, pg_catalog.max(p.policy_version) AS policy_version
			FROM moderation.policy AS p WHERE p.state OPERATOR(pg_catalog.=) 'active' GROUP BY p.policy) AS live
		CROSS JOIN LATERAL moderation.policy_risks(live.policy, live.policy_version) AS r;
REVOKE ALL ON TABLE moderation.policy_standard FROM PUBLIC;
COMMENT ON VIEW moderation.policy_standard IS 'how many words every live policy has against each risk of the standards that it names: counts, and no statement that a standard is complied with';
COMMENT ON COLUMN moderation.policy_standard.policy IS 'the policy';
COMMENT ON COLUMN moderation.policy_standard.policy_version IS 'its live version';
COMMENT ON COLUMN moderation.policy_standard.standard IS 'the standard, as the policy names it';
COMMENT ON COLUMN moderation.policy_standard.risk IS 'the standard''s own number of the risk; NULL: all of its risks together';
COMMENT ON COLUMN moderation.policy_standard.clause_en IS 'the risk, in English';
COMMENT ON COLUMN moderation.policy_standard.clause_zh IS 'the risk, in Chinese';
COMMENT ON COLUMN moderation.policy_standard.rules IS 'number of rules that name the risk, of the language that the standard counts';
COMMENT ON COLUMN moderation.policy_standard.words IS 'words and phrases of these rules as they are written, those of word lists included, each once; not what lists multiply to';
COMMENT ON COLUMN moderation.policy_standard.required IS 'number of words that the standard asks for; NULL: none';
COMMENT ON COLUMN moderation.policy_standard.met IS 'whether there are so many words; says nothing of their worth; NULL: no number is asked for';
COMMENT ON COLUMN moderation.policy_standard.last_change IS 'when the version was loaded from which the rules look for what they look for now';
COMMENT ON COLUMN moderation.policy_standard.renewed IS 'whether that was within the time in which the standard wants words renewed; NULL: nothing of the kind, or a single risk';

CREATE OR REPLACE TRIGGER announce_policy AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON moderation.policy
	FOR EACH STATEMENT EXECUTE FUNCTION moderation.announce_policy();
ALTER TABLE moderation.policy ENABLE ALWAYS TRIGGER announce_policy;
