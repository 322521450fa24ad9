/*
 * destinations.c
 *	  See destinations.h.
 *
 * Which groups there are follows from the tasks that may be asked and from the pins in the
 * queue.  The latter are found by a look at the first row of each, when rows were queued and
 * on full passes.  Destinations are told apart by what their rows say and not by the state
 * of servers: one whose servers are paused stays, and so does its cursor.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destinations.h"
#include "hopeless.h"
#include "utils/builtins.h"

/* Looks for pins take at most this share of the time, but none is put off for longer than this. */
#define PINS_SHARE 100
#define PINS_LONGEST_MS 100

/* A task, a pin and a prohibition; the latter two may be empty. */
typedef struct Pin
{
	const char *task;
	const char *server;
	const char *not_server;
} Pin;

/* What a destination is to be, in the transaction's memory. */
typedef struct Draft
{
	Route		route;
	int			part;
	List	   *keys;
	int			n;
	Datum		columns[3][MAX_GROUPS];
} Draft;

/* ---- groups ---- */

static SqlStatement sql_pins = {
	.text =
	"WITH RECURSIVE g (task, server, not_server) AS ("
	"  SELECT t, ''::pg_catalog.text, ''::pg_catalog.text FROM pg_catalog.unnest($1) t"
	"  UNION ALL"
	"  SELECT g.task, n.server, n.not_server FROM g CROSS JOIN LATERAL ("
	"    SELECT p.server, p.not_server FROM @.llava_pending p"
	"    WHERE p.failure IS NULL AND p.task = g.task"
	"      AND (p.server, p.not_server) > (g.server, g.not_server)"
	"    ORDER BY p.server, p.not_server LIMIT 1) n) "
	"SELECT task, server, not_server FROM g WHERE server <> '' OR not_server <> ''",
	.types = "T"
};

static ArrayType *
text_array(Datum *values, int n)
{
	return construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT);
}

static Datum *
texts_of(ArrayType *array, int *n)
{
	Datum	   *texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, n);
	return texts;
}

static void
free_pins(List *pins)
{
	ListCell   *cell;

	foreach(cell, pins)
	{
		Pin		   *pin = lfirst(cell);

		pfree((char *) pin->task);
		pfree((char *) pin->server);
		pfree((char *) pin->not_server);
	}
	list_free_deep(pins);
}

/* The pins that rows of these tasks have, in the loop's memory. */
static List *
pins_of(Loop *loop, const List *tasks)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(list_length(tasks), 1));
	Datum		value;
	uint64		rows;
	List	   *pins = NIL;
	MemoryContext old;
	ListCell   *cell;
	int			n = 0;

	foreach(cell, tasks)
		names[n++] = CStringGetTextDatum(((LlavaTask *) lfirst(cell))->name);
	value = PointerGetDatum(text_array(names, n));
	rows = sql_run(&sql_pins, &value, NULL, 0);
	old = MemoryContextSwitchTo(loop->context);
	for (uint64 i = 0; i < rows; i++)
	{
		Pin		   *pin = palloc(sizeof(Pin));

		pin->task = TextDatumGetCString(returned(i, 1));
		pin->server = TextDatumGetCString(returned(i, 2));
		pin->not_server = TextDatumGetCString(returned(i, 3));
		pins = lappend(pins, pin);
	}
	MemoryContextSwitchTo(old);
	return pins;
}

/* Looks for pins if there may be others; the groups that have rows are found anew then. */
static void
read_pins(Loop *loop)
{
	int64		now_ms = clock_monotonic_ms();
	List	   *pins;

	if (!loop->destinations.pins_changed || now_ms < loop->destinations.pins_look_ms)
		return;
	pins = pins_of(loop, loop->claims.tasks->tasks);
	free_pins(loop->destinations.pins);
	loop->destinations.pins = pins;
	loop->destinations.pins_changed = false;
	foreach_destination(destination, loop)
	{
		destination->is_asked_known = false;
	}
	loop->destinations.pins_look_ms = clock_monotonic_ms() +
		Min(PINS_SHARE * (clock_monotonic_ms() - now_ms), PINS_LONGEST_MS);
}

void
destinations_pins_changed(Loop *loop)
{
	loop->destinations.pins_changed = true;
}

static bool
may_be_asked(const Loop *loop, const LlavaTask *task)
{
	return task != NULL && !hopeless_waits(task) &&
		(loop->scope.only_task == NULL || strcmp(loop->scope.only_task, task->name) == 0);
}

/* ---- destinations ---- */

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
same_route(const Route *a, const Route *b)
{
	return same_text(a->server, b->server) &&
		(a->server != NULL || same_text(a->not_server, b->not_server));
}

bool
destination_has_route(const Destination *destination, const Route *route)
{
	return same_route(&destination->route, route);
}

/* The plan that a further group of the route belongs to, which has room for it. */
static Draft *
plan_for(List **plans, const Route *route)
{
	Draft	   *last = NULL;
	Draft	   *plan;
	ListCell   *cell;

	foreach(cell, *plans)
	{
		plan = lfirst(cell);
		if (same_route(&plan->route, route))
			last = plan;
	}
	if (last != NULL && last->n < MAX_GROUPS)
		return last;
	plan = palloc0(sizeof(Draft));
	plan->route = *route;
	plan->part = last == NULL ? 0 : last->part + 1;
	*plans = lappend(*plans, plan);
	return plan;
}

static void
add_group(List **plans, const LlavaTask *task, const char *server, const char *not_server)
{
	Route		route = route_of(task, server, not_server);
	Draft	   *plan;

	if (route_is_closed(&route))
		return;
	plan = plan_for(plans, &route);
	plan->columns[0][plan->n] = CStringGetTextDatum(task->name);
	plan->columns[1][plan->n] = CStringGetTextDatum(server);
	plan->columns[2][plan->n] = CStringGetTextDatum(not_server);
	plan->n++;
	/* with lengths, so that no two groups have the same key */
	plan->keys = lappend(plan->keys, makeString(psprintf("%zu %s %zu %s %s", strlen(task->name), task->name,
														 strlen(server), server, not_server)));
}

static List *
make_drafts(Loop *loop)
{
	List	   *plans = NIL;
	ListCell   *cell;

	foreach(cell, loop->claims.tasks->tasks)
	{
		const LlavaTask *task = lfirst(cell);

		if (may_be_asked(loop, task))
			add_group(&plans, task, "", "");
	}
	foreach(cell, loop->destinations.pins)
	{
		const Pin  *pin = lfirst(cell);
		const LlavaTask *task = taskset_task(loop->claims.tasks, pin->task);

		if (may_be_asked(loop, task))
			add_group(&plans, task, pin->server, pin->not_server);
	}
	return plans;
}

static void
free_groups(Groups *groups)
{
	for (int i = 0; i < 3 && groups->n > 0; i++)
		pfree(groups->columns[i]);
	groups->n = 0;
}

static void
free_keys(List *keys)
{
	ListCell   *cell;

	foreach(cell, keys)
		pfree(strVal(lfirst(cell)));
	list_free_deep(keys);
}

void
groups_values(const Groups *groups, Datum *values)
{
	for (int i = 0; i < 3; i++)
		values[i] = PointerGetDatum(groups->columns[i]);
}

static void
destination_free(Destination *destination)
{
	dlist_delete(&destination->node);
	free_groups(&destination->all);
	free_groups(&destination->asked);
	free_keys(destination->keys);
	if (destination->route.server != NULL)
		pfree((char *) destination->route.server);
	if (destination->route.not_server != NULL)
		pfree((char *) destination->route.not_server);
	pfree(destination);
}

static Destination *
destination_of(Loop *loop, const Draft *plan)
{
	Destination *made;

	foreach_destination(destination, loop)
	{
		if (destination->part == plan->part && same_route(&destination->route, &plan->route))
			return destination;
	}
	made = MemoryContextAllocZero(loop->context, sizeof(Destination));
	if (plan->route.server != NULL)
		made->route.server = MemoryContextStrdup(loop->context, plan->route.server);
	else if (plan->route.not_server != NULL)
		made->route.not_server = MemoryContextStrdup(loop->context, plan->route.not_server);
	made->part = plan->part;
	dlist_push_tail(&loop->destinations.list, &made->node);
	destination_reset(made);
	return made;
}

/* Gives the destination the plan's groups.  Rows of a new one may lie before the cursor. */
static void
take_plan(Loop *loop, Destination *destination, Draft *plan)
{
	MemoryContext old;

	if (equal(destination->keys, plan->keys))
		return;
	if (list_difference(plan->keys, destination->keys) != NIL)
		destination_reset(destination);
	old = MemoryContextSwitchTo(loop->context);
	free_groups(&destination->all);
	free_keys(destination->keys);
	destination->keys = copyObject(plan->keys);
	for (int i = 0; i < 3; i++)
		destination->all.columns[i] = text_array(plan->columns[i], plan->n);
	destination->all.n = plan->n;
	destination->is_asked_known = false;
	MemoryContextSwitchTo(old);
}

static SqlStatement sql_asked = {
	.text =
	"SELECT pg_catalog.array_agg(g.task), pg_catalog.array_agg(g.server), pg_catalog.array_agg(g.not_server)"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
	"  AS g (task, server, not_server)"
	" WHERE (SELECT true FROM @.llava_pending p WHERE " ROW_OF_GROUP
	"   AND (p.visible_at, p.image) >= ($4, $5) LIMIT 1)",
	.types = "TTTzl"
};

/*
 * Most tasks have no rows in the queue, and a claim need not look for them: rows that come
 * are told by a commit, and what was skipped is found by a full pass.  Claims between the
 * commit and this may have passed new rows of groups that had none, so the cursor goes back.
 */
static void
find_asked(Loop *loop, Destination *destination)
{
	Datum		values[5];
	MemoryContext old;
	bool		isnull = true;
	int			n;

	if (destination->is_asked_known)
		return;
	if (destination->queued_from <= destination->cursor.visible_at)
		destination_go_back(destination, destination->queued_from);
	destination->queued_from = DT_NOEND;
	groups_values(&destination->all, values);
	values[3] = TimestampTzGetDatum(destination->cursor.visible_at);
	values[4] = Int64GetDatum(destination->cursor.image);
	if (destination->all.n > 1)
	{
		sql_run(&sql_asked, values, NULL, 0);
		(void) sql_value(1, &isnull);
	}
	free_groups(&destination->asked);
	old = MemoryContextSwitchTo(loop->context);
	for (int i = 0; i < 3; i++)
		destination->asked.columns[i] = isnull ?
			text_array(texts_of(destination->all.columns[i], &n), 1) :
			DatumGetArrayTypePCopy(sql_value(i + 1, &isnull));
	MemoryContextSwitchTo(old);
	destination->asked.n = ArrayGetNItems(ARR_NDIM(destination->asked.columns[0]),
										  ARR_DIMS(destination->asked.columns[0]));
	destination->is_asked_known = true;
	destination->at = 0;
	destination->dry = false;
}

static bool
is_planned(const Destination *destination, const List *plans)
{
	ListCell   *cell;

	foreach(cell, plans)
	{
		const Draft *plan = lfirst(cell);

		if (plan->part == destination->part && same_route(&plan->route, &destination->route))
			return true;
	}
	return false;
}

void
destinations_read(Loop *loop)
{
	List	   *plans;
	ListCell   *cell;

	read_pins(loop);
	plans = make_drafts(loop);
	foreach_destination(destination, loop)
	{
		if (!is_planned(destination, plans))
			destination_free(destination);
	}
	foreach(cell, plans)
		take_plan(loop, destination_of(loop, lfirst(cell)), lfirst(cell));
	foreach_destination(destination, loop)
	{
		find_asked(loop, destination);
	}
}

void
destinations_forget(Loop *loop)
{
	foreach_destination(destination, loop)
	{
		destination_free(destination);
	}
	destinations_pins_changed(loop);
}

void
destination_reset(Destination *destination)
{
	destination_go_back(destination, DT_NOBEGIN);
}

void
destination_go_back(Destination *destination, TimestampTz from)
{
	destination->cursor.visible_at = from == DT_NOBEGIN ? DT_NOBEGIN : from - 1;
	destination->cursor.image = 0;
	read_ahead_reset(&destination->ahead);
	destination->at = 0;
	destination->next_due = destination->queued_from = DT_NOEND;
	destination->dry = destination->is_asked_known = false;
}

/* Adds a column of a destination's groups. */
static ArrayBuildState *
add_column(ArrayBuildState *built, ArrayType *column)
{
	int			n;
	Datum	   *texts = texts_of(column, &n);

	for (int i = 0; i < n; i++)
		built = accumArrayResult(built, texts[i], false, TEXTOID, CurrentMemoryContext);
	return built;
}

void
destinations_groups(Loop *loop, bool only_dry, Datum *values)
{
	ArrayBuildState *built[3] = {NULL, NULL, NULL};

	foreach_destination(destination, loop)
	{
		if (!destination->open || (only_dry && !destination->dry))
			continue;
		for (int i = 0; i < 3; i++)
			built[i] = add_column(built[i], destination->all.columns[i]);
	}
	for (int i = 0; i < 3; i++)
		values[i] = built[i] == NULL ? PointerGetDatum(construct_empty_array(TEXTOID)) :
			makeArrayResult(built[i], CurrentMemoryContext);
}
