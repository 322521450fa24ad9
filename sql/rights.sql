-- What PUBLIC may execute, and with whose rights views read.
SET client_min_messages = error;
DROP EXTENSION IF EXISTS llava_zh CASCADE;
CREATE EXTENSION llava_zh;
RESET client_min_messages;
SET search_path = pg_catalog;

-- Each of these computes from its arguments, or is a part of the page or the card: those read
-- with the caller's rights, llava_card_samples rows of llava_conversation as they are,
-- llava_page_samples pictures by llava_image_bytes, which is not here.  llava_untrusted and
-- llava_restoring tell what the catalogue and the progress of a COPY show to all.  Nothing else may be here: a function that spends, reads
-- files, steers, makes lines of an export or tells of the processes has its REVOKE behind it.
SELECT concat(p.proname, '(', oidvectortypes(p.proargtypes), ')') AS function
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_proc p ON p.oid = d.objid,
LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
WHERE e.extname = 'llava_zh' AND a.grantee = 0
ORDER BY p.proname COLLATE "C", oidvectortypes(p.proargtypes) COLLATE "C";

-- nothing else is PUBLIC's
SELECT c.relname, a.privilege_type
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
JOIN pg_class c ON c.oid = d.objid, LATERAL aclexplode(c.relacl) AS a
WHERE e.extname = 'llava_zh' AND a.grantee = 0;

-- views that read with their owner's rights
SELECT c.relname
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
JOIN pg_class c ON c.oid = d.objid
WHERE e.extname = 'llava_zh' AND c.relkind = 'v' AND 'security_invoker=true' <> ALL (coalesce(c.reloptions, '{}'))
ORDER BY 1;

-- functions that act with their owner's rights: all are triggers, or not PUBLIC's
SELECT p.proname
FROM pg_extension e
JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_proc p ON p.oid = d.objid
WHERE e.extname = 'llava_zh' AND p.prosecdef
ORDER BY p.proname COLLATE "C";
RESET search_path;
DROP EXTENSION llava_zh;
