/*
 * trust_triggers.c
 *	  The triggers of a relation: who owns the code they run, and which are our own.
 *
 * The catalogue does not record who created a trigger.  Where a role other than the owner
 * may have made it, being owned by a superuser is not enough for a function: some run SQL
 * that their arguments name.  There only the extension's own triggers are trusted, and
 * only as the install script makes them.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "judge.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"

/* The triggers that the install script makes; a test holds the two against each other. */
static const struct
{
	const char *table;
	const char *trigger;
	const char *event;			/* as pg_get_triggerdef prints it */
	const char *when;			/* the same; NULL: no clause */
	const char *function;
	char		enabled;
}			own_triggers[] =

{
	{"llava_task", "llava_task_insert", "BEFORE INSERT", NULL, "llava_task_insert",
	TRIGGER_FIRES_ON_ORIGIN},
	{"llava_task", "llava_task_frozen", "BEFORE DELETE OR UPDATE", NULL, "llava_task_frozen",
	TRIGGER_FIRES_ON_ORIGIN},
	{"llava_task", "llava_task_given", "BEFORE INSERT", "(new.version IS NOT NULL)",
	"llava_task_given", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_numbered", "BEFORE INSERT", "(new.received_at IS NULL)",
	"llava_image_numbered", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_restored", "BEFORE INSERT", "(new.received_at IS NOT NULL)",
	"llava_image_restored", TRIGGER_FIRES_ALWAYS},
	{"llava_image", "llava_image_lengths",
		"BEFORE UPDATE OF path, source_url, page_url, licence, task, meta", NULL,
	"llava_image_lengths", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_conversation", "llava_conversation_lengths", "BEFORE UPDATE OF note",
	"(new.note IS NOT NULL)", "llava_conversation_lengths", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_conversation", "llava_conversation_edited", "BEFORE UPDATE OF conversation", NULL,
	"llava_conversation_edited", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_conversation", "llava_conversation_changed", "AFTER UPDATE OF conversation, reply",
		"((new.conversation IS DISTINCT FROM old.conversation) OR (new.reply IS DISTINCT FROM old.reply))",
	"llava_conversation_changed", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_annotation", "llava_annotation_changed", "AFTER UPDATE OF object, reply",
		"((new.object IS DISTINCT FROM old.object) OR (new.reply IS DISTINCT FROM old.reply))",
	"llava_annotation_changed", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_manifest", "llava_manifest_numbered", "BEFORE INSERT", NULL,
	"llava_manifest_numbered", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_intake", "BEFORE INSERT", "(new.received_at IS NULL)", "llava_intake",
	TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_queued", "AFTER INSERT", NULL, "llava_image_queued",
	TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_moved", "BEFORE UPDATE OF source_url",
		"(new.source_url IS DISTINCT FROM old.source_url)", "llava_image_moved",
	TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_frozen", "BEFORE UPDATE OF id, image, sha256", NULL,
	"llava_image_frozen", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_timed", "BEFORE UPDATE OF file_time", NULL,
	"llava_image_timed", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_deleted", "BEFORE DELETE", "(old.received_at IS NOT NULL)",
	"llava_image_deleted", TRIGGER_FIRES_ON_ORIGIN},
	{"llava_image", "llava_image_released", "BEFORE UPDATE OF long_images",
		"(new.long_images IS DISTINCT FROM old.long_images)", "llava_image_released",
	TRIGGER_FIRES_ON_ORIGIN},
};

/* The entry of own_triggers with this trigger's table and name; -1: none. */
static int
own_entry(const Judge *judge, const Trigger *trigger)
{
	const char *table = RelationGetRelationName(judge->rel);

	if (get_relname_relid(table, extension_schema()) != RelationGetRelid(judge->rel))
		return -1;
	for (int i = 0; i < lengthof(own_triggers); i++)
		if (strcmp(own_triggers[i].table, table) == 0 &&
			strcmp(own_triggers[i].trigger, trigger->tgname) == 0)
			return i;
	return -1;
}

/*
 * What follows CREATE in pg_get_triggerdef of the trigger as shipped; search_path:
 * pg_catalog.
 */
static char *
shipped_definition(int entry)
{
	const char *schema = quote_identifier(get_namespace_name(extension_schema()));
	const char *when = own_triggers[entry].when;

	/*
	 * what follows an INSERT looks at all its rows together; all others are
	 * fired for each row
	 */
	bool		is_for_statement = strcmp(own_triggers[entry].event, "AFTER INSERT") == 0;

	return psprintf("TRIGGER %s %s ON %s.%s FOR EACH %s %s%s%sEXECUTE FUNCTION %s.%s()",
					own_triggers[entry].trigger, own_triggers[entry].event, schema,
					own_triggers[entry].table, is_for_statement ? "STATEMENT" : "ROW", when == NULL ? "" : "WHEN (",
					when == NULL ? "" : when, when == NULL ? "" : ") ", schema,
					own_triggers[entry].function);
}

/* Whether one of our triggers is as the script makes it. */
static bool
is_as_shipped(const Trigger *trigger, int entry)
{
	Datum		definition = DirectFunctionCall1(pg_get_triggerdef,
												 ObjectIdGetDatum(trigger->tgoid));

	return extension_has(ProcedureRelationId, trigger->tgfoid) &&
		strcmp(TextDatumGetCString(definition),
			   psprintf("CREATE %s", shipped_definition(entry))) == 0;
}

static void
judge_own_trigger(Judge *judge, const Trigger *trigger, int entry, bool shared)
{
	Oid			owner = judge->rel->rd_rel->relowner;

	if (!is_as_shipped(trigger, entry))
	{
		judge->remedy = psprintf("CREATE OR REPLACE %s;", shipped_definition(entry));
		judge_found(judge, owner, pstrdup("is not as the extension made it"));
	}
	else if (shared && trigger->tgenabled != own_triggers[entry].enabled)
	{
		judge->remedy = psprintf("ALTER TABLE %s ENABLE %sTRIGGER %s;",
								 judge_relation_name(judge->rel),
								 own_triggers[entry].enabled == TRIGGER_FIRES_ALWAYS ? "ALWAYS " : "",
								 own_triggers[entry].trigger);
		judge_found(judge, owner, pstrdup("is not enabled as the extension made it"));
	}
}

/* A trigger that is not ours, where another role may have made it. */
static void
found_shared(Judge *judge, Oid owner, Oid who)
{
	judge->remedy = psprintf("%s If it is yours: REVOKE TRIGGER ON %s FROM %s;", judge->remedy,
							 judge_relation_name(judge->rel), judge_role_name(who));
	judge_found(judge, owner, psprintf("may be the work of %s, which has the privilege TRIGGER",
									   judge_role(who)));
}

void
judge_look_at_trigger(Judge *judge, Relation rel, const Trigger *trigger)
{
	judge_look_at(judge, TriggerRelationId, trigger->tgoid,
				  psprintf("DROP TRIGGER %s ON %s;", quote_identifier(trigger->tgname),
						   judge_relation_name(rel)));
}

/* contrib's module whose trigger functions build SQL from their arguments. */
static bool
is_of_refint(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		library;
	bool		found;

	if (!HeapTupleIsValid(tuple))
		return false;
	library = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin, &isnull);
	found = !isnull && strstr(TextDatumGetCString(library), "refint") != NULL;
	ReleaseSysCache(tuple);
	return found;
}

/* others: roles that may have made it, too. */
static void
judge_trigger(Judge *judge, Trigger *trigger, List *others)
{
	int			entry = own_entry(judge, trigger);
	Oid			owner = judge->rel->rd_rel->relowner;

	judge_look_at_trigger(judge, judge->rel, trigger);
	if (entry >= 0)
		judge_own_trigger(judge, trigger, entry, others != NIL);
	else if (others != NIL && !trigger->tgisclone)
		found_shared(judge, owner, linitial_oid(others));
	judge->only_builtin = entry >= 0;
	judge_stored_code(judge, trigger->tgqual);
	judge->only_builtin = false;
	if (is_of_refint(trigger->tgfoid))
		judge_found(judge, owner, pstrdup("runs SQL that its arguments name"));
	if (entry >= 0)
		judge->remedy = psprintf("ALTER FUNCTION %s OWNER TO %s;",
								 format_procedure_qualified(trigger->tgfoid),
								 judge_role_name(owner));
	judge_function(judge, trigger->tgfoid);
}

/*
 * What is kept of a relation's triggers in its cache entry is freed by the next
 * invalidation.
 */
void
judge_triggers(Judge *judge)
{
	TriggerDesc *triggers = CopyTriggerDesc(judge->rel->trigdesc);
	List	   *others;

	if (triggers == NULL)
		return;
	others = judge_grantees(judge->rel, ACL_TRIGGER);
	for (int i = 0; i < triggers->numtriggers; i++)
		if (!triggers->triggers[i].tgisinternal)
			judge_trigger(judge, &triggers->triggers[i], others);
	if (judge->deletes &&
		judge_is_new(judge, &judge->basis->deleted, RelationGetRelid(judge->rel)))
		judge_followers(judge);
}
