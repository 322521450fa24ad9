/*
 * shard_file.h
 *	  One shard of an export: a tar file in the making.
 */
#ifndef LLAVA_SHARD_FILE_H
#define LLAVA_SHARD_FILE_H

#include "export_digest.h"
#include "image_folder.h"

/* Zero it, and close it in PG_FINALLY. */
typedef struct ShardFile
{
	ImageFolder *folder;
	const char *name;			/* for errors */
	struct archive *archive;	/* NULL: no shard is being written */
	EVP_MD_CTX *digest;
	int64		bytes;			/* that are in the file */
	int64		unflushed;		/* of them since the kernel was last asked to
								 * write */
}			ShardFile;

/* Bytes that a member takes, and those behind the last one. */
extern int64 shard_member_bytes(const char *name, size_t size);

#define SHARD_END_BYTES 1024

/* Begins the folder's unfinished file. */
extern void shard_begin(ShardFile * file, ImageFolder *folder, const char *name,
						EVP_MD_CTX *digest);
extern void shard_add(ShardFile * file, const char *name, const char *data, size_t size);

/* Makes it a durable file of that name; its size is file->bytes. */
extern void shard_end(ShardFile * file, const char *given_name, unsigned char *sha256);

/* Gives up what was begun and has not ended. */
extern void shard_close(ShardFile * file);

#endif							/* LLAVA_SHARD_FILE_H */
