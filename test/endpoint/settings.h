/*
 * settings.h
 *	  How the endpoint behaves: from the command line, changed by POST /control.
 */
#ifndef ENDPOINT_SETTINGS_H
#define ENDPOINT_SETTINGS_H

#include <stdint.h>

#include "fault.h"

typedef struct Settings
{
	/* fixed at start */
	int			port;
	int			threads;
	bool		until_eof;
	bool		count_only;
	size_t		reply_bytes;
	const char *journal;

	/* changed at run time, by the loop's thread only */
	int			latency_min;	/* ms */
	int			latency_max;
	int			slots;			/* 0: any number */
	char		reject[48];		/* the fault beyond slots and per_minute; "":
								 * wait for a slot */
	int			per_minute;		/* requests; 0: any number */
	bool		by_the_clock;	/* of a minute that begins, not of a bucket */
	FaultMix	mix;
	FaultPlan	plan;
	int64_t		plan_from;		/* the ordinal that the plan calls 0 */
	bool		fault_once;
	char		fault_task[32]; /* "": any */
	bool		flat;			/* error shape */
	bool		obedient;
	uint64_t	seed;
	char		api_key[512];	/* "": any, or none */
	char		model[256];		/* "": any */
	struct
	{
		int			width;
		int			height;
	}			poison[16];
	int			poisons;
	int			crash_ms;
	int			crash_status;	/* a gateway's; 0: there is none */
} Settings;

extern Settings settings;

/* Ends the program with a message where the arguments are wrong. */
extern void settings_from_arguments(int argc, char **argv);

/*
 * One setting that may change at run time, by its long option's name.  False:
 * message says why not; nothing has changed.
 */
extern bool settings_change(const char *name, const char *value, Buffer *message);

#endif							/* ENDPOINT_SETTINGS_H */
