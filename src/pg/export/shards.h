/*
 * shards.h
 *	  An export that is being written into shards; for shards.c and shards_write.c.
 */
#ifndef LLAVA_SHARDS_H
#define LLAVA_SHARDS_H

#include "export.h"
#include "nodes/execnodes.h"
#include "shard_file.h"
#include "shard_notes.h"

typedef struct ShardSample
{
	int64		image;
	Datum		task;
	char	   *name;			/* of the picture's file */
	bytea	   *sha256;			/* or NULL */
	char	   *line;			/* with its line end */
	size_t		line_bytes;
}			ShardSample;

/* What is in the shards, of all of them. */
typedef struct ShardTotals
{
	int64		rows;
	int64		line_bytes;
	int64		missing;		/* samples that are in none */
	EVP_MD_CTX *lines;
	const char *extension;		/* of the first picture's name */
	bool		extensions_differ;
}			ShardTotals;

typedef struct ShardExport
{
	ReturnSetInfo *result;
	Datum	   *arguments;		/* of the query of the samples */
	char	   *nulls;
	bool		prepared;
	int64		shard_bytes;
	int64		shard_rows;		/* 0: as many as fit */
	ImageFolder folder;
	ShardNotes	notes;
	ShardFile	file;
	struct Work *work;			/* how far the call is */

	/* the shard that is looked at */
	int			shard;
	int			kept;			/* those before are there already */
	ShardSample behind;			/* the first one behind these; name NULL: none
								 * was seen */
	bool		is_begun;
	ShardNote	note;
	EVP_MD_CTX *content;
	EVP_MD_CTX *digest;
	int64		missing_seen;	/* of a kept one's */

	ShardTotals total;
}			ShardExport;

/* ---- shards_write.c ---- */

/*
 * Writes the sample into the shard that is being written, or the next one; a sample
 * without a picture is only noted.
 */
extern void shards_write_sample(ShardExport * export, const ShardSample * sample);

/*
 * The same of a shard that is there; put: its row is among the result's.  False if the
 * shard's end shows that it is of other samples.
 */
extern bool shards_pass_sample(ShardExport * export, const ShardSample * sample, bool put);

/* Whether there is room for the sample behind the last shard that is kept. */
extern bool shards_has_room_behind(const ShardExport * export);

/* Writes the shard down and goes on to the next; one in which there is nothing is none. */
extern void shards_end_shard(ShardExport * export);

/* The result's rows of the shards, and of the whole. */
extern void shards_put_shards(ShardExport * export);
extern void shards_put_whole(ShardExport * export);

/* ERROR: all shards are there, of other samples. */
pg_noreturn extern void shards_refuse_other_samples(const ShardExport * export);

#endif							/* LLAVA_SHARDS_H */
