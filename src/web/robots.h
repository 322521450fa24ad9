/*
 * robots.h
 *	  What robots.c keeps of a robots.txt, and robots_match.c compares with.
 */
#ifndef LLAVA_WEB_ROBOTS_H
#define LLAVA_WEB_ROBOTS_H

#include "web.h"

typedef enum RobotsKind
{
	ROBOTS_DISALLOW,
	ROBOTS_ALLOW,
	ROBOTS_RESERVED				/* this content may not be trained on */
} RobotsKind;

/* The pattern is canonical; it lies in the texts of its WebRobots. */
typedef struct RobotsRule
{
	size_t		pattern;
	size_t		size;
	int			line;
	RobotsKind	kind;
} RobotsRule;

/* The rules of the groups that name us, or of those for all. */
typedef struct RobotsGroup
{
	RobotsRule *rules;
	int			n;
	int			room;
	double		crawl_delay;	/* negative: none */
	bool		named;			/* there is such a group */
} RobotsGroup;

struct WebRobots
{
	RobotsGroup ours;
	RobotsGroup everyone;
	char	   *texts;			/* of the patterns */
	size_t		texts_size;
	size_t		texts_room;
};

/*
 * The form in which patterns and paths are compared: other than ASCII escaped, unreserved
 * characters never, escapes in capitals.  Stars and dollars that mean themselves are escaped:
 * all of a path's, of a pattern's those that are given so, and a dollar before the end.
 * out: room for 3 * size.  The size written.
 */
extern size_t robots_canonical(const char *text, size_t size, bool is_pattern, char *out);

/* Whether a canonical pattern fits a canonical path, in linear time. */
extern bool robots_fits(const char *pattern, size_t size, const char *path, size_t path_size);

#endif
