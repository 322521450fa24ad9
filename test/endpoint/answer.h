/*
 * answer.h
 *	  What is said of an image: true, in the format each task's prompt asks for.
 *
 * The words vary with the image and the seed, what they say with the image only.
 * Nothing is ever said about writing in the image: it is not read.
 */
#ifndef ENDPOINT_ANSWER_H
#define ENDPOINT_ANSWER_H

#include <stdint.h>

#include "buffer.h"
#include "digest.h"
#include "look.h"

typedef enum Task
{
	TASK_DIALOGUE,
	TASK_REASONING,
	TASK_DESCRIPTION,
	TASK_OBJECT
} Task;

#define MAX_ROUNDS 8

typedef struct Turn
{
	Buffer		question;
	Buffer		answer;
} Turn;

/* A description and an object have one turn without a question. */
typedef struct Answer
{
	Task		task;
	bool		english;
	int			rounds;
	int			told;			/* the worth that the prompt told it to say, and
								 * 1; 0: none */
	Turn		turn[MAX_ROUNDS];
} Answer;

extern const char *task_name(Task task);
extern const char *task_alias(Task task);

/* The task a prompt is for, by the format it asks for; English if it has no Han. */
extern Task prompt_task(const char *prompt, bool *english);

/* answer->task and ->english are set by the caller, the rest is filled. */
extern void answer_make(Answer *answer, const Facts *facts, uint64_t variation);
extern void answer_free(Answer *answer);

extern const char *colour_zh(Colour colour);
extern const char *colour_en(Colour colour);

/* answer_zh.c, answer_en.c, answer_object.c */
extern void answer_chinese(Answer *answer, const Facts *facts, Dice *dice);
extern void answer_english(Answer *answer, const Facts *facts, Dice *dice);
extern void answer_object(Answer *answer, const Facts *facts);

/* What the picture is worth, 0 to 3, as answer_object says. */
extern int facts_worth(const Facts *facts);

/* The worth that the prompt tells to say outside of quoted strings; false: it tells none. */
extern bool answer_obey(const char *prompt, int *worth);

/* Which way the sides go, and by how much. */
typedef enum Shape
{
	SHAPE_WIDE,
	SHAPE_TALL,
	SHAPE_SQUARE
} Shape;

extern Shape facts_shape(const Facts *facts);
extern double facts_ratio(const Facts *facts);	/* longer to shorter side */

/* A colour that is certainly not in the image; false if none is sure. */
extern bool facts_absent(const Facts *facts, Dice *dice, Colour *colour);

/* Mixes the first `size` of order. */
extern void dice_shuffle(Dice *dice, int *order, int size);

#endif							/* ENDPOINT_ANSWER_H */
