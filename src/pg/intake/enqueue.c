/*
 * enqueue.c
 *	  llava_enqueue, llava_retry and llava_cancel: a person queues pictures, and takes them
 *	  out of the queue.
 */
#include "postgres.h"

#include "access/xact.h"
#include "intake.h"
#include "process/process.h"
#include "task/task.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_enqueue);
PG_FUNCTION_INFO_V1(llava_retry);
PG_FUNCTION_INFO_V1(llava_cancel);

/* The name of the task that has this name or alias; ERROR if there is none. */
static Datum
resolve_task(text *word)
{
	return CStringGetTextDatum(task_required(task_weights_as_owner(), text_to_cstring(word))->name);
}

/*
 * The visible_at of rows that this transaction queues: now, or in front of all that wait.
 * Times mirrored at 2000-01-01 lie before all others, and what goes to the front later
 * comes before what went there earlier.
 */
static TimestampTz
place_in_queue(bool first)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	return first ? -now : now;
}

/* A boolean argument; false also where an earlier version's function has no such argument. */
static bool
argument_is_true(FunctionCallInfo fcinfo, int n)
{
	return PG_NARGS() > n && !PG_ARGISNULL(n) && PG_GETARG_BOOL(n);
}

static void
cannot_be_asked(int64 image, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("image " INT64_FORMAT " cannot be queued: %s", image, why),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* Whether intake has recorded this image as the first with these bytes. */
static bool
had_bytes(Datum id, Datum sha256)
{
	bool		isnull;

	return rows_run_as_owner(extension_relation("llava_seen"), &sql_seen_find, &sha256, NULL) > 0 &&
		DatumGetInt64(sql_value(1, &isnull)) == DatumGetInt64(id);
}

/* ERROR about a row without bytes that is neither rejected nor a copy. */
static void
bytes_are_missing(Datum id)
{
	bool		isnull;
	Datum		sha256 = sql_value(5, &isnull);

	if (!isnull && had_bytes(id, sha256))
		cannot_be_asked(DatumGetInt64(id), "its bytes were erased", NULL);
	cannot_be_asked(DatumGetInt64(id), "its bytes are not here",
					"The row came without them, as by replication. Ask where they are.");
}

/* ERROR unless this id has a picture that can be sent to a model. */
static void
check_image(Datum id)
{
	int64		image = DatumGetInt64(id);
	Datum		value;
	bool		isnull;

	if (rows_run_as_owner(extension_relation("llava_image"), &sql_image_state, &id, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("image " INT64_FORMAT " does not exist", image),
				 errhint("The images are the rows of llava_image.")));
	value = sql_value(1, &isnull);
	if (!isnull)
		cannot_be_asked(image, psprintf("it was rejected as %s", TextDatumGetCString(value)),
						"llava_image.rejected_detail says why.");
	value = sql_value(2, &isnull);
	if (!isnull)
		cannot_be_asked(image, psprintf("it is the same as image " INT64_FORMAT,
										DatumGetInt64(value)),
						psprintf("Name image " INT64_FORMAT " instead.", DatumGetInt64(value)));
	if (DatumGetBool(sql_value(4, &isnull)))
		cannot_be_asked(image, "it was never taken in, since it was inserted while triggers were off (session_replication_role)",
						UNTAKEN_HINT);
	if (DatumGetBool(sql_value(3, &isnull)))
		bytes_are_missing(id);
}

static SqlStatement sql_reply_variation = {
	.text =
	"SELECT pg_catalog.max(variation) FROM @.llava_reply WHERE image = $1 AND task = $2",
	.types = "lt"
};

/* The first variation after those in the ledger, so that no seed is used twice. */
static int
next_variation(Datum *image_and_task)
{
	Datum		newest;
	bool		isnull;

	rows_run_as_owner(extension_relation("llava_reply"), &sql_reply_variation,
					  image_and_task, NULL);
	newest = sql_value(1, &isnull);
	return isnull ? 0 : DatumGetInt32(newest) + 1;
}

typedef struct Enqueue
{
	const LlavaTask *task;
	Datum		values[7];		/* image, task, visible_at, variation,
								 * released, server, not_server */
	char		nulls[8];
	bool		again;
	bool		first;
	bool		queued;
	TimestampTz due;			/* of the row that was queued, or that waited
								 * and has moved; DT_NOEND: none has */
} Enqueue;

static SqlStatement sql_conversation_exists = {
	.text =
	"SELECT 1 FROM @.llava_conversation WHERE image = $1 AND task = $2",
	.types = "lt"
};

static SqlStatement sql_annotation_exists = {
	.text =
	"SELECT 1 FROM @.llava_annotation WHERE image = $1 AND task = $2",
	.types = "lt"
};

static SqlStatement sql_enqueue = {
	.text =
	"INSERT INTO @.llava_pending (image, task, visible_at, variation, released) VALUES ($1, $2, $3, $4, $5)"
	" ON CONFLICT DO NOTHING",
	.types = "ltziB"
};

static SqlStatement sql_enqueue_pinned = {
	.text =
	"INSERT INTO @.llava_pending (image, task, visible_at, variation, released, server, not_server)"
	" VALUES ($1, $2, $3, $4, $5, coalesce($6, ''), coalesce($7, ''))"
	" ON CONFLICT DO NOTHING",
	.types = "ltziBtt"
};

static SqlStatement sql_to_front = {
	.text =
	"UPDATE @.llava_pending SET visible_at = $3"
	" WHERE image = $1 AND task = $2 AND failure IS NULL AND holder IS NULL",
	.types = "ltz"
};

static SqlStatement sql_repin = {
	.text =
	"UPDATE @.llava_pending SET server = coalesce($3, server), not_server = coalesce($4, not_server)"
	" WHERE image = $1 AND task = $2 AND failure IS NULL AND holder IS NULL RETURNING visible_at",
	.types = "lttt"
};

static bool
has_annotation(Datum *image_and_task)
{
	Oid			table = extension_find_relation("llava_annotation");

	return OidIsValid(table) && rows_run_as_owner(table, &sql_annotation_exists, image_and_task, NULL) > 0;
}

static SqlStatement sql_newest_prompt = {
	.text =
	"SELECT prompt FROM @.llava_task WHERE name = $1 ORDER BY version DESC LIMIT 1",
	.types = "t"
};

static SqlStatement sql_has_result = {
	.text =
	"SELECT " TASK_HAS_RESULT("$1", "$2"),
	.types = "lt"
};

/* ERROR if the task's prompt needs a result of another task that the picture has not. */
static void
check_result(const LlavaTask *task, Datum image)
{
	Datum		name = CStringGetTextDatum(task->name);
	Datum		values[2] = {image, CStringGetTextDatum(task->after)};
	int			placeholders;
	bool		isnull;

	rows_run_as_owner(extension_relation("llava_task"), &sql_newest_prompt, &name, NULL);
	placeholders = prompt_placeholders(TextDatumGetCString(sql_value(1, &isnull)));
	if (placeholders == 0)
		return;
	rows_run_as_owner(extension_relation("llava_conversation"), &sql_has_result, values, NULL);
	if (!DatumGetBool(sql_value(1, &isnull)))
		cannot_be_asked(DatumGetInt64(image),
						psprintf("the prompt of \"%s\" has %s, and the image has no result of \"%s\"",
								 task->name, placeholder_word(placeholders), task->after),
						psprintf("SELECT llava_enqueue(" INT64_FORMAT ", %s); what follows it is queued with its result.",
								 DatumGetInt64(image), quote_literal_cstr(task->after)));
}

/* Moves a row that waits to the front, or to other servers. */
static void
move(Enqueue *e)
{
	Datum		pins[] = {e->values[0], e->values[1], e->values[5], e->values[6]};
	char		nulls[] = {' ', ' ', e->nulls[5], e->nulls[6], '\0'};
	bool		isnull;

	if (e->first && rows_run_as_owner(extension_relation("llava_pending"), &sql_to_front,
									  e->values, NULL) > 0)
		e->due = DatumGetTimestampTz(e->values[2]);
	if (pins_are_given(e->nulls + 5) &&
		rows_run_as_owner(extension_relation("llava_pending"), &sql_repin, pins, nulls) > 0)
		e->due = DatumGetTimestampTz(sql_value(1, &isnull));
}

static void
enqueue(void *arg)
{
	Enqueue    *e = arg;

	rows_spi_connect();
	rows_lock_to_write("llava_pending");
	check_image(e->values[0]);
	if (e->task->after != NULL)
		check_result(e->task, e->values[0]);
	if (e->again ||
		(rows_run_as_owner(extension_relation("llava_conversation"),
						   &sql_conversation_exists, e->values, NULL) == 0 &&
		 !has_annotation(e->values)))
	{
		e->values[3] = Int32GetDatum(next_variation(e->values));
		e->queued = rows_run_as_owner(extension_relation("llava_pending"),
									  pins_are_given(e->nulls + 5) ? &sql_enqueue_pinned : &sql_enqueue,
									  e->values, e->nulls) > 0;
	}
	if (e->queued)
		e->due = DatumGetTimestampTz(e->values[2]);
	else
		move(e);
	SPI_finish();
}

/* Whether an argument that must not be NULL is. */
static bool
any_is_null(FunctionCallInfo fcinfo, int n)
{
	for (int i = 0; i < n; i++)
		if (PG_ARGISNULL(i))
			return true;
	return false;
}

/*
 * llava_enqueue(image, task, again, first, server, not_server): false if the image is queued,
 * parked, failed or done already.  A row that waits takes the pins that are not NULL, and with
 * first goes to the front of the queue.  NULL if one of the first four arguments is.
 */
Datum
llava_enqueue(PG_FUNCTION_ARGS)
{
	Enqueue		e = {.nulls = "     ",.due = DT_NOEND};
	Pins		pins;

	if (any_is_null(fcinfo, Min(PG_NARGS(), 4)))
		PG_RETURN_NULL();
	pins = pins_argument(fcinfo, 4, "server");
	e.values[5] = pins.server;
	e.values[6] = pins.not_server;
	memcpy(e.nulls + 5, pins.nulls, sizeof(pins.nulls));
	e.again = argument_is_true(fcinfo, 2);
	e.first = argument_is_true(fcinfo, 3);
	e.values[0] = PG_GETARG_DATUM(0);
	e.task = task_required(task_weights_as_owner(), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	e.values[1] = CStringGetTextDatum(e.task->name);
	e.values[2] = TimestampTzGetDatum(place_in_queue(e.first));
	/* it is asked for by name: no other task's result is waited for */
	e.values[4] = BoolGetDatum(e.task->after != NULL);
	blockers_run("llava_enqueue", enqueue, &e);

	if (e.due != DT_NOEND)
		wake_at_commit(e.due);
	PG_RETURN_BOOL(e.queued);
}

static SqlStatement sql_failures = {
	.text =
	"SELECT pg_catalog.string_agg(DISTINCT failure, ', ' ORDER BY failure)"
	" FROM @.llava_pending WHERE failure IS NOT NULL",
	.types = ""
};

/* A reason that no row has is probably misspelt: the NOTICE lists those that there are. */
static void
tell_unknown_reason(const char *reason)
{
	bool		isnull;
	Datum		found;

	rows_run_as_owner(extension_relation("llava_pending"), &sql_failures, NULL, NULL);
	found = sql_value(1, &isnull);
	ereport(NOTICE,
			(errmsg("no row has failed or is parked with the reason \"%s\"", reason),
			 isnull ? 0 : errhint("The reasons are %s.", TextDatumGetCString(found))));
}

typedef struct Retry
{
	Datum		values[6];		/* image, task, reason, visible_at, server,
								 * not_server */
	char		nulls[7];
	uint64		rows;
} Retry;

#define RETRY(pins) \
	"UPDATE @.llava_pending SET failure = NULL, detail = NULL, attempts = 0, interruptions = 0," \
	"  rejects = NULL, refused_by = NULL," \
	"  variation = variation + 1, visible_at = $4," pins \
	"  released = released OR failure IN ('long_image', 'blank', 'condition', 'condition_error') " \
	"WHERE failure IS NOT NULL AND ($1 IS NULL OR image = $1)" \
	"  AND ($2 IS NULL OR task = $2) AND ($3 IS NULL OR failure = $3)" \
	/* rows that rest so as not to cost money for nothing, or since nobody wants */ \
	/* them, are released only by name */ \
	"  AND (failure NOT IN ('near_duplicate', 'blank', 'cancelled', 'condition', 'condition_error')" \
	"    OR $1 IS NOT NULL OR $3 IS NOT NULL)"

static SqlStatement sql_retry = {
	.text = RETRY(""),
	.types = "lttz"
};

static SqlStatement sql_retry_pinned = {
	.text = RETRY(" server = coalesce($5, server), not_server = coalesce($6, not_server),"),
	.types = "lttztt"
};

static SqlStatement sql_hash_parked = {
	.text =
	"SELECT pg_catalog.array_agg(image) FROM @.llava_pending"
	" WHERE failure = 'near_duplicate' AND ($1 IS NULL OR image = $1)"
	"  AND ($2 IS NULL OR task = $2) AND ($3 IS NULL OR failure = $3)"
	"  AND ($1 IS NOT NULL OR $3 IS NOT NULL)",
	.types = "ltt"
};

static SqlStatement sql_hash_unmark = {
	.text =
	"UPDATE @.llava_image SET same_as = NULL, same_distance = NULL"
	" WHERE id = ANY ($1) AND same_distance IS NOT NULL",
	.types = "L"
};

static SqlStatement sql_hash_release = {
	.text =
	"UPDATE @.llava_hash SET copy = false WHERE image = ANY ($1) AND copy",
	.types = "L"
};

/*
 * Marks the pictures of parked rows as not to be parked as copies again; values and nulls
 * are those of sql_retry.  SPI-connected.
 */
static void
release_copies(Datum *values, const char *nulls)
{
	bool		isnull;
	Datum		images;

	rows_run_as_owner(extension_relation("llava_pending"), &sql_hash_parked, values, nulls);
	images = sql_value(1, &isnull);
	if (isnull)
		return;
	rows_run_as_owner(extension_relation("llava_image"), &sql_hash_unmark, &images, NULL);
	rows_run_as_owner(extension_relation("llava_hash"), &sql_hash_release, &images, NULL);
}

static void
retry(void *arg)
{
	Retry	   *r = arg;

	rows_spi_connect();
	release_copies(r->values, r->nulls);
	r->rows = rows_run_as_owner(extension_relation("llava_pending"),
								pins_are_given(r->nulls + 4) ? &sql_retry_pinned : &sql_retry, r->values, r->nulls);
	if (r->rows == 0 && r->nulls[2] == ' ' && r->nulls[0] == 'n' && r->nulls[1] == 'n')
		tell_unknown_reason(TextDatumGetCString(r->values[2]));
	SPI_finish();
}

/*
 * Fills in the arguments image and task, which are the first two, and, where there is a
 * third, reason; a NULL argument stands for all.
 */
static void
read_choice(FunctionCallInfo fcinfo, int n, Datum *values, char *nulls)
{
	for (int i = 0; i < n; i++)
	{
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
		if (!PG_ARGISNULL(i))
			values[i] = i == 1 ? resolve_task(PG_GETARG_TEXT_PP(1)) : PG_GETARG_DATUM(i);
	}
}

/* llava_retry(image, task, reason, first, new_server, not_server): the number of rows. */
Datum
llava_retry(PG_FUNCTION_ARGS)
{
	Retry		r = {.nulls = "nnn "};
	TimestampTz place = place_in_queue(argument_is_true(fcinfo, 3));
	Pins		pins = pins_argument(fcinfo, 4, "new_server");

	read_choice(fcinfo, 3, r.values, r.nulls);
	r.values[3] = TimestampTzGetDatum(place);
	r.values[4] = pins.server;
	r.values[5] = pins.not_server;
	memcpy(r.nulls + 4, pins.nulls, sizeof(pins.nulls));
	blockers_run("llava_retry", retry, &r);

	if (r.rows > 0)
		wake_at_commit(place);
	PG_RETURN_INT64((int64) r.rows);
}

typedef struct Cancel
{
	Datum		values[2];		/* image, task */
	char		nulls[3];
	uint64		rows;
} Cancel;

/*
 * A row that is held was sent, or is about to be, and is left.  Without a fingerprint no
 * outage of a server brings the row back.
 */
static SqlStatement sql_cancel = {
	.text =
	"UPDATE @.llava_pending SET failure = 'cancelled', detail = NULL, said = NULL"
	" WHERE (failure IS NULL OR failure = 'no_picture') AND holder IS NULL"
	"  AND ($1 IS NULL OR image = $1) AND ($2 IS NULL OR task = $2)",
	.types = "lt"
};

static void
cancel(void *arg)
{
	Cancel	   *c = arg;

	rows_spi_connect();
	c->rows = rows_run_as_owner(extension_relation("llava_pending"), &sql_cancel, c->values, c->nulls);
	SPI_finish();
}

/* llava_cancel(image, task): the number of rows. */
Datum
llava_cancel(PG_FUNCTION_ARGS)
{
	Cancel		c = {.nulls = "nn"};

	if (PG_ARGISNULL(0) && PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("llava_cancel needs an image or a task"),
				 errhint("llava_cancel(task => '...') cancels all that waits for one task. "
						 "To stop asking for a while, llava_pause(server).")));
	read_choice(fcinfo, 2, c.values, c.nulls);
	blockers_run("llava_cancel", cancel, &c);
	PG_RETURN_INT64((int64) c.rows);
}
