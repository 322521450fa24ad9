/*
 * task.h
 *	  What the files of the tasks and those that queue rows know of tasks beyond
 *	  llava_zh.h: task.c, task_draw.c, task_rows.c, shipped.c, intake.c, enqueue.c.
 */
#ifndef LLAVA_TASK_H
#define LLAVA_TASK_H

#include "compat.h"
#include "llava_zh.h"

/* So that the weights of any number of tasks add up in 64 bits. */
#define TASK_MAX_WEIGHT INT64CONST(1000000000000)

/* Pictures longer than this are long, where a task says nothing else. */
#define TASK_LONG_RATIO 4.0

/* ---- task.c ---- */

extern const char *task_kind_name(ReplyKind kind);
extern const char *task_language_name(ReplyLanguage language);

/* ERROR with the possible values as HINT. */
extern ReplyKind task_kind(const char *name);
extern ReplyLanguage task_language(const char *name);

/*
 * All tasks with no more than name, alias and weight, ordered by name's bytes,
 * palloc'd in the current context: what intake needs for each statement.
 */
extern List *task_weights(void);

/* The same in a function that runs with its owner\'s rights. */
extern List *task_weights_as_owner(void);

/* By name, else by alias; NULL if there is none. */
extern LlavaTask *task_named(List *tasks, const char *name);

/* ERROR: no such task, with the tasks there are as HINT. */
pg_noreturn extern void task_unknown(List *tasks, const char *name);

/* ---- shipped.c ---- */

/* Sampling and rules of a task that says nothing else about them. */
extern void task_defaults(LlavaTask *task, ReplyKind kind, ReplyLanguage language);

/* Human turns for a description whose task has none of its own. */
extern const char *const *shipped_questions(ReplyLanguage language, int *n);

#endif							/* LLAVA_TASK_H */
