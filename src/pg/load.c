/*
 * load.c
 *	  CALL llava_load: a directory of the server into llava_image.
 *
 * Paths are walked in the order of their bytes, links are not followed.  What has
 * been read is committed as it goes, and a path that is there already is passed, so
 * that a call that was interrupted is simply made again.  Rows are inserted as the
 * caller.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/pg_authid.h"
#include "executor/spi.h"
#include "llava_zh.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "rows.h"
#include "storage/fd.h"
#include "task.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define COMMIT_BYTES ((uint64) 64 * 1024 * 1024)
#define DEFAULT_BATCH 100
#define READ_CHUNK (1024 * 1024)

typedef struct Load
{
	char	   *directory;		/* absolute, without a slash at its end */
	text	   *task;			/* or NULL */
	text	   *licence;		/* or NULL */
	int			batch;
	bool		store;			/* the bytes too; else they stay in the files */
	const char *prefix;			/* of paths: "", or where directory lies below
								 * llava_zh.image_directory */
	MemoryContext context;		/* of the call: survives commits */
	MemoryContext file_context; /* of one file */

	/* since the last commit */
	int			uncommitted;
	uint64		uncommitted_bytes;

	/* for the report */
	int64		files;
	int64		queued;
	int64		stopped;
	int64		known;
	int64		unreadable;
} Load;

PG_FUNCTION_INFO_V1(llava_load);

static void load_directory(Load *load, const char *path, const char *name);

static void
commit(Load *load)
{
	SPI_commit();
	load->uncommitted = 0;
	load->uncommitted_bytes = 0;
}

/* A WARNING with errno's words; the file or directory is passed over. */
static void
cannot_read(Load *load, const char *path)
{
	load->unreadable++;
	ereport(WARNING,
			(errcode_for_file_access(),
			 errmsg("could not read \"%s\": %m", path)));
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* The names in a directory, sorted, in the context of the call; NIL with a WARNING. */
static List *
directory_names(Load *load, const char *path)
{
	MemoryContext caller = MemoryContextSwitchTo(load->context);
	DIR		   *directory = AllocateDir(path);
	struct dirent *entry;
	List	   *names = NIL;

	if (directory == NULL)
		cannot_read(load, path);
	else
	{
		/* read to the end: an open directory would not survive a commit */
		while ((entry = ReadDirExtended(directory, path, WARNING)) != NULL)
			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				names = lappend(names, pstrdup(entry->d_name));
		FreeDir(directory);
	}
	MemoryContextSwitchTo(caller);
	list_sort(names, compare_names);
	return names;
}

/* A regular file, its size in *size; -1 with a WARNING. */
static int
open_regular(Load *load, const char *path, off_t *size)
{
	/* between lstat and here the name may have become a link or a fifo */
	int			fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | PG_BINARY);
	struct stat facts;

	if (fd >= 0 && fstat(fd, &facts) == 0)
	{
		if (S_ISREG(facts.st_mode))
		{
			*size = facts.st_size;
			return fd;
		}
		errno = EINVAL;
	}
	cannot_read(load, path);
	if (fd >= 0)
		CloseTransientFile(fd);
	return -1;
}

/* The bytes of a file of this size, less if it has shrunk; NULL with a WARNING. */
static bytea *
read_bytes(Load *load, int fd, const char *path, size_t size)
{
	bytea	   *bytes = MemoryContextAllocHuge(load->file_context, VARHDRSZ + size);
	size_t		done = 0;

	while (done < size)
	{
		ssize_t		n = read(fd, VARDATA(bytes) + done, Min(size - done, READ_CHUNK));

		CHECK_FOR_INTERRUPTS();
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
		{
			cannot_read(load, path);
			return NULL;
		}
		if (n == 0)
			break;
		done += n;
	}
	SET_VARSIZE(bytes, VARHDRSZ + done);
	return bytes;
}

/* As llava_intake would, for a file that is too large to be handed to it. */
static void
add_rejected(Load *load, const char *name, off_t size)
{
	Datum		values[5];
	char		nulls[6] = "     ";

	values[0] = CStringGetTextDatum(name);
	values[1] = PointerGetDatum(load->licence);
	values[2] = Int64GetDatum((int64) size);
	values[3] = CStringGetTextDatum(image_status_name(IMAGE_TOO_LARGE));
	values[4] = CStringGetTextDatum(psprintf("the file has " INT64_FORMAT
											 " bytes, over llava_zh.image_max_size",
											 (int64) size));
	if (load->licence == NULL)
		nulls[1] = 'n';
	sql_run(SQL_LOAD_REJECTED, values, nulls, 0);
	load->stopped++;
}

/* bytes NULL: they stay in the file, which the intake reads. */
static void
add_image(Load *load, const char *name, bytea *bytes)
{
	Datum		values[4];
	char		nulls[5] = "    ";
	bool		rejected_null = true,
				same_null = true;

	values[0] = CStringGetTextDatum(name);
	values[1] = PointerGetDatum(bytes);
	if (bytes == NULL)
		nulls[1] = 'n';
	values[2] = PointerGetDatum(load->task);
	values[3] = PointerGetDatum(load->licence);
	if (load->task == NULL)
		nulls[2] = 'n';
	if (load->licence == NULL)
		nulls[3] = 'n';

	/* no row: a trigger of the user's did not want it */
	if (sql_run(SQL_LOAD_ADD, values, nulls, 0) > 0)
	{
		SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &rejected_null);
		SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &same_null);
		if (rejected_null && same_null)
			load->queued++;
		else
			load->stopped++;
	}
	SPI_freetuptable(SPI_tuptable);
}

static bool
is_known(const char *name)
{
	Datum		value = CStringGetTextDatum(name);
	bool		known = sql_run(SQL_LOAD_KNOWN, &value, NULL, 1) > 0;

	SPI_freetuptable(SPI_tuptable);
	return known;
}

/* A file's row, with its bytes. */
static void
store_file(Load *load, const char *path, const char *name)
{
	off_t		size;
	int			fd = open_regular(load, path, &size);
	bytea	   *bytes = NULL;

	if (fd < 0)
		return;
	if (size > (off_t) llava_image_max_size * 1024)
		add_rejected(load, name, size);
	else if ((bytes = read_bytes(load, fd, path, (size_t) size)) != NULL)
		add_image(load, name, bytes);
	CloseTransientFile(fd);
	load->uncommitted++;
	if (bytes != NULL)
		load->uncommitted_bytes += VARSIZE(bytes);
}

/* Inserts one file's row; name is its path below the directory. */
static void
take_file(Load *load, const char *path, const char *name)
{
	load->files++;
	if (is_known(name))
	{
		load->known++;
		return;
	}
	if (load->store)
		store_file(load, path, name);
	else
	{
		add_image(load, name, NULL);
		load->uncommitted++;
	}
	if (load->uncommitted >= load->batch || load->uncommitted_bytes >= COMMIT_BYTES)
		commit(load);
}

/* One name of a directory: a file, a directory, or something that is passed over. */
static void
load_entry(Load *load, const char *path, const char *name)
{
	struct stat facts;

	CHECK_FOR_INTERRUPTS();
	if (!pg_verifymbstr(name, strlen(name), true))
	{
		load->files++;
		load->unreadable++;
		ereport(WARNING,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("a file name in \"%s\" is not valid in encoding %s",
						load->directory, GetDatabaseEncodingName())));
	}
	else if (lstat(path, &facts) < 0)
		cannot_read(load, path);
	else if (S_ISDIR(facts.st_mode))
		load_directory(load, path, psprintf("%s/", name));
	else if (S_ISREG(facts.st_mode))
	{
		MemoryContext caller = MemoryContextSwitchTo(load->file_context);

		take_file(load, path, name);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(load->file_context);
	}
}

/* All of a directory; name is what stands before its entries' names: "", or as "a/b/". */
static void
load_directory(Load *load, const char *path, const char *name)
{
	List	   *names = directory_names(load, path);
	ListCell   *cell;

	check_stack_depth();
	foreach(cell, names)
	{
		MemoryContext caller = MemoryContextSwitchTo(load->context);
		const char *entry = lfirst(cell);
		char	   *entry_path = psprintf("%s/%s", path, entry);
		char	   *entry_name = psprintf("%s%s", name, entry);

		MemoryContextSwitchTo(caller);
		load_entry(load, entry_path, entry_name);
		pfree(entry_path);
		pfree(entry_name);
	}
	list_free_deep(names);
}

static void
check_call(FunctionCallInfo fcinfo)
{
	rows_check_call(fcinfo, "llava_load");
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read files of the server"),
				 errhint("GRANT pg_read_server_files TO %s;",
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
}

/* The directory of the call, checked, as it stands before each file's path. */
static char *
directory_argument(text *argument)
{
	char	   *directory = text_to_cstring(argument);
	struct stat facts;

	if (!is_absolute_path(directory))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("directory \"%s\" is not an absolute path", directory),
				 errhint("The directory is one of the server, as '/data/images'.")));
	canonicalize_path(directory);
	if (stat(directory, &facts) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read directory \"%s\": %m", directory)));
	if (!S_ISDIR(facts.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a directory", directory)));
	if (strcmp(directory, "/") == 0)
		directory[0] = '\0';
	return directory;
}

/*
 * Where a directory lies below llava_zh.image_directory, with a slash at its end, or
 * "" if it is that one; ERROR if it is not below.
 */
static const char *
prefix_below(const char *directory)
{
	char	   *top = pstrdup(llava_image_directory);

	if (top[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pictures can only stay in files below llava_zh.image_directory, which is not set"),
				 errhint("As superuser: ALTER SYSTEM SET llava_zh.image_directory = %s; SELECT pg_reload_conf();",
						 quote_literal_cstr(directory[0] != '\0' ? directory : "/"))));
	canonicalize_path(top);
	if (strcmp(top, "/") == 0)
		top[0] = '\0';
	if (!path_is_prefix_of_path(top, directory))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("directory \"%s\" is not below llava_zh.image_directory, so its pictures cannot stay in files",
						directory),
				 errhint("Without store => false their bytes are copied into the database.")));
	if (directory[strlen(top)] == '\0')
		return "";
	return psprintf("%s/", directory + strlen(top) + 1);
}

/* In the context of the call, so that commits do not take the arguments away. */
static Load *
load_new(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "llava_load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Load	   *load = palloc0(sizeof(Load));

	load->context = context;
	load->file_context = AllocSetContextCreate(context, "llava_load file",
											   ALLOCSET_DEFAULT_SIZES);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("directory is NULL"),
				 errhint("CALL llava_load('/data/images');")));
	load->directory = directory_argument(PG_GETARG_TEXT_PP(0));
	load->store = PG_ARGISNULL(4) || PG_GETARG_BOOL(4);
	load->prefix = load->store ? "" : prefix_below(load->directory);
	if (!PG_ARGISNULL(1))
		load->task = DatumGetTextPCopy(PG_GETARG_DATUM(1));
	if (!PG_ARGISNULL(2))
		load->licence = DatumGetTextPCopy(PG_GETARG_DATUM(2));
	load->batch = PG_ARGISNULL(3) ? DEFAULT_BATCH : PG_GETARG_INT32(3);
	if (load->batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", load->batch),
				 errhint("batch is how many files are committed at once, 100 if not given.")));
	MemoryContextSwitchTo(caller);
	return load;
}

/* A task that is not there is said before the first file is read, not after. */
static void
check_task(const Load *load)
{
	List	   *tasks;

	if (load->task == NULL)
		return;
	tasks = task_weights();
	if (task_named(tasks, text_to_cstring(load->task)) == NULL)
		task_unknown(tasks, text_to_cstring(load->task));
}

static void
report(const Load *load)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, "llava_load: " INT64_FORMAT " files, " INT64_FORMAT " queued, "
					 INT64_FORMAT " stopped before any request, " INT64_FORMAT " known",
					 load->files, load->queued, load->stopped, load->known);
	if (load->unreadable > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " unreadable", load->unreadable);
	ereport(NOTICE, (errmsg_internal("%s", line.data)));
}

/* PROCEDURE llava_load(directory, task, licence text, batch integer, store boolean) */
Datum
llava_load(PG_FUNCTION_ARGS)
{
	Load	   *load;

	check_call(fcinfo);
	load = load_new(fcinfo);
	check_task(load);
	rows_spi_connect_committing();
	load_directory(load, load->directory, load->prefix);
	commit(load);
	SPI_finish();

	report(load);
	MemoryContextDelete(load->context);
	PG_RETURN_VOID();
}
