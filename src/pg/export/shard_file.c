/*
 * shard_file.c
 *	  Writing one tar file through libarchive, with its digest.
 *
 * The same members make the same bytes: owner, times and permissions are constants.  The
 * format is GNU's, whose names are bytes of any length: pax would convert names that are
 * not ASCII by the server's locale, and needs another kilobyte for each of them.
 *
 * libarchive calls back to write.  An ERROR must not jump over its frames, so the callback
 * returns one, and who called libarchive raises it.
 */
#include "postgres.h"

#include <archive.h>
#include <archive_entry.h>

#include "miscadmin.h"
#include "shard_file.h"
#include "storage/fd.h"

#define RECORD 512
#define LONGEST_NAME 100		/* that fits a header */
#define WRITE_BLOCK (128 * 1024)
#define WRITE_SLICE (1024 * 1024)

/* At most about this much is unflushed at the final fsync. */
#define FLUSH_BYTES (16 * 1024 * 1024)

int64
shard_member_bytes(const char *name, size_t size)
{
	size_t		length = strlen(name);
	int64		bytes = RECORD + TYPEALIGN64(RECORD, size);

	return length <= LONGEST_NAME ? bytes : bytes + RECORD + TYPEALIGN64(RECORD, length + 1);
}

/* libarchive's callback; sets errno where it fails. */
static la_ssize_t
shard_write(struct archive *archive, void *arg, const void *data, size_t size)
{
	ShardFile  *file = arg;

	if (!folder_part_write(file->folder, data, size))
	{
		archive_set_error(archive, errno, "write");
		return -1;
	}
	if (!EVP_DigestUpdate(file->digest, data, size))
	{
		archive_set_error(archive, ENOMEM, "digest");
		return -1;
	}
	file->bytes += (int64) size;
	file->unflushed += (int64) size;
	return (la_ssize_t) size;
}

/* ERROR unless libarchive says that all is well; a warning is of a name or size it would change. */
static void
shard_check(ShardFile * file, int status)
{
	if (status == ARCHIVE_OK)
		return;
	errno = archive_errno(file->archive);
	if (errno > 0)
		folder_cannot_write(file->folder, file->name);
	elog(ERROR, "could not write \"%s\": %s", file->name, archive_error_string(file->archive));
}

void
shard_begin(ShardFile * file, ImageFolder *folder, const char *name, EVP_MD_CTX *digest)
{
	file->folder = folder;
	file->name = name;
	file->digest = digest;
	file->bytes = file->unflushed = 0;
	folder_part_begin(folder, name);
	file->archive = archive_write_new();
	if (file->archive == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	shard_check(file, archive_write_set_format_gnutar(file->archive));
	shard_check(file, archive_write_set_bytes_per_block(file->archive, WRITE_BLOCK));
	shard_check(file, archive_write_set_bytes_in_last_block(file->archive, 1));
	shard_check(file, archive_write_open2(file->archive, file, NULL, shard_write, NULL, NULL));
}

static int
write_header(ShardFile * file, const char *name, size_t size)
{
	struct archive_entry *entry = archive_entry_new();
	int			status;

	if (entry == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	archive_entry_copy_pathname(entry, name);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, 0, 0);
	archive_entry_set_size(entry, (la_int64_t) size);
	status = archive_write_header(file->archive, entry);
	archive_entry_free(entry);
	return status;
}

void
shard_add(ShardFile * file, const char *name, const char *data, size_t size)
{
	shard_check(file, write_header(file, name, size));
	while (size > 0)
	{
		size_t		n = Min(size, WRITE_SLICE);
		la_ssize_t	written;

		CHECK_FOR_INTERRUPTS();
		written = archive_write_data(file->archive, data, n);
		if (written <= 0)
			shard_check(file, ARCHIVE_FATAL);
		data += written;
		size -= written;
	}
	shard_check(file, archive_write_finish_entry(file->archive));
	if (file->unflushed < FLUSH_BYTES)
		return;
	file->unflushed = 0;
	pg_flush_data(file->folder->part, 0, 0);
}

void
shard_end(ShardFile * file, const char *given_name, unsigned char *sha256)
{
	shard_check(file, archive_write_close(file->archive));
	(void) archive_write_free(file->archive);
	file->archive = NULL;
	export_digest_end(file->digest, sha256);
	folder_part_end(file->folder, file->name, given_name);
}

void
shard_close(ShardFile * file)
{
	if (file->archive == NULL)
		return;
	/* else freeing it would write its end */
	(void) archive_write_fail(file->archive);
	(void) archive_write_free(file->archive);
	file->archive = NULL;
}
