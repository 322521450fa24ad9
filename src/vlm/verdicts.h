/*
 * verdicts.h
 *	  The table of what errors mean: verdicts.c holds it, error_verdict.c searches it.
 */
#ifndef LLAVA_VERDICTS_H
#define LLAVA_VERDICTS_H

typedef enum Class
{
	MONEY,
	QUOTA,						/* money; throttling if it will be back soon */
	KEY,
	MODEL,
	REGION,
	FILTER,
	CONTEXT,
	IMAGE,
	THROTTLE,
	BUSY,						/* a gateway has trouble */
	SERVER						/* the server has trouble, perhaps with this
								 * picture */
} Class;

/* The statuses that a verdict is for. */
#define IN_200 0x01
#define IN_4XX 0x02				/* 400, 422 and others that are not below */
#define IN_AUTH 0x04			/* 401, 403, 407 */
#define IN_404 0x08				/* 404, 405, 410 */
#define IN_429 0x10				/* 429, 498, 529 */
#define IN_5XX 0x20
#define IN_REST 0x40			/* 451 */
#define IN_ANY 0xff

typedef enum Where
{
	TEXT,						/* Words.text */
	CODE						/* Words.codes */
} Where;

/*
 * What it means if a response of one of these statuses contains one of these patterns.
 * A pattern is a text, or two with '*' for a few words between them.
 */
typedef struct Verdict
{
	const char *provider;		/* who says so, for the reader; NULL behind
								 * the last */
	int			statuses;
	Where		where;
	Class		class;
	const char *const *patterns;	/* NULL ends them */
} Verdict;

/* The first that fits decides. */
extern const Verdict verdicts[];

#endif							/* LLAVA_VERDICTS_H */
