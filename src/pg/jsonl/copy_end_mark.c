/*
 * copy_end_mark.c
 *	  COPY FROM with format jsonl and a file of the server: refuses an end mark, at
 *	  which core's COPY stops reading.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* memmem */
#endif

#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat.h"
#include "copy_end_mark.h"
#include "miscadmin.h"
#include "storage/fd.h"

#define SCAN_CHUNK (256 * 1024)

#if PG_VERSION_NUM < 180000

pg_noreturn static void
cannot_read_again(const char *name)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read file \"%s\" again: %m", name)));
}

/*
 * Where a line of nothing but '\.' begins in the bytes, or NULL.  'first' and 'last': of
 * the file.
 */
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

/* Reads up to size bytes; fewer only at the end of the file. */
static size_t
read_chunk(int fd, const char *name, char *bytes, size_t size)
{
	size_t		done = 0;

	while (done < size)
	{
		ssize_t		n = read(fd, bytes + done, size - done);

		if (n == 0)
			break;
		if (n < 0 && errno != EINTR)
			cannot_read_again(name);
		done += Max(n, 0);
	}
	return done;
}

/* The number of the first line that is an end mark; 0 if there is none. */
static uint64
end_mark_line(int fd, const char *name, char *bytes)
{
	uint64		lines = 0;
	size_t		kept = 0;
	bool		first = true;

	for (;;)
	{
		size_t		got = read_chunk(fd, name, bytes + kept, SCAN_CHUNK - kept);
		size_t		size = kept + got;
		bool		last = got < SCAN_CHUNK - kept;
		const char *mark = find_end_mark(bytes, size, first, last);

		CHECK_FOR_INTERRUPTS();
		if (mark != NULL)
			return lines + count_lines(bytes, mark) + 1;
		if (last)
			return 0;

		/*
		 * a mark may lie across two chunks: the line end before it, and its
		 * part in this chunk
		 */
		kept = 3;
		lines += count_lines(bytes, bytes + size - kept);
		memmove(bytes, bytes + size - kept, kept);
		first = false;
	}
}

/* The name may lead to a pipe by now, so it is opened without blocking. */
void
copy_check_end(const char *name)
{
	int			fd = OpenTransientFile(name, O_RDONLY | O_NONBLOCK | O_NOCTTY | PG_BINARY);
	struct stat facts;
	uint64		line = 0;

	if (fd < 0 || fstat(fd, &facts) < 0)
		cannot_read_again(name);
	/* a pipe has been read, and cannot be again */
	if (S_ISREG(facts.st_mode))
	{
		char	   *bytes = palloc(SCAN_CHUNK);

		line = end_mark_line(fd, name, bytes);
		pfree(bytes);
	}
	CloseTransientFile(fd);
	if (line > 0)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("line " UINT64_FORMAT " of file \"%s\" is \"\\.\", which is not JSON", line, name),
				 errdetail("This version of the server stops reading there.")));
}

#else

void
copy_check_end(const char *name)
{
}

#endif
