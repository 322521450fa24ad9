/*
 * sql.c
 *	  Every SQL text of the extension, and the saved plans.
 *
 * "@." stands for the extension's schema, "@.name(" calls a function of ours (see
 * bind.c).  Every name is qualified and every operator is pg_catalog's as long as
 * the search_path begins there; callers that run with a user's search_path use
 * statements marked so and OPERATOR() forms.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "bind.h"
#include "cursors.h"
#include "catalog/pg_type.h"
#include "llava_zh.h"
#include "miscadmin.h"
#include "trust.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#define MAX_ARGUMENTS 25

typedef struct Statement
{
	const char *text;
	const char *types;			/* a letter an argument: see argument_type */
} Statement;

/* Export.  $1 tasks, $2 flags to leave out, $3 validation or train, $4 the share of
 * the former, $5 seed of the order, $6 whether with pictures; the mix also $7 format,
 * $8 how images are named, $9 cutoff_len. */
#define EXPORT_TABLES \
	"@.llava_conversation c LEFT JOIN @.llava_image i ON i.id OPERATOR(pg_catalog.=) c.image"
#define EXPORT_SAMPLES \
	"SELECT c.image, c.task, c.conversation, i.path, i.sha256, i.format, i.rejected," \
	"  i.width, i.height, i.channels::integer, i.complete," \
	"  CASE WHEN $6 THEN i.image END, $6 AND i.in_file FROM " EXPORT_TABLES
#define EXPORT_CHOSEN \
	"c.keep IS NOT FALSE AND ($1 IS NULL OR c.task OPERATOR(pg_catalog.=) ANY ($1))" \
	" AND ($2 IS NULL OR NOT c.flags OPERATOR(pg_catalog.&&) $2)" \
	" AND ($3 IS NULL OR (@.llava_image_share(c.image, i.sha256, 0::bigint)" \
	"   OPERATOR(pg_catalog.<) $4) OPERATOR(pg_catalog.=) $3)"
#define EXPORT_ORDER \
	"@.llava_image_share(c.image, i.sha256, $5), c.image, c.task COLLATE pg_catalog.\"C\""

/*
 * Hashes within $2 bits of $1, and $4 of $3.  Both here: a hundred thousand pages of
 * one layout may have one coarse hash.
 */
#define HASHES_NEAR \
	"SELECT image, coarse, fine, colours FROM @.llava_hash WHERE NOT copy" \
	" AND @.llava_hash_distance(coarse, $1) <= $2" \
	" AND CASE WHEN pg_catalog.octet_length(fine) = pg_catalog.octet_length($3)" \
	"  THEN @.llava_hash_distance(fine, $3) <= $4 END AND "

/* A row of the ledger. */
#define REPLY_COLUMNS \
	"INSERT INTO @.llava_reply (image, id, task, task_version, server, model," \
	"  model_reported, parameters, variation, seed, sent_width, sent_height, body," \
	"  finish_reason, prompt_tokens, completion_tokens, latency_ms, late, reason," \
	"  reason_offset, flags, measures, parser_version, long_images, image_tokens)"
#define REPLY_TYPES "lltitttjiliibtlllBtlTjitl"

static const Statement statements[SQL_STATEMENTS] = {
	/* Tasks */
	[SQL_TASK_NEWEST] = {
		"SELECT name, version, alias, prompt, kind, language, min_rounds, max_rounds, weight,"
		"  server, questions, max_tokens, temperature, top_p, repetition_penalty,"
		"  presence_penalty, min_question_chars, max_question_chars, min_answer_chars,"
		"  min_letters, min_language_share, max_loop_share, long_images, long_ratio,"
		"  long_max_pixels "
		"FROM (SELECT DISTINCT ON (name) * FROM @.llava_task"
		"      ORDER BY name, version DESC) AS newest "
		"WHERE $1 IS NULL OR name OPERATOR(pg_catalog.=) $1 OR alias OPERATOR(pg_catalog.=) $1 "
		"ORDER BY name OPERATOR(pg_catalog.=) $1 DESC, name COLLATE pg_catalog.\"C\"",
	"t"},
	[SQL_TASK_PREVIOUS] = {
		"SELECT * FROM @.llava_task WHERE name OPERATOR(pg_catalog.=) $1"
		" ORDER BY version DESC LIMIT 1",
	"t"},
	[SQL_TASK_WEIGHTS] = {
		"SELECT name, weight, alias "
		"FROM (SELECT DISTINCT ON (name) name, weight, alias FROM @.llava_task"
		"      ORDER BY name, version DESC) AS newest "
		"ORDER BY name COLLATE pg_catalog.\"C\"",
	""},
	[SQL_TASK_SHIP] = {
		"INSERT INTO @.llava_task (name, version, alias, title, prompt, kind, language,"
		"  min_rounds, max_rounds, weight, questions, max_tokens, temperature, top_p,"
		"  repetition_penalty, min_question_chars, max_question_chars, min_answer_chars,"
		"  min_letters, min_language_share, max_loop_share, shipped) "
		"VALUES ($1, 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
		"  $17, $18, $19, $20, true)",
	"ttttttiilTidddiiiidd"},
	[SQL_COMPRESS_REPLY] = {
	"ALTER TABLE @.llava_reply ALTER COLUMN body SET COMPRESSION lz4", ""},
	[SQL_COMPRESS_CONVERSATION] = {
	"ALTER TABLE @.llava_conversation ALTER COLUMN conversation SET COMPRESSION lz4", ""},

	/* Intake */
	[SQL_SEEN_ADD] = {
		"INSERT INTO @.llava_seen (sha256, image) VALUES ($1, $2) ON CONFLICT DO NOTHING",
	"bl"},
	[SQL_SEEN_FIND] = {
		/* a restore runs it with the caller's search_path */
		"SELECT image, 'taken down on ' OPERATOR(pg_catalog.||)"
		"  pg_catalog.to_char(forgotten_at, 'YYYY-MM-DD') OPERATOR(pg_catalog.||) ': '"
		"  OPERATOR(pg_catalog.||) coalesce(pg_catalog.left(forgotten_reason, 4096), '')"
		" FROM @.llava_seen WHERE sha256 OPERATOR(pg_catalog.=) $1",
	"b"},
	[SQL_PENDING_ADD] = {
		"INSERT INTO @.llava_pending (image, task, visible_at) VALUES ($1, $2, $3)"
		" ON CONFLICT DO NOTHING",
	"ltz"},
	[SQL_IMAGE_STATE] = {
		/* locked against llava_forget until what follows from it is committed */
		"SELECT rejected, same_as, image IS NULL AND NOT in_file, received_at IS NULL, sha256"
		" FROM @.llava_image WHERE id = $1"
		" FOR KEY SHARE",
	"l"},
	[SQL_NOT_TAKEN_IN] = {
		"SELECT pg_catalog.count(*) FROM"
		" (SELECT FROM @.llava_image WHERE received_at IS NULL LIMIT 1000) n",
	""},
	[SQL_CONVERSATION_EXISTS] = {
	"SELECT 1 FROM @.llava_conversation WHERE image = $1 AND task = $2", "lt"},
	[SQL_REPLY_VARIATION] = {
		"SELECT pg_catalog.max(variation) FROM @.llava_reply WHERE image = $1 AND task = $2",
	"lt"},
	[SQL_ENQUEUE] = {
		"INSERT INTO @.llava_pending (image, task, variation) VALUES ($1, $2, $3)"
		" ON CONFLICT DO NOTHING",
	"lti"},
	[SQL_RETRY] = {
		"UPDATE @.llava_pending SET failure = NULL, detail = NULL, attempts = 0, interruptions = 0,"
		"  rejects = NULL, refused_by = NULL,"
		"  variation = variation + 1, visible_at = pg_catalog.now(),"
		"  released = released OR failure = 'long_image' "
		"WHERE failure IS NOT NULL AND ($1 IS NULL OR image = $1)"
		"  AND ($2 IS NULL OR task = $2) AND ($3 IS NULL OR failure = $3)"
		/* what is parked as a copy costs money only where it is named */
		"  AND (failure <> 'near_duplicate' OR $1 IS NOT NULL OR $3 IS NOT NULL)",
	"ltt"},
	[SQL_FAILURES] = {
		"SELECT pg_catalog.string_agg(DISTINCT failure, ', ' ORDER BY failure)"
		" FROM @.llava_pending WHERE failure IS NOT NULL",
	""},
	[SQL_UNPARK] = {
		"UPDATE @.llava_pending SET failure = NULL, detail = NULL, attempts = 0, interruptions = 0,"
		"  released = false, visible_at = pg_catalog.now() "
		"WHERE image = $1 AND failure = 'long_image'",
	"l"},
	/* runs with the caller's search_path and rights */
	[SQL_IMAGE_BYTES] = {
		"SELECT image, CASE WHEN in_file THEN path END, sha256, bytes FROM @.llava_image"
		" WHERE id OPERATOR(pg_catalog.=) $1",
	"l"},

	/* Takedown */
	[SQL_FORGET_MANIFEST_LINE] = {
		/*
		 * which files have the picture is still to be found, not what it was
		 * called
		 */
		"UPDATE @.llava_manifest_line SET file_name = '' WHERE image = ANY ($1)",
	"L"},
	[SQL_FORGET_FAMILY] = {
		"WITH RECURSIVE family (id) AS (SELECT pg_catalog.unnest($1) UNION"
		"  SELECT n.id FROM family f JOIN @.llava_image i ON i.id = f.id, LATERAL ("
		"    SELECT i.same_as"
		"    UNION ALL SELECT c.id FROM @.llava_image c WHERE c.same_as = i.id"
		"    UNION ALL SELECT r.id FROM @.llava_image r"
		"      WHERE r.sha256 = i.sha256 AND r.rejected IS NOT NULL) n (id)"
		"  WHERE n.id IS NOT NULL) "
		"SELECT f.id, i.sha256 FROM family f LEFT JOIN @.llava_image i ON i.id = f.id",
	"L"},
	[SQL_FORGET_SEEN_IMAGES] = {
	"SELECT image FROM @.llava_seen WHERE sha256 = ANY ($1)", "Y"},
	[SQL_CONSTRAINTS] = {
		/*
		 * deferrable ones on the tables $1 and those that follow them, the
		 * owner of their table, whether all of this name are initially
		 * deferred, and a table of another owner with one of this name
		 */
		"WITH RECURSIVE reached (relation) AS ("
		"  SELECT pg_catalog.unnest($1)::pg_catalog.oid"
		"  UNION SELECT c.conrelid FROM reached r JOIN pg_catalog.pg_constraint c"
		"   ON c.confrelid = r.relation AND c.contype = 'f'"
		"   WHERE c.confdeltype IN ('c', 'n', 'd') OR c.confupdtype IN ('c', 'n', 'd')) "
		"SELECT n.nspname::pg_catalog.text, c.conname::pg_catalog.text,"
		"  t.relowner::pg_catalog.int8, pg_catalog.bool_and(c.condeferred AND NOT EXISTS ("
		"   SELECT FROM pg_catalog.pg_constraint o WHERE o.connamespace = c.connamespace"
		"    AND o.conname = c.conname AND NOT o.condeferred)),"
		"  (SELECT pg_catalog.min(o.conrelid::pg_catalog.regclass::pg_catalog.text)"
		"   FROM pg_catalog.pg_constraint o JOIN pg_catalog.pg_class ot ON ot.oid = o.conrelid"
		"   WHERE o.connamespace = c.connamespace AND o.conname = c.conname AND o.condeferrable"
		"    AND ot.relowner <> t.relowner) "
		"FROM reached r JOIN pg_catalog.pg_constraint c ON r.relation IN (c.conrelid, c.confrelid)"
		" JOIN pg_catalog.pg_namespace n ON n.oid = c.connamespace"
		" JOIN pg_catalog.pg_class t ON t.oid = c.conrelid "
		"WHERE c.condeferrable GROUP BY 1, 2, 3, c.connamespace, c.conname, t.relowner"
		" ORDER BY 1, 2, 3",
	"L"},
	[SQL_FORGET_IMAGE] = {
	"DELETE FROM @.llava_image WHERE id = ANY ($1)", "L"},
	[SQL_FORGET_SEEN] = {
		"INSERT INTO @.llava_seen AS s (sha256, image, forgotten_at, forgotten_reason) "
		"VALUES ($1, $2, pg_catalog.now(), $3) "
		"ON CONFLICT (sha256) DO UPDATE SET forgotten_at = EXCLUDED.forgotten_at,"
		"  forgotten_reason = EXCLUDED.forgotten_reason WHERE s.forgotten_at IS NULL",
	"blt"},
	[SQL_FORGET_SEEN_IMAGE] = {
		"UPDATE @.llava_seen SET forgotten_at = pg_catalog.now(), forgotten_reason = $2"
		" WHERE image = $1 AND forgotten_at IS NULL",
	"lt"},
	[SQL_FORGET_PENDING] = {
	"DELETE FROM @.llava_pending WHERE image = ANY ($1)", "L"},
	[SQL_FORGET_INTERRUPTED] = {
	"DELETE FROM @.llava_interrupted WHERE image = ANY ($1)", "L"},
	[SQL_FORGET_REPLY] = {
		/* what it cost stays */
		"UPDATE @.llava_reply SET body = '', measures = NULL, reason_offset = NULL"
		" WHERE image = ANY ($1)",
	"L"},
	[SQL_FORGET_CONVERSATION] = {
	"DELETE FROM @.llava_conversation WHERE image = ANY ($1)", "L"},

	/* Copies */
	[SQL_HASH_STATE] = {
		"SELECT h.copy, i.same_as, i.same_distance FROM @.llava_image i"
		" LEFT JOIN @.llava_hash h ON h.image = i.id WHERE i.id = $1",
	"l"},
	[SQL_HASH_NEAR] = {
		HASHES_NEAR "(coarse & 4194303::bigint) = ANY ($5)" " UNION ALL "
		HASHES_NEAR "((coarse >> 22) & 2097151::bigint) = ANY ($6)" " UNION ALL "
		HASHES_NEAR "((coarse >> 43) & 2097151::bigint) = ANY ($7)",
	"libiLLL"},
	[SQL_HASH_ADD] = {
		"INSERT INTO @.llava_hash (image, coarse, fine, colours, copy)"
		" VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
	"llbbB"},
	[SQL_HASH_MARK] = {
	"UPDATE @.llava_image SET same_as = $2, same_distance = $3 WHERE id = $1", "lli"},
	[SQL_HASH_PARK] = {
		"UPDATE @.llava_pending SET failure = 'near_duplicate', detail = $4, holder = NULL,"
		"  attempts = GREATEST(attempts - 1, 0)"
		" WHERE image = $1 AND task = $2 AND call = $3",
	"ltlt"},
	[SQL_HASH_PARKED] = {
		"SELECT pg_catalog.array_agg(image) FROM @.llava_pending"
		" WHERE failure = 'near_duplicate' AND ($1 IS NULL OR image = $1)"
		"  AND ($2 IS NULL OR task = $2) AND ($3 IS NULL OR failure = $3)"
		"  AND ($1 IS NOT NULL OR $3 IS NOT NULL)",
	"ltt"},
	[SQL_HASH_UNMARK] = {
		"UPDATE @.llava_image SET same_as = NULL, same_distance = NULL"
		" WHERE id = ANY ($1) AND same_distance IS NOT NULL",
	"L"},
	[SQL_HASH_RELEASE] = {
	"UPDATE @.llava_hash SET copy = false WHERE image = ANY ($1) AND copy", "L"},

	/* Load: runs with the caller's search_path */
	[SQL_LOAD_KNOWN] = {
	"SELECT 1 FROM @.llava_image WHERE path OPERATOR(pg_catalog.=) $1", "t"},
	[SQL_LOAD_ADD] = {
		"INSERT INTO @.llava_image (path, image, task, licence) VALUES ($1, $2, $3, $4)"
		" RETURNING rejected, rejected_detail, same_as",
	"tbtt"},

	/* Queue: claim */
	[SQL_CLAIM] = {
		"WITH picked AS MATERIALIZED ("
		"  SELECT p.ctid, p.image, p.task, p.visible_at, p.call, p.holder FROM @.llava_pending p"
		"  WHERE p.failure IS NULL AND p.visible_at <= pg_catalog.now()"
		"    AND (p.visible_at, p.image, p.task) > ($1, $2, $3) AND p.task = ANY ($4)"
		"    AND NOT coalesce(p.call = ANY ($8), false) AND (NOT p.excused OR $9)"
		"  ORDER BY p.visible_at, p.image, p.task LIMIT $5 FOR UPDATE SKIP LOCKED), "
		/* leases that ran out: whoever held them never came back */
		"interrupted AS (INSERT INTO @.llava_interrupted (image, call, task)"
		"  SELECT image, call, task FROM picked WHERE holder IS NOT NULL"
		"  ON CONFLICT DO NOTHING) "
		"UPDATE @.llava_pending p"
		" SET call = CASE WHEN here THEN pg_catalog.nextval('@.llava_call_seq') ELSE p.call END,"
		"  holder = CASE WHEN here THEN $6 END,"
		"  visible_at = CASE WHEN here THEN pg_catalog.now() + $7 ELSE p.visible_at END,"
		"  attempts = p.attempts + (here AND picked.holder IS NULL)::integer,"
		"  interruptions = p.interruptions + (picked.holder IS NOT NULL)::integer,"
		"  failure = CASE WHEN NOT here THEN 'no_picture' END,"
		"  detail = CASE WHEN here THEN p.detail ELSE 'it has no row in llava_image' END "
		/* locked above, so that they stay where they are */
		"FROM (SELECT k.*, (SELECT i.id FROM @.llava_image i WHERE i.id = k.image) IS NOT NULL AS here"
		"  FROM picked k OFFSET 0) picked WHERE p.ctid = picked.ctid "
		"RETURNING p.image, p.task, p.call, p.attempts, p.variation, picked.visible_at,"
		"  p.released, p.rejects, p.refused_by, p.excused, p.company, here",
	"zltTlivLB"},
	[SQL_AHEAD] = {
		/*
		 * the pictures of the rows that will be claimed next, as they are
		 * stored
		 */
		"SELECT p.visible_at, p.image, i.image FROM ("
		"  SELECT visible_at, image FROM @.llava_pending"
		"  WHERE failure IS NULL AND visible_at <= pg_catalog.now()"
		"    AND (visible_at, image) > ($1, $2) AND task = ANY ($3)"
		"  ORDER BY visible_at, image, task LIMIT $4) p"
		" JOIN @.llava_image i ON i.id = p.image",
	"zlTl"},
	[SQL_CLAIM_IMAGES] = {
		/*
		 * in order of id, as many as fit into $2 bytes, of which $3 are read
		 * now, and one in any case; those over $4 bytes come in slices
		 */
		"SELECT s.id, CASE WHEN s.fits AND s.bytes <= $4 THEN"
		"   (SELECT i.image FROM @.llava_image i WHERE i.id = s.id) END, s.fits,"
		"  s.width, s.height, s.long_images, s.path, s.sha256, s.bytes FROM ("
		"  SELECT i.id, i.width, i.height, i.long_images,"
		"    CASE WHEN i.in_file THEN i.path END AS path, i.sha256,"
		"    CASE WHEN i.in_file THEN i.bytes ELSE pg_catalog.octet_length(i.image) END AS bytes,"
		"    coalesce(pg_catalog.sum(CASE WHEN i.in_file THEN i.bytes"
		"      ELSE pg_catalog.octet_length(i.image) END) OVER before, 0) < $2"
		"    AND (i.in_file OR coalesce(pg_catalog.sum(pg_catalog.octet_length(i.image))"
		"      OVER before, 0) < $3) AS fits"
		"  FROM @.llava_image i WHERE i.id = ANY ($1)"
		"  WINDOW before AS (ORDER BY i.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) s",
	"Llll"},
	[SQL_IMAGE_SLICE] = {
	"SELECT pg_catalog.substr(image, $2, $3) FROM @.llava_image WHERE id = $1", "lii"},
	[SQL_RENEW] = {
		"UPDATE @.llava_pending SET visible_at = pg_catalog.now() + $4"
		" WHERE ctid = (SELECT ctid FROM @.llava_pending"
		"  WHERE image = $1 AND task = $2 AND call = $3 AND holder IS NOT NULL"
		"  FOR UPDATE SKIP LOCKED)",
	"ltlv"},
	[SQL_IS_CLAIMED] = {
		"SELECT FROM @.llava_pending"
		" WHERE image = $1 AND task = $2 AND call = $3 AND holder IS NOT NULL",
	"ltl"},
	[SQL_RELEASE] = {
		"UPDATE @.llava_pending SET visible_at = pg_catalog.now() + $4, holder = NULL,"
		"  attempts = CASE WHEN $5 THEN attempts ELSE GREATEST(attempts - 1, 0) END,"
		"  detail = coalesce($6, detail), company = NULLIF(coalesce($7, company), 0)"
		" WHERE image = $1 AND task = $2 AND call = $3",
	"ltlvBti"},
	[SQL_FORGET_WAITS] = {
		/* what somebody works on is not waited for */
		"WITH waiting AS MATERIALIZED ("
		"  SELECT ctid FROM @.llava_pending"
		"  WHERE failure IS NULL AND holder IS NULL AND visible_at > pg_catalog.now()"
		"  FOR UPDATE SKIP LOCKED)"
		" UPDATE @.llava_pending p SET visible_at = pg_catalog.now()"
		" FROM waiting WHERE p.ctid = waiting.ctid",
	""},
	[SQL_RELEASE_HOLDERS] = {
		/*
		 * of all but the holders $1, up to the call $3; a row that somebody
		 * has locked waits for the end of its lease
		 */
		"WITH held AS MATERIALIZED ("
		"  SELECT ctid FROM @.llava_pending"
		"  WHERE failure IS NULL AND visible_at > pg_catalog.now() AND holder IS NOT NULL"
		"    AND holder <> ALL ($1) AND coalesce(call, 0) <= $3"
		"  FOR UPDATE SKIP LOCKED), "
		"released AS ("
		"  UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL,"
		"    attempts = GREATEST(p.attempts - 1, 0), interruptions = p.interruptions + 1,"
		"    failure = CASE WHEN p.interruptions + 1 >= $2 THEN 'interrupted' END"
		"  FROM held WHERE p.ctid = held.ctid"
		"  RETURNING p.image, p.call, p.task), "
		"noted AS (INSERT INTO @.llava_interrupted (image, call, task)"
		"  SELECT image, call, task FROM released WHERE call IS NOT NULL ON CONFLICT DO NOTHING) "
		"SELECT FROM released",
	"Lil"},
	[SQL_GIVE_UP] = {
		/* calls that are under way: the process ends, and knows that */
		"WITH held AS MATERIALIZED ("
		"  SELECT ctid FROM @.llava_pending"
		"  WHERE failure IS NULL AND holder = $1 AND call = ANY ($3) FOR UPDATE SKIP LOCKED), "
		"released AS ("
		"  UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL,"
		"    attempts = GREATEST(p.attempts - 1, 0), interruptions = p.interruptions + 1,"
		"    failure = CASE WHEN p.interruptions + 1 >= $2 THEN 'interrupted' END"
		"  FROM held WHERE p.ctid = held.ctid"
		"  RETURNING p.image, p.call, p.task) "
		"INSERT INTO @.llava_interrupted (image, call, task, sent)"
		" SELECT image, call, task, true FROM released ON CONFLICT DO NOTHING",
	"iiL"},
	[SQL_NOT_INTERRUPTED] = {
	"DELETE FROM @.llava_interrupted WHERE image = $1 AND call = $3 AND task = $2", "ltl"},
	[SQL_BRING_BACK] = {
		/* $2: slots whose workers live, and look after their leases */
		"WITH far AS MATERIALIZED ("
		"  SELECT ctid, image, task, call, holder FROM @.llava_pending"
		"  WHERE failure IS NULL AND visible_at > pg_catalog.now() + $1"
		"   AND (holder IS NULL OR CASE WHEN holder < 0 THEN -holder NOT IN"
		"     (SELECT pid FROM pg_catalog.pg_stat_get_activity(NULL) WHERE pid IS NOT NULL)"
		"    ELSE holder <> ALL ($2) END)"
		"  ORDER BY visible_at, image, task LIMIT 1000 FOR UPDATE SKIP LOCKED), "
		"interrupted AS (INSERT INTO @.llava_interrupted (image, call, task)"
		"  SELECT image, call, task FROM far WHERE holder IS NOT NULL ON CONFLICT DO NOTHING) "
		"UPDATE @.llava_pending p SET visible_at = pg_catalog.now(), holder = NULL,"
		"  attempts = GREATEST(p.attempts - (far.holder IS NOT NULL)::integer, 0),"
		"  interruptions = p.interruptions + (far.holder IS NOT NULL)::integer"
		" FROM far WHERE p.ctid = far.ctid",
	"vL"},
	[SQL_ABSENT_RELEASE] = {
		"WITH here AS MATERIALIZED ("
		"  SELECT p.ctid FROM @.llava_pending p"
		"  WHERE p.failure = 'no_picture' AND p.task = ANY ($1)"
		"    AND EXISTS (SELECT FROM @.llava_image i WHERE i.id = p.image)"
		"  LIMIT 10000 FOR UPDATE SKIP LOCKED) "
		"UPDATE @.llava_pending p SET failure = NULL, detail = NULL, visible_at = pg_catalog.now()"
		" FROM here WHERE p.ctid = here.ctid",
	"T"},
	[SQL_ABSENT_COUNT] = {
		"SELECT pg_catalog.count(*) FROM @.llava_pending"
		" WHERE failure = 'no_picture' AND task = ANY ($1)",
	"T"},
	[SQL_TIMELINE] = {
	"SELECT timeline FROM @.llava_timeline", ""},
	[SQL_TIMELINE_LOCK] = {
	"SELECT timeline FROM @.llava_timeline FOR UPDATE", ""},
	[SQL_TIMELINE_SET] = {
		"INSERT INTO @.llava_timeline (timeline) VALUES ($1)"
		" ON CONFLICT (only_row) DO UPDATE SET timeline = EXCLUDED.timeline",
	"l"},
	[SQL_NEXT_DUE] = {
		"SELECT visible_at FROM @.llava_pending"
		" WHERE failure IS NULL AND visible_at > pg_catalog.now() AND holder IS NULL"
		"  AND task = ANY ($1) ORDER BY visible_at LIMIT 1",
	"T"},

	[SQL_ANY_DUE] = {
		/* by chance, of those that did not go back for a server's fault */
		"SELECT visible_at, image FROM @.llava_pending"
		" WHERE image >= (SELECT pg_catalog.min(image) + pg_catalog.floor(pg_catalog.random()"
		"    * (pg_catalog.max(image) - pg_catalog.min(image) + 1))::pg_catalog.int8"
		"   FROM @.llava_pending)"
		"  AND failure IS NULL AND visible_at <= pg_catalog.now() AND task = ANY ($1)"
		"  AND NOT excused AND NOT coalesce(call = ANY ($2), false)"
		" ORDER BY image, task LIMIT 1",
	"TL"},

	[SQL_FIRST_DUE] = {
		"SELECT task FROM @.llava_pending"
		" WHERE failure IS NULL AND visible_at <= pg_catalog.now() AND ($1 IS NULL OR task = $1)"
		" ORDER BY visible_at, image, task LIMIT 1",
	"t"},
	[SQL_LOCK_DUE] = {
		"SELECT FROM @.llava_pending"
		" WHERE failure IS NULL AND visible_at <= pg_catalog.now() AND task = ANY ($1)"
		"  AND NOT coalesce(call = ANY ($2), false) ORDER BY visible_at LIMIT 1 FOR UPDATE",
	"TL"},

	/* Queue: settle */
	[SQL_SETTLE_REPLY] = {
		REPLY_COLUMNS
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
		"  $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
	REPLY_TYPES},
	[SQL_SETTLE_LATE] = {
		/* about a picture that is gone: only what it cost */
		REPLY_COLUMNS
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
		"  CASE WHEN gone THEN '' ELSE $13 END, $14, $15, $16, $17, $18, $19,"
		"  CASE WHEN NOT gone THEN $20 END, $21,"
		"  CASE WHEN NOT gone THEN $22 END, $23, $24, $25 "
		"FROM (SELECT NOT EXISTS (SELECT FROM @.llava_image WHERE id = $1) OFFSET 0) f (gone)",
	REPLY_TYPES},
	[SQL_SETTLE_DONE] = {
	"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2 AND call = $3", "ltl"},
	[SQL_SETTLE_SAMPLE] = {
		"INSERT INTO @.llava_conversation (image, task, conversation, rounds, flags, reply,"
		"  task_version) VALUES ($1, $2, $3, $4, $5, $6, $7) "
		"ON CONFLICT (image, task) DO UPDATE SET conversation = EXCLUDED.conversation,"
		"  rounds = EXCLUDED.rounds, flags = EXCLUDED.flags, reply = EXCLUDED.reply,"
		"  task_version = EXCLUDED.task_version, created_at = pg_catalog.now(),"
		"  keep = NULL, note = NULL",
	"ltjiTli"},
	[SQL_SETTLE_AGAIN] = {
		"UPDATE @.llava_pending SET variation = variation + 1, holder = NULL,"
		"  visible_at = pg_catalog.now(), rejects = pg_catalog.array_append(rejects, $4),"
		"  detail = coalesce($5, $4), refused_by = coalesce($6, refused_by), company = NULL,"
		"  said = CASE WHEN NOT excused THEN $7 END"
		" WHERE image = $1 AND task = $2 AND call = $3",
	"ltltttl"},
	[SQL_SETTLE_FAILED] = {
		/* what was excused once stays failed, until llava_retry */
		"UPDATE @.llava_pending SET failure = $4, detail = $5, holder = NULL,"
		"  said = CASE WHEN NOT excused THEN $6 END, excused = false"
		" WHERE image = $1 AND task = $2 AND call = $3",
	"ltlttl"},
	[SQL_SETTLE_EXCUSED] = {
		"UPDATE @.llava_pending SET visible_at = pg_catalog.now(), holder = NULL,"
		"  attempts = GREATEST(attempts - 1, 0), detail = $4, said = NULL, excused = true"
		" WHERE image = $1 AND task = $2 AND call = $3",
	"ltlt"},
	[SQL_EXCUSE] = {
		/*
		 * what failed, or has a reject, for these words at this server, and
		 * for nothing since
		 */
		"WITH failed AS MATERIALIZED (SELECT ctid FROM @.llava_pending"
		"  WHERE said = $1 AND holder IS NULL"
		"   AND coalesce(failure NOT IN ('interrupted', 'near_duplicate'), true)"
		"  ORDER BY call DESC LIMIT $3 FOR UPDATE SKIP LOCKED) "
		"UPDATE @.llava_pending p SET failure = NULL, attempts = 0, said = NULL, excused = true,"
		"  rejects = pg_catalog.array_remove(p.rejects, $2), refused_by = NULL,"
		"  visible_at = pg_catalog.now() FROM failed WHERE p.ctid = failed.ctid",
	"ltl"},

	/* The ledger again.  All as the owner of llava_pending. */
	[SQL_REPARSE_READ] = {
		"SELECT r.image, r.id, r.task, r.task_version, r.body, r.reason, r.reason_offset, r.flags,"
		"  r.measures, (SELECT c.conversation FROM @.llava_conversation c WHERE c.image = r.image"
		"    AND c.task = r.task AND c.reply = r.id AND c.keep IS NULL) "
		"FROM @.llava_reply r "
		"WHERE (r.image, r.id) > ($1, $2) AND NOT r.late AND r.body <> ''"
		"  AND ($3 IS NULL OR r.task = $3) ORDER BY r.image, r.id LIMIT $4",
	"lltl"},
	[SQL_REPARSE_OTHER] = {
		"SELECT r.image, r.id, r.task, r.task_version, r.body, r.reason, r.reason_offset, r.flags,"
		"  r.measures FROM @.llava_reply r WHERE r.image = $1 AND r.task = $2 AND r.id <> $3"
		"  AND NOT r.late AND r.body <> '' AND r.reason IS NULL ORDER BY r.id DESC",
	"ltl"},
	[SQL_REPARSE_VERDICT] = {
		"UPDATE @.llava_reply SET reason = $4, reason_offset = $5, flags = $6,"
		"  measures = $7, parser_version = $8"
		" WHERE image = $1 AND id = $2 AND reason IS NOT DISTINCT FROM $3",
	"llttlTji"},
	[SQL_REPARSE_DONE] = {
		"DELETE FROM @.llava_pending WHERE image = $1 AND task = $2 AND NOT EXISTS"
		"  (SELECT FROM @.llava_conversation c WHERE c.image = $1 AND c.task = $2)",
	"ltjiTli"},
	[SQL_REPARSE_SAMPLE] = {
		"INSERT INTO @.llava_conversation (image, task, conversation, rounds, flags, reply,"
		"  task_version) SELECT $1, $2, $3, $4, $5, $6, $7"
		" FROM @.llava_image WHERE id = $1 ON CONFLICT DO NOTHING",
	"ltjiTli"},
	[SQL_REPARSE_REWRITE] = {
		"UPDATE @.llava_conversation SET conversation = $3, rounds = $4,"
		"  flags = $5 WHERE image = $1 AND task = $2 AND reply = $6 AND keep IS NULL"
		"  AND (conversation <> $3 OR flags <> $5)",
	"ltjiTl"},
	[SQL_REPARSE_WITHDRAW] = {
		"DELETE FROM @.llava_conversation WHERE image = $1 AND task = $2 AND reply = $3"
		"  AND keep IS NULL AND $4 IS NOT NULL",
	"ltlt"},
	[SQL_REPARSE_FAILED] = {
		/* what waits to be asked again goes on waiting */
		"INSERT INTO @.llava_pending (image, task, call, attempts, variation, failure) "
		"SELECT $1, $2, $3, pg_catalog.count(*), coalesce(pg_catalog.max(r.variation), 0), $4"
		" FROM @.llava_reply r WHERE r.image = $1 AND r.task = $2"
		"  AND EXISTS (SELECT FROM @.llava_image WHERE id = $1) HAVING pg_catalog.count(*) > 0 "
		"ON CONFLICT DO NOTHING",
	"ltlt"},
	[SQL_REPARSE_REASON] = {
		"UPDATE @.llava_pending SET failure = $5 WHERE image = $1 AND task = $2 AND call = $3"
		"  AND failure = $4",
	"ltltt"},

	/* Usage */
	[SQL_USAGE_ADD] = {
		"INSERT INTO @.llava_usage AS u (server, requests, replies, accepted, failed,"
		"  throttled, prompt_tokens, completion_tokens, cost, estimated) "
		"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
		"ON CONFLICT (server) DO UPDATE SET requests = u.requests + EXCLUDED.requests,"
		"  replies = u.replies + EXCLUDED.replies, accepted = u.accepted + EXCLUDED.accepted,"
		"  failed = u.failed + EXCLUDED.failed, throttled = u.throttled + EXCLUDED.throttled,"
		"  prompt_tokens = u.prompt_tokens + EXCLUDED.prompt_tokens,"
		"  completion_tokens = u.completion_tokens + EXCLUDED.completion_tokens,"
		"  cost = u.cost + EXCLUDED.cost, estimated = u.estimated + EXCLUDED.estimated",
	"tllllllldl"},
	[SQL_USAGE_PAUSE] = {
		"INSERT INTO @.llava_usage AS u (server, pause_reason, pause_detail, paused_at) "
		"VALUES ($1, $2, $3, CASE WHEN $2 IS NULL THEN NULL ELSE pg_catalog.now() END) "
		"ON CONFLICT (server) DO UPDATE SET pause_reason = EXCLUDED.pause_reason,"
		"  pause_detail = EXCLUDED.pause_detail, paused_at = EXCLUDED.paused_at"
		" WHERE u.pause_reason IS DISTINCT FROM EXCLUDED.pause_reason"
		"  OR u.pause_detail IS DISTINCT FROM EXCLUDED.pause_detail",
	"ttt"},
	/* runs with the caller's search_path out of the way, as the table's owner */
	[SQL_USAGE_RESUME] = {
		"UPDATE @.llava_usage SET pause_reason = NULL, pause_detail = NULL, paused_at = NULL"
		" WHERE server = $1 AND pause_reason IS NOT NULL",
	"t"},
	[SQL_USAGE_ALL] = {
		"SELECT server, requests, cost::pg_catalog.float8, pause_reason,"
		"  pause_reason IS NULL AND pause_detail IS NOT NULL FROM @.llava_usage",
	""},

	/* Export: runs with the caller's search_path and rights */
	[SQL_EXPORT] = {
		EXPORT_SAMPLES " WHERE " EXPORT_CHOSEN
		" ORDER BY c.image, c.task COLLATE pg_catalog.\"C\"",
	"TTBdlB"},
	[SQL_EXPORT_SHUFFLED] = {
		/* sorted without the conversations, which are looked up one by one */
		"SELECT s.* FROM (SELECT c.image, c.task FROM " EXPORT_TABLES
		"  WHERE " EXPORT_CHOSEN " ORDER BY " EXPORT_ORDER " OFFSET 0) o, "
		"LATERAL (" EXPORT_SAMPLES " WHERE c.image OPERATOR(pg_catalog.=) o.image"
		"  AND c.task OPERATOR(pg_catalog.=) o.task OFFSET 0) s",
	"TTBdlB"},
	[SQL_EXPORT_MIX] = {
		/*
		 * llava_exported says what is left out as invalid; its lines are not
		 * kept
		 */
		"WITH valid AS MATERIALIZED (SELECT (s.sample).image, (s.sample).task, (s.sample).sha256,"
		"   @.llava_image_share((s.sample).image, (s.sample).sha256, 1::bigint) AS share"
		"  FROM (SELECT @.llava_exported($7, $1, $2, false,"
		"    CASE WHEN $3 THEN 'validation' WHEN NOT $3 THEN 'train' END, $4, 'first'::text, $8,"
		"    NULL::text, NULL::bigint, $6, $9) AS sample OFFSET 0) s), "
		"weights AS (SELECT DISTINCT ON (name) name, weight FROM @.llava_task"
		"  ORDER BY name, version DESC), "
		"have AS (SELECT w.name, w.weight::pg_catalog.numeric AS weight, pg_catalog.count(v.task) AS n"
		"  FROM weights w LEFT JOIN valid v ON v.task OPERATOR(pg_catalog.=) w.name"
		"  WHERE w.weight OPERATOR(pg_catalog.>) 0"
		"   AND ($1 IS NULL OR w.name OPERATOR(pg_catalog.=) ANY ($1)) GROUP BY w.name, w.weight), "
		/* the task that has least of its share is taken whole */
		"take AS (SELECT a.name, pg_catalog.min(pg_catalog.div("
		"   a.weight OPERATOR(pg_catalog.*) b.n::pg_catalog.numeric, b.weight)) AS n"
		"  FROM have a, have b GROUP BY a.name), "
		"ranked AS (SELECT v.image, v.task, v.sha256, pg_catalog.row_number() OVER"
		"  (PARTITION BY v.task ORDER BY v.share, v.image) AS nth FROM valid v) "
		"SELECT s.* FROM (SELECT c.image, c.task FROM ranked c JOIN take t"
		"   ON t.name OPERATOR(pg_catalog.=) c.task"
		"   AND c.nth::pg_catalog.numeric OPERATOR(pg_catalog.<=) t.n"
		"  ORDER BY CASE WHEN $5 IS NOT NULL THEN @.llava_image_share(c.image, c.sha256, $5) END,"
		"   c.image, c.task COLLATE pg_catalog.\"C\" OFFSET 0) o, "
		"LATERAL (" EXPORT_SAMPLES " WHERE c.image OPERATOR(pg_catalog.=) o.image"
		"  AND c.task OPERATOR(pg_catalog.=) o.task OFFSET 0) s",
	"TTBdlBtti"},
	[SQL_EXPORT_IMAGES] = {
		"SELECT (s.sample).image, (s.sample).file_name"
		" FROM (SELECT @.llava_export_list($1, $2, $3, $4, $5, $6, NULL::bigint) AS sample"
		"  OFFSET 0) s"
		" ORDER BY (s.sample).file_name COLLATE pg_catalog.\"C\", (s.sample).image",
	"TTBtdt"},
	[SQL_EXPORT_IMAGE_FACTS] = {
		/* the length without a look at the bytes */
		"SELECT CASE WHEN in_file THEN bytes ELSE pg_catalog.octet_length(image) END, sha256,"
	"  complete IS FALSE FROM @.llava_image WHERE id OPERATOR(pg_catalog.=) $1", "l"},
	[SQL_EXPORT_IMAGE_BYTES] = {
	"SELECT @.llava_image_bytes($1)", "l"},
};

/* Of statements that run with another role's rights. */
#define SAFE_SEARCH_PATH "pg_catalog, pg_temp"

static struct
{
	BoundText  *bound;
	SPIPlanPtr	plan;			/* NULL: there is none yet */
	int			running;		/* executions under way: it is not freed */
}			plans[SQL_STATEMENTS];
static Oid	plans_schema = InvalidOid;
static char plans_schema_name[NAMEDATALEN];

/* t text, i integer, l bigint, d double, B boolean, b bytea, z timestamptz, v interval,
 * j JSON text, T text[], L bigint[], Y bytea[] */
static Oid
argument_type(char letter)
{
	switch (letter)
	{
		case 't':
			return TEXTOID;
		case 'j':
			return JSONBOID;
		case 'i':
			return INT4OID;
		case 'l':
			return INT8OID;
		case 'd':
			return FLOAT8OID;
		case 'B':
			return BOOLOID;
		case 'b':
			return BYTEAOID;
		case 'z':
			return TIMESTAMPTZOID;
		case 'v':
			return INTERVALOID;
		case 'T':
			return TEXTARRAYOID;
		case 'L':
			return INT8ARRAYOID;
		case 'Y':
			return BYTEAARRAYOID;
	}
	elog(ERROR, "unknown argument type letter %c", letter);
	return InvalidOid;
}

/* Plans name the schema they were made for; another schema needs others. */
static void
forget_plans_of_another_schema(Oid schema)
{
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
		elog(ERROR, "schema %u does not exist", schema);
	if (schema == plans_schema && strcmp(name, plans_schema_name) == 0)
		return;
	for (int i = 0; i < SQL_STATEMENTS; i++)
	{
		/* a plan that runs keeps its text, for good */
		if (plans[i].plan != NULL && plans[i].running == 0)
			SPI_freeplan(plans[i].plan);
		plans[i].plan = NULL;
		if (plans[i].bound != NULL && plans[i].running == 0)
			bind_free(plans[i].bound);
		plans[i].bound = NULL;
	}
	plans_schema = schema;
	strlcpy(plans_schema_name, name, NAMEDATALEN);
}

/* An error may have ended executions under way. */
static void
end_of_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		for (int i = 0; i < SQL_STATEMENTS; i++)
			plans[i].running = 0;
}

static BoundText *
bind_statement(const Statement *statement)
{
	Oid			types[MAX_ARGUMENTS];
	int			n = strlen(statement->types);

	Assert(n <= MAX_ARGUMENTS);
	for (int i = 0; i < n; i++)
		types[i] = argument_type(statement->types[i]);
	return bind_text(statement->text, plans_schema_name, types, n);
}

static SPIPlanPtr
statement_plan(SqlStatement statement)
{
	static bool watching;
	SPIPlanPtr	plan;

	if (!watching)
		RegisterXactCallback(end_of_transaction, NULL);
	watching = true;
	forget_plans_of_another_schema(extension_schema_required());
	if (plans[statement].plan != NULL)
		return plans[statement].plan;

	if (plans[statement].bound == NULL)
		plans[statement].bound = bind_statement(&statements[statement]);
	plan = bind_prepare(plans[statement].bound);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare of statement %d: %s", statement,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	plans[statement].plan = plan;
	return plan;
}

/*
 * The plan, when its tables were locked and judged.  What a statement was parsed to is
 * looked at before it is planned: planning already runs code, to fold constants.  A
 * plan that became void is parsed anew, not only planned anew.
 */
static SPIPlanPtr
judged_plan(SqlStatement statement)
{
	for (;;)
	{
		SPIPlanPtr	plan = statement_plan(statement);

		if (trust_check_query(linitial(SPI_plan_get_plan_sources(plan))))
			return plan;
		plans[statement].plan = NULL;
		if (plans[statement].running == 0)
			SPI_freeplan(plan);
		CHECK_FOR_INTERRUPTS();
	}
}

static uint64
run_plan(SqlStatement statement, SPIPlanPtr plan, Datum *values, const char *nulls, long limit)
{
	ParamListInfo list = bind_values(plans[statement].bound, values, nulls);
	int			rc;

	plans[statement].running++;
	rc = SPI_execute_plan_with_paramlist(plan, list, false, limit);
	plans[statement].running--;
	/* it was replaced while it ran */
	if (plan != plans[statement].plan && plans[statement].running == 0)
		SPI_freeplan(plan);
	if (rc < 0)
		elog(ERROR, "statement %d: %s", statement, SPI_result_code_string(rc));
	pfree(list);
	return SPI_processed;
}

/*
 * A cursor has no owner: a role's trigger could put a query of its own in the place of
 * one that the session will FETCH from.
 */
static uint64
run_judged(SqlStatement statement, SPIPlanPtr plan, Datum *values, const char *nulls, long limit)
{
	List	   *pinned;
	volatile uint64 processed = 0;

	if (!trust_runs_owners_code())
		return run_plan(statement, plan, values, nulls, limit);
	pinned = cursors_pin();
	PG_TRY();
	{
		processed = run_plan(statement, plan, values, nulls, limit);
	}
	PG_FINALLY();
	{
		cursors_unpin(pinned);
	}
	PG_END_TRY();
	return processed;
}

/* Names and policies as our texts need them, whatever code before us has SET. */
static void
set_safe_names(void)
{
	if (strcmp(namespace_search_path, SAFE_SEARCH_PATH) != 0)
		(void) set_config_option("search_path", SAFE_SEARCH_PATH, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (!row_security)
		(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

uint64
sql_run(SqlStatement statement, Datum *values, const char *nulls, long limit)
{
	int			level;
	uint64		processed;

	if (!trust_is_on())
		return run_plan(statement, statement_plan(statement), values, nulls, limit);

	/*
	 * settings that triggers change, of strangers' referencing tables too,
	 * end with it
	 */
	level = NewGUCNestLevel();
	set_safe_names();
	processed = run_judged(statement, judged_plan(statement), values, nulls, limit);
	AtEOXact_GUC(false, level);
	return processed;
}

Portal
sql_open(SqlStatement statement, Datum *values, const char *nulls)
{
	SPIPlanPtr	plan = statement_plan(statement);

	return SPI_cursor_open_with_paramlist(NULL, plan,
										  bind_values(plans[statement].bound, values, nulls), true);
}
