-- What a look for copies costs among :n hashes: psql -v n=1000000 -f test/bench/hashes.sql
-- in a throwaway database with the extension. Random hashes; the statement is the one
-- of SQL_HASH_NEAR in src/pg/db/sql.c, planned as the worker plans it. The last column
-- counts what a scan of the whole table finds and the look does not, and the reverse.
\set QUIET on
\pset footer off
SET client_min_messages = warning;
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;
SET enable_mergejoin = off; SET max_parallel_workers_per_gather = 0; SET jit = off; SET plan_cache_mode = force_generic_plan;
TRUNCATE llava_image, llava_hash;
INSERT INTO llava_image (id, received_at) SELECT n, now() FROM generate_series(1, :n) AS n;
INSERT INTO llava_hash (image, coarse, fine, colours)
SELECT n, ('x' || left(md5(n::text), 16))::bit(64)::bigint, sha256(int8send(n)), '\x8080808080808080'
FROM generate_series(1, :n) AS n;
VACUUM ANALYZE llava_hash;

-- the values within two bits of a hash's own
CREATE FUNCTION pg_temp.band(coarse bigint, shift integer, bits integer) RETURNS bigint[] IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg(DISTINCT ((coarse >> shift) & ((1::bigint << bits) - 1)) # a.b # c.b)
	FROM (SELECT 0::bigint UNION ALL SELECT 1::bigint << i FROM generate_series(0, bits - 1) i) AS a (b),
		(SELECT 0::bigint UNION ALL SELECT 1::bigint << i FROM generate_series(0, bits - 1) i) AS c (b)';
PREPARE look (bigint, integer, bytea, integer, bigint[], bigint[], bigint[]) AS
	SELECT image, coarse, fine, colours FROM llava_hash WHERE NOT copy AND llava_hash_distance(coarse, $1) <= $2
		AND CASE WHEN octet_length(fine) = octet_length($3) THEN llava_hash_distance(fine, $3) <= $4 END AND (coarse & 4194303::bigint) = ANY ($5)
	UNION ALL SELECT image, coarse, fine, colours FROM llava_hash WHERE NOT copy AND llava_hash_distance(coarse, $1) <= $2
		AND CASE WHEN octet_length(fine) = octet_length($3) THEN llava_hash_distance(fine, $3) <= $4 END AND ((coarse >> 22) & 2097151::bigint) = ANY ($6)
	UNION ALL SELECT image, coarse, fine, colours FROM llava_hash WHERE NOT copy AND llava_hash_distance(coarse, $1) <= $2
		AND CASE WHEN octet_length(fine) = octet_length($3) THEN llava_hash_distance(fine, $3) <= $4 END AND ((coarse >> 43) & 2097151::bigint) = ANY ($7);

-- copies of hashes that are there, 0 to 8 bits away, and as many that are nobody's
CREATE TEMP TABLE looked (coarse bigint, fine bytea, apart integer, ms float8, found bigint, missed bigint);
DO $$
DECLARE
	want bigint; looks bytea; bands text[]; began timestamptz; n bigint := (SELECT max(image) FROM llava_hash); rows bigint; r record;
BEGIN
	FOR k IN 0 .. 399 LOOP
		SELECT h.coarse, h.fine INTO want, looks FROM llava_hash h WHERE h.image = 1 + (k::bigint * 7919 * 31) % n;
		FOR bit IN 1 .. k % 9 LOOP
			want := want # (1::bigint << ((k * 13 + bit * 9) % 64));
		END LOOP;
		IF k % 2 = 1 THEN want := ('x' || left(md5('other' || k), 16))::bit(64)::bigint; END IF;
		bands := ARRAY[pg_temp.band(want, 0, 22)::text, pg_temp.band(want, 22, 21)::text, pg_temp.band(want, 43, 21)::text];
		began := clock_timestamp();
		EXECUTE format('EXECUTE look (%s, 8, %L, 20, %L, %L, %L)', want, looks, bands[1], bands[2], bands[3]);
		GET DIAGNOSTICS rows = ROW_COUNT;
		INSERT INTO looked VALUES (want, looks, CASE WHEN k % 2 = 0 THEN k % 9 END, 1000 * extract(epoch FROM clock_timestamp() - began), rows, NULL);
	END LOOP;
END $$;
SET enable_seqscan = on;
SELECT :n AS hashes, round(avg(ms)::numeric, 2) AS mean_ms,
	round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ms)::numeric, 2) AS p99_ms, round(max(ms)::numeric, 2) AS most_ms,
	count(*) FILTER (WHERE apart IS NOT NULL AND found = 0) AS copies_not_found,
	(SELECT count(*) FROM (SELECT * FROM looked WHERE ctid < '(0,40)') l
		WHERE (found > 0) <> EXISTS (SELECT FROM llava_hash h WHERE llava_hash_distance(h.coarse, l.coarse) <= 8 AND llava_hash_distance(h.fine, l.fine) <= 20)) AS unlike_a_scan,
	pg_size_pretty(pg_total_relation_size('llava_hash')) AS size
FROM looked;

-- pages of one layout: all of one coarse hash, each of a fine one of its own
TRUNCATE llava_hash, looked;
INSERT INTO llava_hash (image, coarse, fine, colours)
SELECT n, 1234567890123, sha256(int8send(n)), '\x8080808080808080' FROM generate_series(1, least(:n, 100000)) AS n;
VACUUM ANALYZE llava_hash;
SET enable_seqscan = off;
DO $$
DECLARE
	want bigint := 1234567890123; bands text[]; began timestamptz; rows bigint;
BEGIN
	FOR k IN 1 .. 20 LOOP
		bands := ARRAY[pg_temp.band(want, 0, 22)::text, pg_temp.band(want, 22, 21)::text, pg_temp.band(want, 43, 21)::text];
		began := clock_timestamp();
		EXECUTE format('EXECUTE look (%s, 8, %L, 20, %L, %L, %L)', want, sha256(int8send(k)), bands[1], bands[2], bands[3]);
		GET DIAGNOSTICS rows = ROW_COUNT;
		INSERT INTO looked VALUES (want, NULL, 0, 1000 * extract(epoch FROM clock_timestamp() - began), rows, NULL);
	END LOOP;
END $$;
SELECT (SELECT count(*) FROM llava_hash) AS of_one_layout, round(avg(ms)::numeric, 2) AS mean_ms, bool_and(found > 0) AS all_found FROM looked;
