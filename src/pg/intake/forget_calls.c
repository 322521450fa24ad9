/*
 * forget_calls.c
 *	  llava_forget and llava_remove, of one picture, and CALL llava_forget_all, of many.
 *
 * Writers wait while a takedown holds the tables' locks.  llava_forget_all commits batch by
 * batch, and makes them smaller where one takes longer than LOCKED_MS; what waited goes
 * first, since the locks are queued.  The worker's steps wait for a lock no longer than 20 ms
 * (LOCK_TIMEOUT in db/tx.c): batches are shorter than that, so that they keep their places in
 * the queue.  A call that was broken off is made again: what is gone already costs a lookup.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "db/db.h"
#include "forget.h"
#include "miscadmin.h"
#include "task/task.h"
#include "utils/array.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#define DEFAULT_BATCH 100
#define FIRST_BATCH 10
#define LOCKED_MS 12

PG_FUNCTION_INFO_V1(llava_forget);
PG_FUNCTION_INFO_V1(llava_remove);
PG_FUNCTION_INFO_V1(llava_forget_all);

static void
check_not_null(FunctionCallInfo fcinfo, int argument, const char *name, const char *example)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s is NULL", name),
				 errhint("%s", example)));
}

/* The second argument of both. */
static void
check_reason(FunctionCallInfo fcinfo, const char *example)
{
	check_not_null(fcinfo, 1, "reason", example);
	if (VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("reason is empty"),
				 errhint("The reason is all that will be known of the picture.")));
	lengths_check("llava_seen", "forgotten_reason", PG_GETARG_DATUM(1));
}

/* The number of rows of llava_image that were deleted. */
static Datum
forget_one(FunctionCallInfo fcinfo, Datum reason, const char *function)
{
	Datum		image = PG_GETARG_DATUM(0);
	Forget		forget = {
		.ids = &image,.n = 1,.reason = reason,.context = CurrentMemoryContext
	};

	forget_pictures(&forget, function);
	if (forget.images == 0)
		forget_absent(&forget, function);
	if (forget.images + forget.others == 0)
		ereport(NOTICE,
				(errmsg("nothing is known of image " INT64_FORMAT, PG_GETARG_INT64(0))));
	forget_name_exports(&forget);
	forget_name_analyze(&forget);
	PG_RETURN_INT64((int64) forget.images);
}

/* llava_forget(image bigint, reason text) */
Datum
llava_forget(PG_FUNCTION_ARGS)
{
	static const char example[] = "SELECT llava_forget(42, 'request of the rights holder, 2026-03-01');";

	check_not_null(fcinfo, 0, "image", example);
	check_reason(fcinfo, example);
	return forget_one(fcinfo, PG_GETARG_DATUM(1), "llava_forget");
}

/* llava_remove(image bigint) */
Datum
llava_remove(PG_FUNCTION_ARGS)
{
	check_not_null(fcinfo, 0, "image", "SELECT llava_remove(42);");
	return forget_one(fcinfo, (Datum) 0, "llava_remove");
}

/* ---- many ---- */

/* The arguments outlive commits; NULLs among the ids are left out. */
static void
read_arguments(FunctionCallInfo fcinfo, Forget *all, int *batch)
{
	static const char example[] =
	"CALL llava_forget_all('{42,43}', 'request of the rights holder, 2026-03-01');";
	MemoryContext caller;
	bool	   *nulls;
	int			n;

	check_not_null(fcinfo, 0, "images", example);
	check_reason(fcinfo, example);
	*batch = PG_ARGISNULL(2) ? DEFAULT_BATCH : PG_GETARG_INT32(2);
	if (*batch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch %d is less than 1", *batch),
				 errhint("The argument batch is the largest number of pictures committed at once, %d by default.",
						 DEFAULT_BATCH)));
	all->context = AllocSetContextCreate(PortalContext, "llava_forget_all", ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(all->context);
	all->reason = PointerGetDatum(DatumGetTextPCopy(PG_GETARG_DATUM(1)));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P_COPY(0), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &all->ids, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			all->ids[all->n++] = all->ids[i];
	MemoryContextSwitchTo(caller);
}

/* Forgets all of them, batch by batch; each transaction begins by committing the one before. */
static void
forget_batches(Forget *all, int largest)
{
	Forget		batch = {.reason = all->reason,.context = all->context};
	int			size = Min(FIRST_BATCH, largest);

	for (int from = 0; from < all->n; from += batch.n)
	{
		CHECK_FOR_INTERRUPTS();
		batch.ids = all->ids + from;
		batch.n = Min(size, all->n - from);
		forget_pictures(&batch, "llava_forget_all");
		if (batch.locked_ms > LOCKED_MS)
			size = Max(size / 2, 1);
		else if (batch.locked_ms < LOCKED_MS / 3)
			size = Min(size * 2, largest);
		tx_enter_procedure("llava_forget_all");
	}
	forget_absent(&batch, "llava_forget_all");
	all->images = batch.images;
	all->lines = batch.lines;
	all->unanalyzed = batch.unanalyzed;
}

/* PROCEDURE llava_forget_all(images bigint[], reason text, batch integer) */
Datum
llava_forget_all(PG_FUNCTION_ARGS)
{
	Forget		all = {0};
	int			batch;

	rows_check_call(fcinfo, "llava_forget_all");
	extension_schema_required();
	read_arguments(fcinfo, &all, &batch);
	rows_spi_connect_committing();
	tx_enter_procedure("llava_forget_all");
	forget_batches(&all, batch);
	SPI_commit();
	SPI_finish();

	ereport(NOTICE,
			(errmsg("llava_forget_all: %d ids, " UINT64_FORMAT " rows of llava_image erased",
					all.n, all.images)));
	forget_name_exports(&all);
	forget_name_analyze(&all);
	MemoryContextDelete(all.context);
	PG_RETURN_VOID();
}
