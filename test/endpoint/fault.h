/*
 * fault.h
 *	  What can go wrong on purpose, by name, and which request it befalls.
 *
 * A fault is named NAME, NAME-N (N: its argument, as 429-5) and, for statuses,
 * NAME-flat (the other error shape).
 */
#ifndef ENDPOINT_FAULT_H
#define ENDPOINT_FAULT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "buffer.h"

typedef struct FaultName
{
	const char *name;
	const char *about;
} FaultName;

/* Where a fault takes effect; FAULT_NONE is zero. */
typedef enum FaultGroup
{
	FAULT_NONE,
	FAULT_STATUS,				/* errors.c */
	FAULT_WIRE,
	FAULT_BODY,					/* envelope.c */
	FAULT_TEXT					/* noise.c */
} FaultGroup;

typedef enum FaultWire
{
	WIRE_RESET,
	WIRE_CLOSE,
	WIRE_HANG,
	WIRE_HOLD,
	WIRE_SLOW,
	WIRE_TRICKLE,
	WIRE_WRONG_LENGTH,
	WIRE_TRUNCATED,
	WIRE_RESET_MIDWAY,
	WIRE_CHUNKED,
	WIRE_NO_LENGTH,
	WIRE_ENDLESS_CHUNK,
	WIRE_ENDLESS_NAME,
	WIRE_ENDLESS_INTERIM
} FaultWire;

typedef enum FaultBody
{
	BODY_GARBAGE,
	BODY_NOT_JSON,
	BODY_EMPTY,
	BODY_ERROR,
	BODY_ERROR_FLAT,
	BODY_NO_CHOICES,
	BODY_EMPTY_CHOICES,
	BODY_CONTENT_NULL,
	BODY_CONTENT_PARTS,
	BODY_REASONING_ONLY,
	BODY_REFUSAL_FIELD,
	BODY_BAD_UTF8,
	BODY_NUL,
	BODY_HUGE,
	BODY_CONTENT_FILTER,
	BODY_NO_USAGE,
	BODY_USAGE_TEXT,
	BODY_USAGE_ZERO,
	BODY_USAGE_NONSENSE
} FaultBody;

typedef struct Fault
{
	FaultGroup	group;
	int			index;			/* in its group's names */
	int			argument;		/* -1: none */
	bool		flat;
	char		name[48];		/* as it was asked for */
} Fault;

extern bool fault_parse(const char *name, size_t size, Fault *fault);
extern void fault_list(FILE *to);

/* Faults by chance, "429=0.1,503=1/20": a probability, or every 20th request. */
typedef struct FaultMix
{
	int			size;
	struct FaultShare
	{
		Fault		fault;
		double		probability;
		int64_t		every;
	}			share[256];
} FaultMix;

/* Faults by ordinal, "3:429,5-7:503,9+:hang". */
typedef struct FaultPlan
{
	int			size;
	struct FaultStep
	{
		Fault		fault;
		int64_t		first;
		int64_t		last;
	}		   *step;
} FaultPlan;

/* False: message says what is wrong, the target is as it was. */
extern bool fault_mix_parse(const char *text, FaultMix *mix, Buffer *message);
extern bool fault_plan_parse(const char *text, FaultPlan *plan, Buffer *message);

/* True, and *fault, if one is meant for request `ordinal` (from 1). */
extern bool fault_plan_find(const FaultPlan *plan, int64_t ordinal, Fault *fault);
extern bool fault_mix_draw(const FaultMix *mix, uint64_t seed, int64_t ordinal, Fault *fault);

/* errors.c, noise.c: the names of their groups; NULL behind the last one. */
extern const FaultName *error_fault_name(int index);
extern const FaultName *noise_fault_name(int index);

#endif							/* ENDPOINT_FAULT_H */
