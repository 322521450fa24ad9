/*
 * copy_file.c
 *	  COPY with format jsonl and a file of the server, beyond what core's COPY does: a
 *	  file that goes out gets its name when it is whole and on disk, and a file that
 *	  comes in is read to its end.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif

#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "copy_file.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/acl.h"

#define SCAN_CHUNK (256 * 1024)

/* So much is left to the end's wait for the disk. */
#define FLUSH_BYTES (16 * 1024 * 1024)

/* Those of this process: a COPY may run in a function of another's query. */
static CopyPart *unfinished = NULL;

/* ---- TO ---- */

/*
 * The regular file that a COPY TO this name would write, which may not be there yet;
 * NULL where core is to open the name itself: a device, a pipe, or a name it refuses.
 */
static char *
regular_file(const char *name)
{
	struct stat facts;
	char	   *resolved;
	char	   *file = NULL;

	if (!is_absolute_path(name))
		return NULL;
	if (lstat(name, &facts) < 0)
		return errno == ENOENT ? pstrdup(name) : NULL;
	if (S_ISREG(facts.st_mode))
		return pstrdup(name);
	/* what a link leads to stays where it is */
	if (S_ISLNK(facts.st_mode) && stat(name, &facts) == 0 && S_ISREG(facts.st_mode) &&
		(resolved = realpath(name, NULL)) != NULL)
	{
		file = pstrdup(resolved);
		free(resolved);
	}
	return file;
}

/* Callback at the end of the process, which no PG_CATCH sees. */
static void
drop_all(int code, Datum arg)
{
	while (unfinished != NULL)
		copy_part_drop(unfinished);
}

CopyPart *
copy_part_new(const char *name)
{
	static bool at_exit = false;
	CopyPart   *part;
	char	   *file;

	/* without this right core refuses, and nothing is looked at or taken away */
	if (!has_privs_of_role(GetUserId(), ROLE_PG_WRITE_SERVER_FILES))
		return NULL;
	file = regular_file(name);
	if (file == NULL)
		return NULL;
	if (!at_exit)
		before_shmem_exit(drop_all, (Datum) 0);
	at_exit = true;
	part = palloc0(sizeof(CopyPart));
	part->file = file;
	part->name = psprintf("%s.%d.part", file, MyProcPid);
	part->outer = unfinished;
	unfinished = part;
	return part;
}

void
copy_part_line(size_t bytes)
{
	int			fd;

	if (unfinished == NULL || (unfinished->unflushed += bytes) < FLUSH_BYTES)
		return;
	unfinished->unflushed = 0;
	fd = OpenTransientFile(unfinished->name, O_WRONLY | PG_BINARY);
	if (fd < 0)
		return;
	pg_flush_data(fd, 0, 0);
	CloseTransientFile(fd);
}

void
copy_part_finish(CopyPart *part)
{
	struct stat facts;

	/* as core leaves it when it writes over a file */
	if (stat(part->file, &facts) == 0 && chmod(part->name, facts.st_mode & 0777) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not set permissions of file \"%s\": %m", part->name)));
	(void) durable_rename(part->name, part->file, ERROR);
	unfinished = part->outer;
}

void
copy_part_drop(CopyPart *part)
{
	(void) unlink(part->name);
	unfinished = part->outer;
}

/* ---- FROM ---- */

#if PG_VERSION_NUM < 180000

/* Where a line of nothing but '\.' begins in the bytes, or NULL.  'first' and 'last': of the file. */
static const char *
find_end_mark(const char *bytes, size_t size, bool first, bool last)
{
	const char *end = bytes + size;

	for (const char *at = bytes; (at = memmem(at, end - at, "\\.", 2)) != NULL; at += 2)
	{
		bool		begins = at == bytes ? first : at[-1] == '\n' || at[-1] == '\r';
		bool		ends = at + 2 == end ? last : at[2] == '\n' || at[2] == '\r';

		if (begins && ends)
			return at;
	}
	return NULL;
}

static uint64
count_lines(const char *bytes, const char *end)
{
	uint64		lines = 0;

	for (const char *at = bytes; (at = memchr(at, '\n', end - at)) != NULL; at++)
		lines++;
	return lines;
}

/* The number of the first such line; 0: there is none. */
static uint64
end_mark_line(FILE * file, char *bytes)
{
	uint64		lines = 0;
	size_t		kept = 0;
	bool		first = true;

	for (;;)
	{
		size_t		got = fread(bytes + kept, 1, SCAN_CHUNK - kept, file);
		size_t		size = kept + got;
		bool		last = got < SCAN_CHUNK - kept;
		const char *mark = find_end_mark(bytes, size, first, last);

		CHECK_FOR_INTERRUPTS();
		if (mark != NULL)
			return lines + count_lines(bytes, mark) + 1;
		if (last)
			return 0;

		/*
		 * a mark may lie across the chunks: its line end before and what is
		 * seen of it
		 */
		kept = 3;
		lines += count_lines(bytes, bytes + size - kept);
		memmove(bytes, bytes + size - kept, kept);
		first = false;
	}
}

void
copy_check_end(const char *name)
{
	char	   *bytes = palloc(SCAN_CHUNK);
	FILE	   *file = AllocateFile(name, PG_BINARY_R);
	struct stat facts;
	uint64		line = 0;

	/* a pipe has been read, and cannot be again */
	if (file != NULL && fstat(fileno(file), &facts) == 0 && S_ISREG(facts.st_mode))
		line = end_mark_line(file, bytes);
	if (file == NULL || ferror(file))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read file \"%s\" again: %m", name)));
	FreeFile(file);
	pfree(bytes);
	if (line > 0)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " UINT64_FORMAT " of file \"%s\" is \"\\.\", which is not JSON", line, name),
				 errdetail("This version of the server ends its reading there.")));
}

#else

void
copy_check_end(const char *name)
{
}

#endif
