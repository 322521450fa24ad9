/*
 * trust_foreign_keys.c
 *	  Tables whose rows go, or change, with the rows that a statement of ours deletes.
 *
 * Core deletes and updates them as their owner, but in the middle of our statement: before
 * PostgreSQL 18 their AFTER triggers, and those of tables that rules of theirs write, are
 * fired at its end as the acting role, and what any of their code has SET still holds when
 * triggers of ours are fired.  So a table of another owner may have neither triggers nor
 * rules for such changes, and only code that the acting role would run itself; a
 * constraint alone is allowed.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "judge.h"
#include "miscadmin.h"
#include "rewrite/prs2lock.h"
#include "utils/fmgroids.h"

/* ---- a table of another owner ---- */

/* Core's trigger functions of foreign keys. */
static bool
is_of_foreign_key(Oid function)
{
	return function >= F_RI_FKEY_CHECK_INS && function <= F_RI_FKEY_NOACTION_UPD;
}

static bool
is_fired(const Trigger *trigger, CmdType event)
{
	if (trigger->tgenabled == TRIGGER_DISABLED || is_of_foreign_key(trigger->tgfoid))
		return false;
	return event == CMD_DELETE ? TRIGGER_FOR_DELETE(trigger->tgtype) :
		TRIGGER_FOR_UPDATE(trigger->tgtype);
}

static void
judge_triggers_for(Judge *judge, CmdType event)
{
	TriggerDesc *triggers = CopyTriggerDesc(judge->rel->trigdesc);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		/*
		 * core looks at deferrable keys again: at expressions, which are
		 * judged
		 */
		if (!is_fired(trigger, event) || trigger->tgfoid == F_UNIQUE_KEY_RECHECK)
			continue;
		judge_look_at_trigger(judge, judge->rel, trigger);
		judge_found(judge, judge->rel->rd_rel->relowner,
					psprintf("would be fired by a foreign key in a statement of %s",
							 judge_role(judge->acting)));
	}
}

static void
judge_rules_for(Judge *judge, CmdType event)
{
	RuleLock   *rules = judge->rel->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		RewriteRule *rule = rules->rules[i];

		if (rule->event != event)
			continue;
		judge_look_at(judge, RewriteRelationId, rule->ruleId,
					  psprintf("DROP RULE ... ON %s;", judge_relation_name(judge->rel)));
		judge_found(judge, judge->rel->rd_rel->relowner,
					pstrdup("would be followed by a foreign key in a statement of llava_zh"));
	}
}

/* ---- any table ---- */

static void judge_follower(Judge *judge, Oid relation, CmdType event);

static void
judge_stranger(Judge *judge, CmdType event)
{
	List	   *children;
	ListCell   *cell;

	judge_triggers_for(judge, event);
	judge_rules_for(judge, event);
	judge_expressions(judge);
	if (event == CMD_DELETE)
		judge_followers(judge);
	children = find_inheritance_children(RelationGetRelid(judge->rel), judge->mode);
	foreach(cell, children)
		judge_follower(judge, lfirst_oid(cell), event);
}

static void
judge_follower(Judge *judge, Oid relation, CmdType event)
{
	Judge		inner = *judge;
	Oid			owner;

	judge_lock(judge, relation);
	inner.rel = try_relation_open(relation, NoLock);
	if (inner.rel == NULL)
		return;
	owner = inner.rel->rd_rel->relowner;
	inner.types = NIL;
	inner.trusted = judge->acting;
	inner.deletes = event == CMD_DELETE;
	if (owner == judge->acting || superuser_arg(owner))
	{
		judge_relation(&inner, relation, true);
		/* it may have been judged only as a table whose rows are updated */
		if (inner.deletes && judge_is_new(judge, &judge->basis->deleted, relation))
			judge_followers(&inner);
	}
	else if (judge_is_new(judge, inner.deletes ? &judge->basis->followed_deletes :
						  &judge->basis->followed_updates, relation))
	{
		check_stack_depth();
		judge_stranger(&inner, event);
	}
	relation_close(inner.rel, NoLock);
	judge->findings = inner.findings;
}

/* The keys of ours that are referenced never change, so only a DELETE has followers. */
void
judge_followers(Judge *judge)
{
	TriggerDesc *triggers = CopyTriggerDesc(judge->rel->trigdesc);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == F_RI_FKEY_CASCADE_DEL)
			judge_follower(judge, trigger->tgconstrrelid, CMD_DELETE);
		else if (trigger->tgfoid == F_RI_FKEY_SETNULL_DEL ||
				 trigger->tgfoid == F_RI_FKEY_SETDEFAULT_DEL)
			judge_follower(judge, trigger->tgconstrrelid, CMD_UPDATE);
	}
}
