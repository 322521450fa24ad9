/*
 * fuzz_robots.c
 *	  A path, a newline, any bytes as robots.txt: a verdict in a short time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "web/web.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t		first = end == NULL ? 0 : (size_t) (end - data);
	char	   *path = malloc(first + 2);
	WebRobots  *robots;
	WebRobotsVerdict verdict;

	if (path == NULL)
		abort();
	path[0] = '/';
	memcpy(path + 1, data, first);
	path[first + 1] = '\0';
	robots = web_robots_parse((const char *) data + first, size - first, "llava_zh");
	if (robots == NULL)
		abort();
	verdict = web_robots_judge(robots, path);
	/* only a rule refuses */
	if (!verdict.allowed && verdict.line <= 0)
		abort();
	if (!web_robots_judge(robots, "/robots.txt").allowed)
		abort();
	(void) web_robots_crawl_delay(robots);
	web_robots_free(robots);
	free(path);
	return 0;
}
