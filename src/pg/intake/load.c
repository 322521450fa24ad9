/*
 * load.c
 *	  CALL llava_load: loads a directory of the server into llava_image.
 *
 * Paths are walked in the order of their bytes, links are not followed.  Files are
 * committed in batches, and a file that is loaded already is skipped, so that an
 * interrupted call can simply be repeated.  One with other bytes than the picture under its
 * path is left out, with a WARNING at the end, or replaces it.  Rows are inserted as the
 * caller.  A file that cannot be loaded never stops the rest: it is skipped with a WARNING,
 * and the report says how many there were and why.
 */
#include "postgres.h"

#include <limits.h>
#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "intake.h"
#include "load.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define DEFAULT_BATCH 100

PG_FUNCTION_INFO_V1(llava_load);

static void load_folder(Load *load, const char *name);

/* ---- the walk ---- */

/* Adds a file to those that are stored next. */
static void
gather(Load *load, LoadStep step, const char *name, TimestampTz time, int64 image)
{
	MemoryContext caller = MemoryContextSwitchTo(load->batch_context);
	LoadFile   *file = palloc0(offsetof(LoadFile, name) + strlen(name) + 1);

	file->step = step;
	file->time = time;
	file->image = image;
	memcpy(file->name, name, strlen(name) + 1);
	load->files = lappend(load->files, file);
	MemoryContextSwitchTo(caller);
	if (list_length(load->files) >= load->batch)
		load_store(load);
}

/* Decides what is done about a file. */
static void
take_file(Load *load, const LoadEntry *entry, const char *name)
{
	LoadFacts	facts = entry->facts;
	int64		image = 0;

	load->report.seen++;
	work_done(load->work, load->report.seen);
	switch (load_compare(load, name, &facts, &image))
	{
		case PATH_IS_NEW:
			gather(load, LOAD_ADD, name, facts.time, image);
			break;
		case PATH_HAS_FILE:
			load->report.known++;
			break;
		case PATH_HAS_FILE_UNTIMED:
			load->report.known++;
			gather(load, LOAD_SET_TIME, name, facts.time, image);
			break;
		case PATH_HAS_OTHER:
			if (load->replace)
				gather(load, LOAD_REPLACE, name, facts.time, image);
			else
				load_count_other(load, name, image);
			break;
		case FILE_IS_UNREADABLE:
			load_cannot_read(load, name);
			break;
	}
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
		load_cannot_name(load, name);
	else
		take_file(load, entry, name);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(load->file_context);
}

/*
 * Lists a folder before the walk descends into it; NIL, with a WARNING, if it cannot be
 * read.  ERROR if it is the call's own.
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
	{
		if (name[0] == '\0')
			load_files_no_directory(load->directory);
		load_cannot_read(load, name);
	}
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
		load_files_no_directory(directory);
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
prefix_below(const char *directory, const char *given)
{
	char	   *top = pstrdup(llava_image_directory);

	if (given[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prefix \"%s\" was given with store => false", given),
				 errdetail("The path of a picture that stays in its file says where that is.")));
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

/* What the call puts before each path; procedures of 1.0.0 have no such argument. */
static const char *
prefix_argument(FunctionCallInfo fcinfo)
{
	const char *prefix = PG_NARGS() <= 6 || PG_ARGISNULL(6) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(6));
	const char *problem = prefix[0] == '\0' ? NULL : intake_path_problem(prefix);

	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("prefix \"%s\" %s", prefix, problem),
				 errhint("It goes before the path of each file, as in prefix => 'b/'.")));
	return prefix;
}

/* Paths are taken from rows that have them, which needs the right to change them. */
static void
check_replace(void)
{
	Oid			table = extension_relation("llava_image");

	if (pg_class_aclcheck(table, GetUserId(), ACL_UPDATE) != ACLCHECK_OK &&
		pg_attribute_aclcheck(table, get_attnum(table, "path"), GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to replace pictures"),
				 errhint("GRANT UPDATE (path) ON llava_image TO %s;",
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
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
	load->prefix = prefix_argument(fcinfo);
	if (!load->store)
		load->prefix = prefix_below(load->directory, load->prefix);
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
	load->replace = PG_NARGS() > 5 && !PG_ARGISNULL(5) && PG_GETARG_BOOL(5);
	load->compare = get_attnum(extension_relation("llava_image"), "file_time") != InvalidAttrNumber;
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

/*
 * PROCEDURE llava_load(directory, task, licence text, batch integer, store, replace boolean,
 * prefix text)
 */
Datum
llava_load(PG_FUNCTION_ARGS)
{
	Load	   *load;

	load_check_call(fcinfo);
	load = load_new(fcinfo);
	load_check_task(load);
	if (load->replace)
		check_replace();
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
