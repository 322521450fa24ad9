/*
 * load_store.c
 *	  Files become rows of llava_image; one that the database refuses does not affect
 *	  the others.
 *
 * The files of a batch are inserted in one subtransaction and committed.  If a row is
 * refused (by its path, by a constraint or trigger of the user's), the rows before it are
 * stored again without it and it is tried once more alone: the error that it then raises
 * is its own, and it is skipped.  An error of the commit itself does not tell which row is
 * the cause, so the batch is halved until it does.  An error that every other file would
 * meet as well ends the call.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "intake.h"
#include "load.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#define COMMIT_BYTES ((uint64) 64 * 1024 * 1024)

/* How an attempt to store some files ended. */
typedef struct Attempt
{
	ErrorData  *error;			/* or NULL; then nothing was stored */
	bool		at_commit;		/* it was the commit that failed */
} Attempt;

/* ---- one file ---- */

static SqlStatement sql_load_add = {
	.text =
	"INSERT INTO @.llava_image (path, image, task, licence) VALUES ($1, $2, $3, $4)"
	" RETURNING rejected, rejected_detail, same_as",
	.types = "tbtt"
};

/* Pictures that others load under it meanwhile keep it. */
static SqlStatement sql_load_take_path = {
	.text =
	"UPDATE @.llava_image SET path = NULL WHERE path OPERATOR(pg_catalog.=) $1",
	.types = "t"
};

/*
 * Inserts the file's row.  bytes NULL: they stay in the file, which the intake reads.  task
 * may be NULL.
 */
static void
add_image(Load *load, const LoadFile *file, const char *path, bytea *bytes, text *task)
{
	Datum		values[4] = {
		CStringGetTextDatum(path), PointerGetDatum(bytes), PointerGetDatum(task),
		PointerGetDatum(load->licence)
	};
	char		nulls[4];
	uint64		rows;
	bool		rejected_null,
				same_null;

	for (int i = 0; i < lengthof(values); i++)
		nulls[i] = DatumGetPointer(values[i]) == NULL ? 'n' : ' ';

	if (file->step == LOAD_REPLACE)
		(void) sql_run(&sql_load_take_path, values, NULL, 0);
	rows = sql_run(&sql_load_add, values, nulls, 0);
	if (rows > 0)
	{
		(void) sql_value(1, &rejected_null);
		(void) sql_value(3, &same_null);
		if (rejected_null && same_null)
			load->stored.queued++;
		else
			load->stored.stopped++;
		if (file->step == LOAD_REPLACE)
			load->stored.replaced++;
	}
	else if (file->step == LOAD_REPLACE)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("a trigger suppressed the row that was to have the path")));
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Inserts the row of a file over the limit, which is not read.  It is inserted like any
 * other, with the caller's rights, and intake is told the size.
 */
static void
add_unread(Load *load, const LoadFile *file, const char *path, int64 size)
{
	intake_unread_size = size;
	PG_TRY();
	{
		add_image(load, file, path, NULL, NULL);
	}
	PG_FINALLY();
	{
		intake_unread_size = -1;
	}
	PG_END_TRY();
}

/* The bytes of the open file, less if it has shrunk; NULL if they cannot be read. */
static bytea *
read_bytes(Load *load, LoadFile *file, size_t size)
{
	bytea	   *bytes = MemoryContextAllocHuge(load->file_context, VARHDRSZ + size);
	ssize_t		n = load_files_read(&load->in, VARDATA(bytes), size);

	if (n < 0)
	{
		file->skipped = true;
		load_cannot_read(load, file->name);
		return NULL;
	}
	SET_VARSIZE(bytes, VARHDRSZ + n);
	load->uncommitted_bytes += n;
	return bytes;
}

/* A file's row, with its bytes. */
static void
add_file(Load *load, LoadFile *file, const char *path)
{
	LoadFacts	facts;
	bytea	   *bytes;

	if (!load_files_open_file(&load->in, file->name, &facts))
	{
		file->skipped = true;
		load_cannot_read(load, file->name);
		return;
	}
	intake_file.time = facts.time;
	if (facts.size > (int64) llava_image_max_size * 1024)
		add_unread(load, file, path, facts.size);
	else if ((bytes = read_bytes(load, file, (size_t) facts.size)) != NULL)
		add_image(load, file, path, bytes, load->task);
	load_files_close_file(&load->in);
}

static SqlStatement sql_load_set_time = {
	.text = "UPDATE @.llava_image SET file_time = $2 WHERE id = $1",
	.types = "lz"
};

/* The caller's rights may not reach so far, and it could as well read the file again. */
static void
set_time(const LoadFile *file)
{
	Datum		values[2] = {Int64GetDatum(file->image), TimestampTzGetDatum(file->time)};

	(void) rows_run_as_owner(extension_relation("llava_image"), &sql_load_set_time, values, NULL);
}

static void
store_file(Load *load, LoadFile *file)
{
	MemoryContext caller = MemoryContextSwitchTo(load->file_context);
	char	   *path = psprintf("%s%s", load->prefix, file->name);

	CHECK_FOR_INTERRUPTS();
	intake_file.path = path;
	intake_file.time = file->time;
	PG_TRY();
	{
		if (file->skipped)
			;					/* in an attempt before this one */
		else if (file->step == LOAD_SET_TIME)
			set_time(file);
		else if (load->store)
			add_file(load, file, path);
		else
			add_image(load, file, path, NULL, load->task);
	}
	PG_FINALLY();
	{
		intake_file.path = NULL;
		intake_file.time = DT_NOBEGIN;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	MemoryContextReset(load->file_context);
}

/* ---- which errors are one file's ---- */

static bool
has_columns_right(Oid table, const char *const *columns, int n, AclMode right)
{
	if (pg_class_aclcheck(table, GetUserId(), right) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < n; i++)
		if (pg_attribute_aclcheck(table, get_attnum(table, columns[i]), GetUserId(),
								  right) != ACLCHECK_OK)
			return false;
	return true;
}

/* Whether the caller may run sql_load_add at all. */
static bool
caller_may_insert(void)
{
	static const char *const written[] = {"path", "image", "task", "licence"};
	static const char *const returned[] = {"rejected", "rejected_detail", "same_as"};
	Oid			table = extension_relation("llava_image");

	return has_columns_right(table, written, lengthof(written), ACL_INSERT) &&
		has_columns_right(table, returned, lengthof(returned), ACL_SELECT);
}

/* With store => false every row's picture is read below this directory. */
static bool
image_directory_is_gone(const Load *load)
{
	int			fd;

	if (load->store)
		return false;
	fd = open(llava_image_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

/*
 * Whether the error is about the machine, the server, the session or the transaction, and
 * not about a row.
 */
static bool
is_of_the_server(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_OUT_OF_MEMORY: /* for this file's bytes */
		case ERRCODE_UNDEFINED_FILE:	/* a trigger's */
		case ERRCODE_DUPLICATE_FILE:
			return false;
		case ERRCODE_DATA_CORRUPTED:
		case ERRCODE_INDEX_CORRUPTED:
			return true;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INVALID_TRANSACTION_STATE:
			return true;
	}
	return false;
}

/* Whether an error that one row met alone would be met by every other row too. */
static bool
is_of_every_row(const Load *load, const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return trust_refused(error) || !caller_may_insert();
		case ERRCODE_UNDEFINED_OBJECT:
			load_check_task(load);
			return false;
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			/* the intake has no task to draw */
			return load->task == NULL && error->message_id != NULL &&
				strncmp(error->message_id, "no task has a weight", 20) == 0;
		case ERRCODE_UNDEFINED_FILE:
			return image_directory_is_gone(load);
		case ERRCODE_UNDEFINED_TABLE:
			return !OidIsValid(extension_schema());
		default:
			return false;
	}
}

/* A file's row was refused because of that row: it is skipped, with a WARNING. */
static void
load_refuse(Load *load, const LoadFile *file, const ErrorData *error)
{
	load->report.refused++;
	load_count_skipped(load, psprintf("SQLSTATE %s", unpack_sql_state(error->sqlerrcode)),
					   file->name, error->message);
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not load \"%s\": %s", file->name, error->message),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

/* ---- some files ---- */

/* Inserts files from..to, or as many of them as one commit is to hold. */
static void
store_files(Load *load, int from, int to)
{
	/*
	 * other roles' triggers on the table run as the caller, before intake
	 * does
	 */
	if (superuser())
		trust_check_relation(extension_relation("llava_image"));
	load->uncommitted_bytes = 0;
	load->reached = from;
	while (load->reached < to && load->uncommitted_bytes < COMMIT_BYTES)
		store_file(load, list_nth(load->files, load->reached++));
}

/* Stores and commits them up to load->reached, or rolls them back. */
static Attempt
try_to_store(Load *load, int from, int to)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	LoadCounts	before = load->stored;
	volatile bool nested = true;
	Attempt		attempt = {0};

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		store_files(load, from, to);
		ReleaseCurrentSubTransaction();
		nested = false;
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		/* if it fails it leaves a new transaction */
		SPI_commit();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(load->batch_context);
		attempt.error = CopyErrorData();
		attempt.at_commit = !nested;
		FlushErrorState();
		if (nested)
		{
			RollbackAndReleaseCurrentSubTransaction();
			CurrentResourceOwner = owner;
		}
		load->stored = before;
		load_files_close_file(&load->in);
		MemoryContextReset(load->file_context);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return attempt;
}

void
load_store(Load *load)
{
	int			all = list_length(load->files);
	int			size = all;

	for (int from = 0; from < all;)
	{
		Attempt		attempt = try_to_store(load, from, Min(all, from + size));
		int			tried = load->reached - from;

		if (attempt.error == NULL)
		{
			from = load->reached;
			size = Min(all, size * 2);
			continue;
		}
		if (is_of_the_server(attempt.error) ||
			(tried <= 1 && is_of_every_row(load, attempt.error)))
			ReThrowError(attempt.error);
		if (tried > 1)
		{
			size = attempt.at_commit ? tried / 2 : tried - 1;
			continue;
		}
		load_refuse(load, list_nth(load->files, from), attempt.error);
		from++;
		size = attempt.at_commit ? 1 : all;
	}
	load->files = NIL;
	MemoryContextReset(load->batch_context);
}
