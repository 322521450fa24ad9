/*
 * load.c
 *	  CALL llava_load: loads a directory of the server into llava_image.
 *
 * Paths are walked in the order of their bytes, links are not followed.  Files are
 * committed in batches, and a path that is loaded already is skipped, so that an
 * interrupted call can simply be repeated.  Rows are inserted as the caller.  A file that
 * cannot be loaded never stops the rest: it is skipped with a WARNING, and the report says
 * how many there were and why.
 */
#include "postgres.h"

#include <limits.h>
#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "load.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/builtins.h"

#define DEFAULT_BATCH 100

/* How many reasons the report tells apart. */
#define MAX_REASONS 12

/* A reason why files were skipped, and the first of them. */
typedef struct Reason
{
	char	   *reason;
	int64		files;
	char	   *example;
} Reason;

PG_FUNCTION_INFO_V1(llava_load);

static void load_folder(Load *load, const char *name);

/* ---- what is skipped ---- */

static Reason *
find_reason(Load *load, const char *reason)
{
	ListCell   *cell;
	Reason	   *new;

	if (list_length(load->reasons) >= MAX_REASONS)
		reason = "other";
	foreach(cell, load->reasons)
	{
		if (strcmp(((Reason *) lfirst(cell))->reason, reason) == 0)
			return lfirst(cell);
	}
	new = palloc0(sizeof(Reason));
	new->reason = pstrdup(reason);
	load->reasons = lappend(load->reasons, new);
	return new;
}

void
load_count_skipped(Load *load, const char *reason, const char *name, const char *message)
{
	MemoryContext caller = MemoryContextSwitchTo(load->context);
	Reason	   *counted = find_reason(load, reason);

	if (counted->files++ == 0)
		counted->example = message == NULL ? psprintf("\"%s\"", name) :
			psprintf("\"%s\": %s", name, message);
	MemoryContextSwitchTo(caller);
}

void
load_cannot_read(Load *load, const char *name)
{
	int			failure = errno;

	/* these errors are not about the file */
	if (failure == EMFILE || failure == ENFILE || failure == ENOMEM)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read \"%s/%s\": %m", load->directory, name)));
	load->unreadable++;
	load_count_skipped(load, strerror(failure), name, NULL);
	errno = failure;
	ereport(WARNING,
			(errcode_for_file_access(),
			 errmsg("could not read \"%s%s%s\": %m", load->directory,
					name[0] != '\0' ? "/" : "", name)));
}

/* A name in a form that can be shown, whatever its bytes are. */
static char *
escaped(const char *name)
{
	StringInfoData shown;

	initStringInfo(&shown);
	for (const unsigned char *c = (const unsigned char *) name; *c != '\0'; c++)
		if (*c >= ' ' && *c < 0x7f)
			appendStringInfoChar(&shown, *c);
		else
			appendStringInfo(&shown, "\\x%02x", *c);
	return shown.data;
}

static void
cannot_name(Load *load, const char *name)
{
	char	   *shown = escaped(name);

	load->seen++;
	load->unreadable++;
	load_count_skipped(load, psprintf("name not valid in encoding %s", GetDatabaseEncodingName()),
					   shown, NULL);
	ereport(WARNING,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("a file name in \"%s\" is not valid in encoding %s",
					load->directory, GetDatabaseEncodingName()),
			 errdetail_internal("%s", shown)));
}

/* ---- the walk ---- */

/* These run with the caller's search_path. */
static SqlStatement sql_load_known = {
	.text =
	"SELECT 1 FROM @.llava_image WHERE path OPERATOR(pg_catalog.=) $1",
	.types = "t"
};

static bool
load_is_known(const Load *load, const char *name)
{
	char	   *path = psprintf("%s%s", load->prefix, name);
	Datum		value = CStringGetTextDatum(path);
	bool		known = sql_run(&sql_load_known, &value, NULL, 1) > 0;

	SPI_freetuptable(SPI_tuptable);
	return known;
}

/* Adds a file to those that are stored next, unless its path is loaded already. */
static void
take_file(Load *load, const char *name)
{
	MemoryContext caller;
	LoadFile   *file;

	load->seen++;
	work_done(load->work, load->seen);
	if (load_is_known(load, name))
	{
		load->known++;
		return;
	}
	caller = MemoryContextSwitchTo(load->batch_context);
	file = palloc0(offsetof(LoadFile, name) + strlen(name) + 1);
	memcpy(file->name, name, strlen(name) + 1);
	load->files = lappend(load->files, file);
	MemoryContextSwitchTo(caller);
	if (list_length(load->files) >= load->batch)
		load_store(load);
}

/* One name of a folder, in the memory of one file. */
static void
load_entry(Load *load, const LoadEntry *entry, const char *name)
{
	MemoryContext caller;

	CHECK_FOR_INTERRUPTS();
	if (entry->is_folder && pg_verifymbstr(name, strlen(name), true))
	{
		load_folder(load, name);
		return;
	}
	caller = MemoryContextSwitchTo(load->file_context);
	if (!pg_verifymbstr(name, strlen(name), true))
		cannot_name(load, name);
	else
		take_file(load, name);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(load->file_context);
}

/*
 * Lists a folder before the walk descends into it; NIL, with a WARNING, if it cannot be
 * read.
 */
static List *
entries_of(Load *load, const char *name)
{
	MemoryContext caller = MemoryContextSwitchTo(load->context);
	List	   *entries = NIL;

	/* Linux has no longer paths, and this bounds the recursion */
	if (strlen(load->prefix) + strlen(name) >= PATH_MAX || stack_is_too_deep())
	{
		errno = ENAMETOOLONG;
		load_cannot_read(load, name);
	}
	else if (!load_files_list(&load->in, name, &entries))
		load_cannot_read(load, name);
	MemoryContextSwitchTo(caller);
	return entries;
}

/* Walks a folder and all below it. */
static void
load_folder(Load *load, const char *name)
{
	List	   *entries = entries_of(load, name);
	ListCell   *cell;

	foreach(cell, entries)
	{
		LoadEntry  *entry = lfirst(cell);
		MemoryContext caller = MemoryContextSwitchTo(load->context);
		char	   *below = psprintf("%s%s%s", name, name[0] != '\0' ? "/" : "", entry->name);

		MemoryContextSwitchTo(caller);
		load_entry(load, entry, below);
		pfree(below);
	}
	list_free_deep(entries);
}

/* How many files a folder has, with those below; what cannot be read has none. */
static int64
files_below(Load *load, const char *name)
{
	List	   *entries = NIL;
	ListCell   *cell;
	int64		files = 0;

	CHECK_FOR_INTERRUPTS();
	if (strlen(load->prefix) + strlen(name) >= PATH_MAX || stack_is_too_deep())
		return 0;
	(void) load_files_list(&load->in, name, &entries);
	foreach(cell, entries)
	{
		LoadEntry  *entry = lfirst(cell);
		char	   *below;

		if (!entry->is_folder)
		{
			files++;
			continue;
		}
		below = psprintf("%s%s%s", name, name[0] != '\0' ? "/" : "", entry->name);
		files += files_below(load, below);
		pfree(below);
	}
	list_free_deep(entries);
	return files;
}

/* ---- the call ---- */

static void
load_check_call(FunctionCallInfo fcinfo)
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
				 errhint("Give a directory of the server, such as '/data/images'.")));
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

/* Allocated in the context of the call, since a commit frees the arguments. */
static Load *
load_new(FunctionCallInfo fcinfo)
{
	MemoryContext context = AllocSetContextCreate(PortalContext, "llava_load",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Load	   *load = palloc0(sizeof(Load));

	load->context = context;
	load->batch_context = AllocSetContextCreate(context, "llava_load batch",
												ALLOCSET_DEFAULT_SIZES);
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
	{
		lengths_check("llava_image", "licence", PG_GETARG_DATUM(2));
		load->licence = DatumGetTextPCopy(PG_GETARG_DATUM(2));
	}
	load->batch = PG_ARGISNULL(3) ? DEFAULT_BATCH : PG_GETARG_INT32(3);
	if (load->batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", load->batch),
				 errhint("The argument batch is the number of files committed at once, 100 by default.")));
	MemoryContextSwitchTo(caller);
	return load;
}

/* Raised before the first file is read, not after. */
void
load_check_task(const Load *load)
{
	if (load->task != NULL)
		(void) task_required(task_weights(), text_to_cstring(load->task));
}

/* One line for each reason why files were skipped. */
static char *
reasons_detail(const Load *load)
{
	StringInfoData lines;
	ListCell   *cell;

	initStringInfo(&lines);
	appendStringInfoString(&lines, "Skipped, with the first of each kind:");
	foreach(cell, load->reasons)
	{
		const Reason *reason = lfirst(cell);

		appendStringInfo(&lines, "\n" INT64_FORMAT " x %s, as %s", reason->files, reason->reason,
						 reason->example);
	}
	return lines.data;
}

static void
load_report(const Load *load)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, "llava_load: " INT64_FORMAT " files, " INT64_FORMAT " queued, "
					 INT64_FORMAT " stopped before any request, " INT64_FORMAT " known",
					 load->seen, load->stored.queued, load->stored.stopped, load->known);
	if (load->unreadable > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " unreadable", load->unreadable);
	if (load->refused > 0)
		appendStringInfo(&line, ", " INT64_FORMAT " refused", load->refused);
	ereport(NOTICE,
			(errmsg_internal("%s", line.data),
			 load->reasons != NIL ? errdetail_internal("%s", reasons_detail(load)) : 0));
}

/* PROCEDURE llava_load(directory, task, licence text, batch integer, store boolean) */
Datum
llava_load(PG_FUNCTION_ARGS)
{
	Load	   *load;

	load_check_call(fcinfo);
	load = load_new(fcinfo);
	load_check_task(load);
	rows_spi_connect_committing();
	PG_TRY();
	{
		load_files_open(&load->in, load->directory[0] != '\0' ? load->directory : "/");
		load->work = work_begin(load->context, "llava_load", "files", files_below(load, ""));
		load_folder(load, "");
		load_store(load);
	}
	PG_FINALLY();
	{
		load_files_close(&load->in);
	}
	PG_END_TRY();
	SPI_commit();
	SPI_finish();

	load_report(load);
	MemoryContextDelete(load->context);
	PG_RETURN_VOID();
}
