-- Who but the owner may do what, as CREATE EXTENSION leaves it: read from the catalogue, so
-- that a REVOKE which is missing in sql/parts, a GRANT, a view or a SECURITY DEFINER function
-- which comes along changes a list below.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
SET search_path = pg_catalog;
-- a difference is one line, whatever its width
\a

CREATE TEMP VIEW member AS
	SELECT e.extowner, d.classid, d.objid
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	WHERE e.extname = 'llava_zh';

-- NULL as an ACL means what core grants by default: of a function EXECUTE to PUBLIC
CREATE TEMP VIEW object AS
	SELECT p.oid, CASE p.prokind WHEN 'f' THEN 'function' WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
			ELSE p.prokind::text END AS kind,
		concat(p.proname, '(', oidvectortypes(p.proargtypes), ')') AS name, p.proowner AS owner,
		coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
	FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
	UNION ALL
	SELECT c.oid, CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence'
			ELSE c.relkind::text END,
		c.relname, c.relowner,
		coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
	FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	UNION ALL
	SELECT c.oid, 'column', concat(c.relname, '.', a.attname), c.relowner, a.attacl
	FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
	JOIN pg_attribute a ON a.attrelid = c.oid
	UNION ALL
	SELECT w.oid, 'wrapper', w.fdwname, w.fdwowner, coalesce(w.fdwacl, acldefault('F', w.fdwowner))
	FROM member m JOIN pg_foreign_data_wrapper w ON m.classid = 'pg_foreign_data_wrapper'::regclass
		AND w.oid = m.objid;

CREATE TEMP VIEW privilege AS
	SELECT o.oid, o.kind, o.name, x.privilege_type AS privilege,
		CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee) END AS grantee
	FROM object o, LATERAL aclexplode(o.acl) AS x WHERE x.grantee <> o.owner;

-- Nothing escapes these views: members of other kinds, or of another owner than the extension.
-- Sequences of identity columns are members by themselves, and from PostgreSQL 17 on the row
-- types of relations and their array types, which have no rights of their own.
SELECT DISTINCT m.classid::regclass AS kind_without_list FROM member m
WHERE NOT EXISTS (SELECT FROM object o WHERE o.oid = m.objid)
	AND NOT EXISTS (SELECT FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem
		WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND greatest(t.typrelid, e.typrelid) <> 0);
SELECT o.kind, o.name FROM object o WHERE o.owner <> ALL (SELECT extowner FROM member);

-- What PUBLIC may execute, and why.  What spends, reads files, steers, makes lines of an export,
-- shows pictures or tells of the processes has its REVOKE behind it in sql/parts.
SELECT p.kind, coalesce(p.name, w.name) AS name, w.why
FROM (VALUES
	('llava_array_sha256(text)', 'from its arguments'),
	('llava_array_sha256_add(internal, text)', 'a part of llava_array_sha256, which SQL cannot call'),
	('llava_array_sha256_end(internal)', 'a part of llava_array_sha256, which SQL cannot call'),
	('llava_card_chosen(text[], bigint[])', 'a part of the card: rows that the caller may read'),
	('llava_card_configs(jsonb, text)', 'a part of the card: from its arguments'),
	('llava_card_copy(text, text, boolean)', 'a part of the card: from its arguments'),
	('llava_card_example(jsonb, text)', 'a part of the card: a row that the caller may read'),
	('llava_card_export(text, text, text, text[])', 'a part of the card: from its arguments'),
	('llava_card_exported(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer, jsonb, integer, boolean)', 'a part of the card: rows that the caller may read'),
	('llava_card_files(jsonb, text, text)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_languages(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_lengths(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_licences(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_license(text)', 'a part of the card: from its arguments'),
	('llava_card_models(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_pretty(text)', 'a part of the card: from its arguments'),
	('llava_card_prompts(jsonb)', 'a part of the card: rows that the caller may read'),
	('llava_card_reasons(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_card_rebuild(bigint[])', 'a part of the card: rows that the caller may read'),
	('llava_card_row(jsonb)', 'a part of the card: from its arguments'),
	('llava_card_samples(jsonb)', 'a part of the card: rows that the caller may read, as they are'),
	('llava_card_selected(text, text[], text[], boolean, text, double precision, text, text, text, bigint, boolean, integer)', 'a part of the card: judges rows that the caller may read'),
	('llava_card_splits(jsonb)', 'a part of the card: from its arguments'),
	('llava_card_tasks(jsonb)', 'a part of the card: counts rows that the caller may read'),
	('llava_dataset_info(text, text, text)', 'from its arguments'),
	('llava_draw_task(bigint)', 'from columns of llava_task that the caller may read'),
	('llava_export_rules()', 'a constant of the library'),
	('llava_fdw_validator(text[], oid)', 'judges its arguments; core calls it for who makes a server'),
	('llava_file_name(text)', 'from its arguments'),
	('llava_hash_distance(bigint, bigint)', 'from its arguments'),
	('llava_hash_distance(bytea, bytea)', 'from its arguments'),
	('llava_image_hash(bytea)', 'from its arguments'),
	('llava_image_info(bytea)', 'from its arguments'),
	('llava_image_share(bigint, bytea, bigint)', 'from its arguments'),
	('llava_image_tokens(integer, integer, integer, bigint, bigint)', 'from its arguments'),
	('llava_internvl_meta(text, text, text, bigint)', 'from its arguments'),
	('llava_jsonl_check(text)', 'from its arguments; COPY FROM calls it for whoever copies'),
	('llava_jsonl_line(record)', 'from its arguments; COPY TO calls it for whoever copies'),
	('llava_known_flags(text[])', 'judges its arguments by rows that the caller may read'),
	('llava_lines_sha256(text)', 'from its arguments'),
	('llava_lines_sha256_add(internal, text)', 'a part of llava_lines_sha256, which SQL cannot call'),
	('llava_lines_sha256_end(internal)', 'a part of llava_lines_sha256, which SQL cannot call'),
	('llava_manifest_known(bigint, boolean)', 'judges its arguments'),
	('llava_page_annotations(bigint, text, bigint)', 'a part of the page: rows that the caller may read'),
	('llava_page_bars(text[], bigint[])', 'a part of the page: from its arguments'),
	('llava_page_digest(jsonb)', 'a part of the page: from its arguments'),
	('llava_page_fault(jsonb, text, bytea, text, text, integer, integer, integer, boolean, integer)', 'a part of the page: from its arguments'),
	('llava_page_head(integer, text, text, boolean)', 'a part of the page: counts rows that the caller may read'),
	('llava_page_picture(bytea, text)', 'a part of the page: from its arguments'),
	('llava_page_samples(integer, text, bigint, text, boolean)', 'a part of the page: calls llava_image_bytes, which is not PUBLIC''s'),
	('llava_page_tags(text[], boolean, text)', 'a part of the page: from its arguments'),
	('llava_page_turns(jsonb)', 'a part of the page: from its arguments'),
	('llava_parse_reply(text, text, text)', 'from its arguments and a row of llava_task that the caller may read'),
	('llava_prepare_image(bytea, integer, bigint, bigint, integer)', 'from its arguments'),
	('llava_reply_words(bytea, bigint)', 'from its arguments'),
	('llava_chart(text, text, text, text, text[], text[], text[], text[], double precision[])', 'from its arguments'),
	('llava_report_bins(timestamp with time zone, interval)', 'from its arguments'),
	('llava_report_figure(text, text, text, text, text, text[], text[], text[], text[], double precision[])', 'from its arguments'),
	('llava_report_ledger(timestamp with time zone, interval)', 'a part of the report: rows that the caller may read'),
	('llava_report_pictures()', 'a part of the report: counts rows that the caller may read'),
	('llava_report_replies(timestamp with time zone, interval)', 'a part of the report: counts rows that the caller may read'),
	('llava_report_requests()', 'a part of the report: rows that the caller may read'),
	('llava_report_samples(timestamp with time zone, interval)', 'a part of the report: counts rows that the caller may read'),
	('llava_report_step(integer)', 'from its arguments'),
	('llava_report_sum(text, text)', 'from its arguments'),
	('llava_restoring()', 'pid and table of an owner''s COPY, which pg_locks shows to all'),
	('llava_robots(bytea, text, text)', 'from its arguments'),
	('llava_row_waits(text, text, text)', 'of a task its server, of servers what pg_foreign_server shows and whether they are paused'),
	('llava_sentences(text)', 'from its arguments'),
	('llava_task_name(text)', 'from columns of llava_task that the caller may read'),
	('llava_template(text, jsonb)', 'from its arguments'),
	('llava_thumbnail(bytea, integer)', 'from its arguments'),
	('llava_untrusted()', 'judges the catalogue, which all may read'),
	('llava_waiting_tasks()', 'of tasks their names and servers, of servers what pg_foreign_server shows and whether they are paused'),
	('llava_url(text)', 'from its arguments'),
	('llava_weighted_samples(text, bigint)', 'judges its arguments')) AS w (name, why)
FULL JOIN (SELECT kind, name FROM privilege
	WHERE grantee = 'PUBLIC' AND kind IN ('function', 'procedure', 'aggregate')) AS p ON p.name = w.name
ORDER BY coalesce(p.name, w.name) COLLATE "C";

-- Nobody has any other privilege: none on tables, views, sequences and columns, no USAGE on the
-- wrapper, and no role but PUBLIC one on functions.
SELECT kind, name, privilege, grantee FROM privilege
WHERE grantee <> 'PUBLIC' OR kind NOT IN ('function', 'procedure', 'aggregate')
ORDER BY kind, name COLLATE "C", privilege, grantee;

-- nor will anybody get one on what is made later
SELECT defaclobjtype, defaclacl FROM pg_default_acl;

-- Views that read with their owner's rights.  None does: one that must is to be named here, with
-- the tables for which it needs its owner's rights and why its readers may see what it shows.
SELECT o.name FROM object o JOIN pg_class c ON c.oid = o.oid
WHERE o.kind = 'view' AND 'security_invoker=true' <> ALL (coalesce(c.reloptions, '{}'))
ORDER BY o.name COLLATE "C";

-- Functions that act with their owner's rights: each with its own search_path; triggers, or not PUBLIC's.
SELECT o.name, p.prorettype::regtype AS returns, p.proconfig AS settings,
	EXISTS (SELECT FROM privilege x WHERE x.oid = o.oid AND x.kind = o.kind) AS granted
FROM object o JOIN pg_proc p ON p.oid = o.oid
WHERE o.kind IN ('function', 'procedure', 'aggregate') AND p.prosecdef
ORDER BY o.name COLLATE "C";

-- What is said above to read as the caller does so: a role without a grant is refused.
-- The last one runs, so that it is not for want of the schema.
CREATE FUNCTION pg_temp.tried(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RETURN 'ran';
EXCEPTION WHEN insufficient_privilege THEN
	RETURN 'permission denied';
END $$;
CREATE ROLE regress_llava_nobody;
SET search_path = public, pg_temp;
SET ROLE regress_llava_nobody;
SELECT c.call, pg_temp.tried('SELECT count(*) FROM ' || c.call) AS outcome
FROM (VALUES ('llava_card_chosen(NULL, NULL)'), ('llava_card_example(''{}'', NULL)'), ('llava_card_files(''{}'', NULL, NULL)'),
	('llava_card_exported(''llava'', NULL, NULL, NULL, NULL, NULL, ''first'', ''path'', NULL, NULL, NULL, NULL, NULL, NULL, NULL)'),
	('llava_card_selected(''llava'', NULL, NULL, NULL, NULL, NULL, ''first'', ''path'', NULL, NULL, NULL, NULL)'),
	('llava_card_languages(''{}'')'), ('llava_card_lengths(''{}'')'),
	('llava_card_licences(''{}'')'), ('llava_card_models(''{}'')'), ('llava_card_prompts(''{}'')'),
	('llava_card_reasons(''{}'')'), ('llava_card_rebuild(NULL)'), ('llava_card_samples(''{}'')'),
	('llava_card_tasks(''{}'')'), ('llava_draw_task(1)'), ('llava_page_head(1, NULL, NULL, false)'),
	('llava_page_samples(1, NULL, 0, NULL, false)'), ('llava_page_annotations(1, ''x'', 1)'), ('llava_parse_reply(''detail'', ''x'')'),
	('llava_report_ledger(now(), ''1 hour'')'), ('llava_report_pictures()'), ('llava_report_replies(now(), ''1 hour'')'),
	('llava_report_requests()'), ('llava_report_samples(now(), ''1 hour'')'),
	('llava_task_name(''detail'')'), ('llava_selected()'), ('llava_exported()'),
	('llava_export_rules()')) AS c (call);
RESET ROLE;
RESET search_path;
DROP ROLE regress_llava_nobody;
DROP VIEW privilege, object, member;
DROP EXTENSION llava_zh;
