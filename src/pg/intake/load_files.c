/*
 * load_files.c
 *	  Reads the folder of the server that llava_load was given, and nothing that a link
 *	  leads to.
 *
 * Who owns the folder can put links, pipes and other folders in the place of names at any
 * time, and what is read here is read with the rights of the server's user.  So every name
 * is reached from the folder's own descriptor, step by step and without following links,
 * and what was opened is looked at before it is read.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* O_PATH */
#endif

#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/username.h"
#include "load.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/timestamp.h"

#define READ_CHUNK (1024 * 1024)

/*
 * A file that was changed a moment ago may be changed again and bear the same time, so its
 * time is not taken: at least two ticks of a kernel of 100 Hz, or two seconds where the
 * time has no fractions.
 */
#define YOUNG (20 * INT64CONST(1000))
#define YOUNG_IN_SECONDS (2 * USECS_PER_SEC)

/* Seconds that a timestamp surely has room for. */
#define MOST_SECONDS (USECS_PER_SEC * 1000 * 1000)

int
load_files_hint(int failure)
{
	char	   *unknown;
	const char *user = get_user_name(&unknown);

	if (failure == ENOENT)
		return errhint("The database server reads it: the folder must be on that machine. Its files can be inserted by a client instead.");
	if (failure != EACCES && failure != EPERM)
		return 0;
	return errhint("The database server reads it as the operating system's user \"%s\", who needs r and x on the folder and x on every folder above it. Its files can be inserted by a client instead.",
				   user != NULL ? user : "postgres");
}

void
load_files_no_directory(const char *directory)
{
	int			failure = errno;

	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not read directory \"%s\": %m", directory),
			 load_files_hint(failure)));
}

void
load_files_open(LoadFiles *files, const char *directory)
{
	files->file = -1;
	files->listing = NULL;
	files->top = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (files->top < 0)
		load_files_no_directory(directory);
	files->is_open = true;
	ReserveExternalFD();
}

static void
close_keeping_errno(int fd)
{
	int			failure = errno;

	close(fd);
	errno = failure;
}

/* Opens a name, without blocking; -1, with errno set, if it cannot. */
static int
open_below(int top, const char *name, int flags)
{
	char	   *path = pstrdup(name[0] != '\0' ? name : ".");
	char	   *rest = path;
	char	   *part;
	int			at = top;
	int			failure;

	while (at >= 0 && (part = strsep(&rest, "/")) != NULL)
	{
		bool		is_last = rest == NULL;
		int			how = is_last ? flags | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY;
		int			next = openat(at, part, how | O_NOFOLLOW | O_CLOEXEC);

		if (at != top)
			close_keeping_errno(at);
		at = next;
	}
	failure = errno;
	pfree(path);
	errno = failure;
	return at;
}

static const LoadFacts facts_unknown = {-1, DT_NOBEGIN};

static LoadFacts
facts_of(const struct stat *stats)
{
	const struct timespec *changed = &stats->st_mtim;
	LoadFacts	facts = {stats->st_size, DT_NOBEGIN};
	TimestampTz time;
	int64		age;

	if (changed->tv_sec < -MOST_SECONDS || changed->tv_sec > MOST_SECONDS)
		return facts;
	time = (changed->tv_sec - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY) *
		USECS_PER_SEC + changed->tv_nsec / 1000;
	if (!IS_VALID_TIMESTAMP(time))
		return facts;
	age = GetCurrentTimestamp() - time;
	if ((age < 0 ? -age : age) < (changed->tv_nsec != 0 ? YOUNG : YOUNG_IN_SECONDS))
		return facts;
	facts.time = time;
	return facts;
}

/* Adds one name; links, pipes and the like are left out. */
static void
add_entry(List **entries, int folder, const char *name)
{
	struct stat stats;
	LoadEntry  *entry;
	bool		is_gone = fstatat(folder, name, &stats, AT_SYMLINK_NOFOLLOW) < 0;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	/* where stat fails, opening the file reports why */
	if (!is_gone && !S_ISDIR(stats.st_mode) && !S_ISREG(stats.st_mode))
		return;
	entry = palloc0(offsetof(LoadEntry, name) + strlen(name) + 1);
	entry->is_folder = !is_gone && S_ISDIR(stats.st_mode);
	entry->facts = is_gone ? facts_unknown : facts_of(&stats);
	memcpy(entry->name, name, strlen(name) + 1);
	*entries = lappend(*entries, entry);
}

static int
compare_entries(const ListCell *a, const ListCell *b)
{
	return strcmp(((const LoadEntry *) lfirst(a))->name, ((const LoadEntry *) lfirst(b))->name);
}

static void
close_listing(LoadFiles *files)
{
	if (files->listing != NULL)
		closedir(files->listing);
	files->listing = NULL;
}

bool
load_files_list(LoadFiles *files, const char *name, List **entries)
{
	int			fd = open_below(files->top, name, O_RDONLY | O_DIRECTORY);
	struct dirent *entry;
	int			failure;

	*entries = NIL;
	if (fd < 0)
		return false;
	files->listing = fdopendir(fd);
	if (files->listing == NULL)
	{
		close_keeping_errno(fd);
		return false;
	}
	/* read to the end: nothing stays open while files are stored */
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		errno = 0;
		entry = readdir(files->listing);
		if (entry == NULL)
			break;
		add_entry(entries, fd, entry->d_name);
	}
	failure = errno;
	close_listing(files);
	list_sort(*entries, compare_entries);
	errno = failure;
	return failure == 0;
}

bool
load_files_open_file(LoadFiles *files, const char *name, LoadFacts *facts)
{
	struct stat stats;
	int			failure = EINVAL;

	files->file = open_below(files->top, name, O_RDONLY | PG_BINARY);
	if (files->file < 0)
		return false;
	if (fstat(files->file, &stats) < 0)
		failure = errno;
	else if (S_ISREG(stats.st_mode))
	{
		*facts = facts_of(&stats);
		return true;
	}
	load_files_close_file(files);
	errno = failure;
	return false;
}

ssize_t
load_files_read(LoadFiles *files, char *bytes, size_t size)
{
	size_t		done = 0;

	while (done < size)
	{
		ssize_t		n;

		CHECK_FOR_INTERRUPTS();
		n = read(files->file, bytes + done, Min(size - done, READ_CHUNK));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += n;
	}
	return (ssize_t) done;
}

void
load_files_close_file(LoadFiles *files)
{
	if (files->file >= 0)
		close(files->file);
	files->file = -1;
}

void
load_files_close(LoadFiles *files)
{
	if (!files->is_open)
		return;
	load_files_close_file(files);
	close_listing(files);
	close(files->top);
	files->is_open = false;
	ReleaseExternalFD();
}
