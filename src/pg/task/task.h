/*
 * task.h
 *	  What is asked: tasks, their versions, and which one a picture gets.
 */
#ifndef LLAVA_TASK_H
#define LLAVA_TASK_H

#include "commands/trigger.h"
#include "compat.h"
#include "image/image.h"
#include "nodes/pg_list.h"
#include "reply/reply.h"
#include "vlm/vlm.h"

/* ---- task.c ---- */

/* What becomes of a picture so long that its text would be shrunk away. */
typedef enum LongImages
{
	LONG_AS_TASK,				/* only of a row: as its task says */
	LONG_SHRINK,
	LONG_RAISE,
	LONG_PARK
} LongImages;

typedef struct LlavaTask
{
	char	   *name;
	int			version;
	char	   *alias;			/* or NULL */
	char	   *prompt;
	ReplyKind	kind;
	ReplyLanguage language;
	int64		weight;
	char	   *server;			/* or NULL */
	int			n_questions;
	char	  **questions;
	LongImages	long_images;
	double		long_ratio;		/* pictures over it that must shrink are long */
	int64		long_max_pixels;	/* of LONG_RAISE; 0: the model's own limit */
	VlmSampling sampling;		/* seed unset */
	ReplyRules	rules;			/* rules.prompts set up */
	VlmBody		body;			/* the task's request but for its seed; kept
								 * by dispatch.c */
	char	   *after;			/* the task that it follows, or NULL */
	uint64		body_of;		/* for which ServerState.options_read; 0: none */
	struct TaskCounter *counter;	/* the loop's, once a row was claimed */
	const struct TaskStopped *stopped;	/* its rows wait; NULL: they do not */
} LlavaTask;

/* Newest version by name or alias, palloc'd; ERROR with the names as HINT. */
extern LlavaTask *task_find(const char *name);

/* Newest versions of all tasks, in the current context. */
extern List *task_list(void);

/* The task of a draw; NULL if no task has a weight. */
extern const char *task_draw(List *tasks, int64 n);

/* The first of the chain of tasks that this one ends: its own name, if it follows none. */
extern const char *task_first(List *tasks, const char *name);

/* Seed of a request: a hash of image, task and variation, in [0, 2^31). */
extern int64 task_seed(int64 image, const char *task, int variation);

/* Tokens that a request about the picture is expected to take; never 0. */
extern VlmTokens task_forecast(const ImagePrepared *prepared, const ImageFit *fit,
							   const char *prompt, const VlmSampling *sampling);

/* The human turn of a description: deterministic per image. */
extern const char *task_question(const LlavaTask *task, int64 image);

/* splitmix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits. */
extern uint64 task_mix(uint64 x);

/* Small enough that the sum over any number of tasks fits in 64 bits. */
#define TASK_MAX_WEIGHT INT64CONST(1000000000000)

/* The most that max_tokens may say. */
#define TASK_MAX_TOKENS 1000000

/* ERROR with the possible values as HINT. */
extern ReplyKind task_kind(const char *name);
extern ReplyLanguage task_language(const char *name);

/*
 * All tasks with no more than name, alias, kind, weight and after, ordered by name's bytes,
 * palloc'd in the current context: what intake needs for each statement.
 */
extern List *task_weights(void);

/* The same, in a function that runs with its owner's rights. */
extern List *task_weights_as_owner(void);

/* Whether there is a server of this name, and it is one of ours. */
extern bool task_server_exists(const char *server);

/* By name, else by alias; NULL if there is none. */
extern LlavaTask *task_named(List *tasks, const char *name);

/* The same; ERROR with the tasks there are as HINT if there is none. */
extern LlavaTask *task_required(List *tasks, const char *name);

/* ---- placeholders.c: what a prompt of a task that follows another has in it ---- */

#define PLACEHOLDER_CONVERSATION 1
#define PLACEHOLDER_SENTENCES 2
#define PLACEHOLDER_ANNOTATION 4

/* Those of a task, as bits; 0 for a task that follows none, whose prompt is sent as it is. */
extern int	task_placeholders(const LlavaTask *task);

/* The same of a prompt of such a task. */
extern int	prompt_placeholders(const char *prompt);

/* What the prompt writes for the first of them, "{{conversation}}"; static. */
extern const char *placeholder_word(int placeholders);

/* Those of them for which a result of this kind has nothing. */
extern int	placeholders_unfit(int placeholders, ReplyKind followed);

/* ---- task_owed.c: what a task that follows another owes to results that are there ---- */

typedef struct TaskFollower
{
	char	   *name;
	char	   *after;
	char	   *condition;		/* NULL: none */
	double		share;
	int64		weight;
} TaskFollower;

typedef struct TaskOwed
{
	int64		results;		/* of the task that is followed */
	int64		passes;			/* whose pictures and condition let the
								 * follower through */
	int64		queued;			/* of these, owed a row that waits */
	int64		condition;		/* owed a row that rests as condition */
	int64		condition_error;
	int64		exchanged;		/* rows that wait, or wanted to be sent, and
								 * have nothing to follow yet */
	bool		more;			/* than were looked at */
} TaskOwed;

/*
 * Counts among so many results and rows, and changes nothing.  SPI-connected, with the
 * rights to read the tables.
 */
extern TaskOwed task_owed(const TaskFollower *follower, int64 most);

/*
 * Parts of statements that count and queue what is owed.  i is a row of llava_image, p one
 * of llava_pending; the others are arguments.
 */
#define TASK_FITS(i, name, share, weight) \
	"(" weight " = 0 OR " i ".task = " name ") AND (" share " >= 1" \
	"  OR @.llava_image_share(" i ".id, " i ".sha256, 2::pg_catalog.int8) < " share ")"
#define TASK_HOLDS(result, condition) \
	"CASE WHEN " condition " IS NULL THEN true" \
	" ELSE pg_catalog.jsonb_path_match(" result ", " condition "::pg_catalog.jsonpath, '{}', true) END"

/* OFFSET 0: looked up for each row, and not hashed from all rows of the table. */
#define TASK_HAS_RESULT(image, name) \
	"(EXISTS (SELECT FROM @.llava_conversation s WHERE s.image = " image " AND s.task = " name " OFFSET 0)" \
	" OR EXISTS (SELECT FROM @.llava_annotation a WHERE a.image = " image " AND a.task = " name " OFFSET 0))"

/* A row that waits and was never sent, nor asked for by name. */
#define TASK_NEVER_ASKED(p) \
	p ".failure IS NULL AND " p ".call IS NULL AND " p ".holder IS NULL AND NOT " p ".released"

/* p is the follower's row for the picture, or null. */
#define TASK_OWES(image, name, p) \
	"NOT " TASK_HAS_RESULT(image, name) " AND (" p ".image IS NULL OR " TASK_NEVER_ASKED(p) \
	"  OR " p ".failure IN ('condition', 'condition_error', 'nothing_to_follow'))"
#define TASK_EXCHANGED(p, i, name, after, weight) \
	p ".task = " name " AND (" TASK_NEVER_ASKED(p) " OR " p ".failure = 'nothing_to_follow')" \
	" AND (" weight " = 0 OR " i ".task = " name ")" \
	" AND NOT " TASK_HAS_RESULT(p ".image", after)

/* ---- task_newest.c ---- */

typedef struct TaskNewest
{
	char	   *name;
	int			version;
	char	   *kind;
	char	   *language;
	char	   *server;			/* or NULL */
} TaskNewest;

/* The newest version of each task, whoever asks, palloc'd. */
extern List *task_newest(void);

/* ---- stopped.c: tasks whose rows wait, since their first replies were all rejected ---- */

typedef struct TaskStopped
{
	char	   *task;
	int			version;
	char	   *reason;			/* of all rejects */
	int64		image;			/* of one reply */
	int64		call;
} TaskStopped;

/* All rows of llava_stopped_task, whoever asks; and that of a version, NULL if none. */
extern List *task_stopped_all(void);
extern const TaskStopped *task_stopped_in(const List *all, const char *task, int version);

/* Writes a row, and deletes that of a version (0: of any; false: there was none).  In SPI. */
extern void task_stop(const TaskStopped *stopped);
extern bool task_resume(const char *task, int version);

/* What a prompt must ask for, in a sentence for people. */
extern const char *task_shape(ReplyKind kind, ReplyLanguage language);

/* ---- shipped.c ---- */

/* All numbers of a task that says nothing else about them. */
extern void task_defaults(LlavaTask *task, ReplyKind kind, ReplyLanguage language);

/* Human turns for a description whose task has none of its own. */
extern const char *const *shipped_questions(ReplyLanguage language, int *n);

/* ---- long_images.c ---- */

/* From a word, NULL for LONG_AS_TASK, and back; the word is static. */
extern LongImages long_images_of(const char *word);
extern const char *long_images_name(LongImages policy);

/*
 * Applies the task's policy, or the row's own, to a fit that has the server's limits.
 * Returns what was done: LONG_AS_TASK if the picture is not long.
 */
extern LongImages long_images_fit(const LlavaTask *task, LongImages of_row,
								  const ImageInfo *info, ImageFit *fit);

/*
 * ---- lengths.c: limits on values that people write; ERROR 22001, with the limit, beyond
 * it ----
 */

/* Checks the value of one column. */
extern void lengths_check(const char *table, const char *column, Datum value);

/* Checks all columns of a new row. */
extern void lengths_check_row(const char *table, HeapTuple row, TupleDesc desc);

/* Checks the columns that an UPDATE changes. */
extern void lengths_check_update(const char *table, TriggerData *trigger);

#endif							/* LLAVA_TASK_H */
