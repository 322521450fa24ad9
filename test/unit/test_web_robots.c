/*
 * test_web_robots.c
 *	  What a robots.txt permits: RFC 9309, and what the large crawlers make of files that
 *	  do not follow it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "web/web.h"

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define ALLOWED 1
#define REFUSED 0

typedef struct Case
{
	const char *robots;
	const char *agent;
	const char *path;
	int			allowed;
	int			line;
} Case;

static const Case cases[] = {
	/* nothing said */
	{"", "llava_zh", "/x", ALLOWED, 0},
	{"\n\n# all\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: *\nDisallow:\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: *\nDisallow: /\n", "llava_zh", "/x", REFUSED, 2},
	{"User-agent: *\nDisallow: /\n", "llava_zh", "/robots.txt", ALLOWED, 0},
	{"Disallow: /\nUser-agent: *\nAllow: /y\n", "llava_zh", "/x", ALLOWED, 0},
	/* groups */
	{"User-agent: other\nDisallow: /\n", "llava_zh", "/x", ALLOWED, 0},
	{"user-AGENT: LLAVA_ZH\nDISALLOW: /x\n", "llava_zh", "/x", REFUSED, 2},
	{"User-agent: llava_zh\nAllow: /\nUser-agent: *\nDisallow: /\n", "llava_zh", "/x", ALLOWED, 2},
	{"User-agent: *\nDisallow: /\n\nUser-agent: llava_zh\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: llava_zh\n\nUser-agent: *\nDisallow: /\n", "llava_zh", "/x", REFUSED, 4},
	{"User-agent: a\nUser-agent: llava_zh\nDisallow: /x\n", "llava_zh", "/x", REFUSED, 3},
	{"User-agent: llava_zh\nUser-agent: a\nDisallow: /x\n", "llava_zh", "/x", REFUSED, 3},
	{"User-agent: llava_zh\n\n\nSitemap: /s\n\nUser-agent: a\nDisallow: /x\n", "llava_zh", "/x", REFUSED, 7},
	{"User-agent: llava_zh\nDisallow:\nUser-agent: a\nDisallow: /x\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: llava_zh\nCrawl-delay: 3\nUser-agent: a\nDisallow: /x\n", "llava_zh", "/x", REFUSED, 4},
	{"User-agent: llava_zh\nDisallow: /x\nUser-agent: a\nDisallow: /\nUser-agent: llava_zh\nDisallow: /y\n", "llava_zh", "/x", REFUSED, 2},
	{"User-agent: llava_zh\nDisallow: /x\nUser-agent: a\nDisallow: /\nUser-agent: llava_zh\nDisallow: /y\n", "llava_zh", "/y", REFUSED, 6},
	{"User-agent: *\nDisallow: /x\nUser-agent: a\nDisallow: /\nUser-agent: *\nDisallow: /y\n", "llava_zh", "/y", REFUSED, 6},
	{"User-agent: *\nDisallow: /x\nUser-agent: a\nDisallow: /\nUser-agent: *\nDisallow: /y\n", "llava_zh", "/z", ALLOWED, 0},
	{"User-agent: Sogou web spider\nDisallow: /\n", "Sogou", "/x", REFUSED, 2},
	{"User-agent: llava_zh/1.1\nDisallow: /\n", "llava_zh", "/x", REFUSED, 2},
	{"User-agent: llava\nDisallow: /\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: llava_zh-images\nDisallow: /\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: * bar\nDisallow: /x\n", "llava_zh", "/x", REFUSED, 2},
	{"User-agent: *bar\nDisallow: /x\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent: 360Spider\nDisallow: /x\n", "llava_zh", "/x", ALLOWED, 0},
	{"User-agent:\nDisallow: /x\n", "llava_zh", "/x", ALLOWED, 0},
	/* a Chinese white list */
	{"User-agent: Baiduspider\nAllow: /\nUser-agent: Sogou web spider\nAllow: /\nUser-agent: *\nDisallow: /\n", "llava_zh", "/x", REFUSED, 6},
	/* the longest wins, a tie allows */
	{"User-agent: *\nDisallow: /x/page\nAllow: /x/\n", "a", "/x/page.html", REFUSED, 2},
	{"User-agent: *\nAllow: /x/page\nDisallow: /x/\n", "a", "/x/page.html", ALLOWED, 2},
	{"User-agent: *\nAllow: /x/page\nDisallow: /x/\n", "a", "/x/q", REFUSED, 3},
	{"User-agent: *\nDisallow: /x\nAllow: /x\n", "a", "/x", ALLOWED, 3},
	{"User-agent: *\nDisallow: /x\nAllow: /\n", "a", "/x", REFUSED, 2},
	{"User-agent: *\nAllow: /$\nDisallow: /\n", "a", "/", ALLOWED, 2},
	{"User-agent: *\nAllow: /$\nDisallow: /\n", "a", "/x", REFUSED, 3},
	{"User-agent: *\nAllow: /p\nDisallow: /*.html\n", "a", "/page.html", REFUSED, 3},
	{"User-agent: *\nAllow: /x\nDisallow: /%62\n", "a", "/b", REFUSED, 3},
	/* RFC 9309, 5.2 */
	{"User-agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n", "foobot", "/example/page/disallow.gif", ALLOWED, 2},
	{"User-agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n", "foobot", "/example/page/disallowed.gif", REFUSED, 3},
	/* RFC 9309, 5.1 */
	{"User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n", "a", "/x.gif", REFUSED, 2},
	{"User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n", "a", "/x.gif?y", ALLOWED, 0},
	{"User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n", "a", "/publications/x.gif", ALLOWED, 4},
	/* case and anchors */
	{"User-agent: *\nDisallow: /X\n", "a", "/x", ALLOWED, 0},
	{"User-agent: *\nDisallow: x\n", "a", "/x", ALLOWED, 0},
	{"User-agent: *\nDisallow: /fish\n", "a", "/fishheads/y?id=1", REFUSED, 2},
	{"User-agent: *\nDisallow: /fish\n", "a", "/catfish", ALLOWED, 0},
	{"User-agent: *\nDisallow: /fish/\n", "a", "/fish", ALLOWED, 0},
	{"User-agent: *\nDisallow: /x?a=1\n", "a", "/x?a=1&b=2", REFUSED, 2},
	/* stars and dollars */
	{"User-agent: *\nDisallow: /*.php\n", "a", "/folder/any.php.file.html", REFUSED, 2},
	{"User-agent: *\nDisallow: /*.php$\n", "a", "/x.php?p", ALLOWED, 0},
	{"User-agent: *\nDisallow: /*.php$\n", "a", "/x.php.php", REFUSED, 2},
	{"User-agent: *\nDisallow: /fish*.php\n", "a", "/fishheads/catfish.php?p", REFUSED, 2},
	{"User-agent: *\nDisallow: /a*b*c$\n", "a", "/abcbc", REFUSED, 2},
	{"User-agent: *\nDisallow: /a*b*c$\n", "a", "/abcd", ALLOWED, 0},
	{"User-agent: *\nDisallow: /ab*ba$\n", "a", "/aba", ALLOWED, 0},
	{"User-agent: *\nDisallow: /a$b\n", "a", "/a$b", REFUSED, 2},
	{"User-agent: *\nDisallow: /a$b\n", "a", "/a", ALLOWED, 0},
	{"User-agent: *\nDisallow: /a%24\n", "a", "/a$b", REFUSED, 2},
	{"User-agent: *\nDisallow: /a%24\n", "a", "/a", ALLOWED, 0},
	{"User-agent: *\nDisallow: /a%2Ab\n", "a", "/a*b", REFUSED, 2},
	{"User-agent: *\nDisallow: /a%2ab\n", "a", "/a%2Ab", REFUSED, 2},
	{"User-agent: *\nDisallow: /a%2Ab\n", "a", "/axb", ALLOWED, 0},
	{"User-agent: *\nDisallow: $\n", "a", "/x", ALLOWED, 0},
	{"User-agent: *\nDisallow: *\n", "a", "/x", REFUSED, 2},
	{"User-agent: *\nDisallow: ***x\n", "a", "/x", REFUSED, 2},
	/* escapes */
	{"User-agent: *\nDisallow: /foo/bar?baz=quz\n", "a", "/foo/bar?baz=quz", REFUSED, 2},
	{"User-agent: *\nDisallow: /foo/bar/ツ\n", "a", "/foo/bar/%E3%83%84", REFUSED, 2},
	{"User-agent: *\nDisallow: /foo/bar/%E3%83%84\n", "a", "/foo/bar/%e3%83%84", REFUSED, 2},
	{"User-agent: *\nDisallow: /foo/bar/%62%61%7A\n", "a", "/foo/bar/baz", REFUSED, 2},
	{"User-agent: *\nDisallow: /foo/bar/baz\n", "a", "/foo/bar/%62%61%7A", REFUSED, 2},
	{"User-agent: *\nDisallow: /a%2Fb\n", "a", "/a/b", ALLOWED, 0},
	{"User-agent: *\nDisallow: /a%2fb\n", "a", "/a%2Fb", REFUSED, 2},
	{"User-agent: *\nDisallow: /\xC3\xFB\n", "a", "/%C3%FB", REFUSED, 2},
	{"User-agent: *\nDisallow: /a b\n", "a", "/a%20b", REFUSED, 2},
	{"User-agent: *\nDisallow: /%zz\n", "a", "/%zz", REFUSED, 2},
	/* lenient reading */
	{"\xEF\xBB\xBFUser-agent: *\nDisallow: /x\n", "a", "/x", REFUSED, 2},
	{"\xEF\xBBUser-agent: *\nDisallow: /x\n", "a", "/x", REFUSED, 2},
	{"\xEFUser-agent: *\nDisallow: /x\n", "a", "/x", REFUSED, 2},
	{"\xEF\x11\xBFUser-agent: *\nDisallow: /x\n", "a", "/x", ALLOWED, 0},
	{"User-agent: *\rDisallow: /x\r", "a", "/x", REFUSED, 2},
	{"User-agent: *\r\nDisallow: /x\r\n", "a", "/x", REFUSED, 2},
	{"User-agent: *\r\n\r\nDisallow: /x", "a", "/x", REFUSED, 3},
	{"User-agent *\nDisallow /x\n", "a", "/x", REFUSED, 2},
	{"User-agent *\nDisallow /x y\n", "a", "/x", ALLOWED, 0},
	{"  User-agent  :  *  \n\tDisallow\t:\t/x\t\n", "a", "/x", REFUSED, 2},
	{"useragent: *\ndissallow: /a\ndissalow: /b\ndisalow: /c\ndiasllow: /d\ndisallaw: /e\n", "a", "/a", REFUSED, 2},
	{"useragent: *\ndissallow: /a\ndissalow: /b\ndisalow: /c\ndiasllow: /d\ndisallaw: /e\n", "a", "/b", REFUSED, 3},
	{"useragent: *\ndissallow: /a\ndissalow: /b\ndisalow: /c\ndiasllow: /d\ndisallaw: /e\n", "a", "/c", REFUSED, 4},
	{"user agent: *\ndissallow: /a\ndissalow: /b\ndisalow: /c\ndiasllow: /d\ndisallaw: /e\n", "a", "/d", REFUSED, 5},
	{"User-agent: *\nDisallow: /x # no\n", "a", "/x", REFUSED, 2},
	{"User-agent: * # all\nDisallow: /x#y\n", "a", "/x", REFUSED, 2},
	{"#User-agent: *\n#Disallow: /x\n", "a", "/x", ALLOWED, 0},
	{"foo: bar\nUser-agent: *\nfoo: bar\nDisallow: /x\n", "a", "/x", REFUSED, 4},
	{"<html><head><title>404</title></head>\n<body>User-agent is missing</body></html>\n", "a", "/x", ALLOWED, 0},
	{"<HTML>\n<BODY>\nUser-agent: *<BR>\nDisallow: /x<BR>\n</BODY>\n", "a", "/x", REFUSED, 4},
	{"User-agent: *\nDisallow: /<x>\n", "a", "/<x>", REFUSED, 2},
	/* reservations are no rules */
	{"User-agent: *\nContent-Signal: ai-train=no\nAllow: /\n", "a", "/x", ALLOWED, 3},
};

static void
cases_hold(void **state)
{
	(void) state;
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		/* of exactly its size, so that a sanitizer sees what is read behind it */
		size_t		size = strlen(cases[i].robots);
		char	   *bytes = malloc(size + (size == 0));
		WebRobots  *robots;
		WebRobotsVerdict verdict;

		memcpy(bytes, cases[i].robots, size);
		robots = web_robots_parse(bytes, size, cases[i].agent);
		free(bytes);
		verdict = web_robots_judge(robots, cases[i].path);
		if (verdict.allowed != cases[i].allowed || verdict.line != cases[i].line)
			fail_msg("%s: %s: %d by line %d", cases[i].robots, cases[i].path, verdict.allowed, verdict.line);
		web_robots_free(robots);
	}
}

static void
delays(void **state)
{
	static const struct
	{
		const char *robots;
		double		delay;
	}			given[] = {
		{"User-agent: *\nCrawl-delay: 10\n", 10}, {"User-agent: *\nCrawl-delay: 1.5\n", 1.5}, {"User-agent: *\nCrawl-delay: .5\n", 0.5},
		{"User-agent: *\nCrawl-delay: 10s\n", -1}, {"User-agent: *\nCrawl-delay: ten\n", -1}, {"User-agent: *\nCrawl-delay: -1\n", -1},
		{"User-agent: *\nCrawl-delay: 1e3\n", -1}, {"User-agent: *\nCrawl-delay:\n", -1}, {"User-agent: *\nCrawl-delay: 1.2.3\n", -1},
		{"User-agent: *\nCrawl-delay: 0\n", 0}, {"User-agent: *\nCrawl-delay: 999999999\n", 999999999},
		{"User-agent: *\nCrawl-delay: 3\nDisallow: /x\nCrawl-delay: 2\n", 3}, {"Crawl-delay: 3\nUser-agent: *\n", -1},
		{"User-agent: a\nDisallow: /x\nUser-agent: *\nCrawl-delay: 3\n", -1},
		{"User-agent: a\nUser-agent: b\nCrawl-delay: 4 # four\n", 4}, {"User-agent: a\nCrawl-delay: 1\nUser-agent: a\nCrawl-delay: 2\n", 2},
		{"User-agent: b\nDisallow: /\nCrawl-delay: 9\nUser-agent: *\nCrawl-delay: 3\n", 3}
	};

	(void) state;
	for (size_t i = 0; i < COUNT(given); i++)
	{
		WebRobots  *robots = web_robots_parse(given[i].robots, strlen(given[i].robots), "a");

		if (web_robots_crawl_delay(robots) != given[i].delay)
			fail_msg("%s: %g", given[i].robots, web_robots_crawl_delay(robots));
		web_robots_free(robots);
	}
}

static void
reservations(void **state)
{
	static const struct
	{
		const char *robots;
		int			line;		/* for /a/x */
	}			given[] = {
		{"User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n", 2}, {"User-agent: *\nContent-Signal: ai-train=yes\n", 0},
		{"User-agent: *\nContent-Usage: train-ai=n\n", 2}, {"User-agent: *\nContent-Usage: /a/ train-ai=n\n", 2},
		{"User-agent: *\nContent-Usage: /b/ train-ai=n\n", 0}, {"User-agent: *\nContent-Usage: ai=n\n", 2},
		{"User-agent: b\nContent-Signal: ai-train=no\n", 0}, {"User-agent: *\nContent-Signal: ai-input=no;ai-train=no\n", 2}
	};

	(void) state;
	for (size_t i = 0; i < COUNT(given); i++)
	{
		WebRobots  *robots = web_robots_parse(given[i].robots, strlen(given[i].robots), "a");
		WebRobotsVerdict verdict = web_robots_judge(robots, "/a/x");

		assert_true(verdict.allowed);
		if (verdict.reserved_line != given[i].line)
			fail_msg("%s: %d", given[i].robots, verdict.reserved_line);
		web_robots_free(robots);
	}
}

static void
other_encodings(void **state)
{
	static const char text[] = "User-agent: *\nDisallow: /x\nDisallow: /";

	(void) state;
	for (int big = 0; big < 2; big++)
	{
		char		bytes[256] = {0};
		size_t		size = 2;
		WebRobots  *robots;

		bytes[!big] = '\xFE';
		bytes[big] = '\xFF';
		for (const char *p = text; *p != '\0'; p++, size += 2)
			bytes[size + (size_t) big] = *p;
		/* U+56FE */
		bytes[size + !big] = '\x56';
		bytes[size + (size_t) big] = '\xFE';
		size += 2;
		robots = web_robots_parse(bytes, size, "a");
		assert_int_equal(web_robots_judge(robots, "/x").line, 2);
		assert_int_equal(web_robots_judge(robots, "/%E5%9B%BE").line, 3);
		assert_true(web_robots_judge(robots, "/y").allowed);
		web_robots_free(robots);
	}
}

/* A line is cut; what is hostile takes linear time. */
static void
large_files(void **state)
{
	size_t		size = WEB_ROBOTS_MAX;
	char	   *bytes = malloc(size);
	char	   *path = malloc(4097);
	WebRobots  *robots;
	clock_t		begun;

	(void) state;
	memset(bytes, 'x', size);
	memcpy(bytes, "User-agent: *\nDisallow: /", 25);
	bytes[20000] = '\n';
	memcpy(bytes + 20001, "Disallow: /y\n", 13);
	robots = web_robots_parse(bytes, size, "a");
	assert_int_equal(web_robots_judge(robots, "/y").line, 3);
	web_robots_free(robots);
	for (size_t at = 14; at + 64 < size; at += 64)
		memcpy(bytes + at, "Disallow: /*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab$\n", 64);
	memset(path, 'a', 4096);
	path[0] = '/';
	path[4096] = '\0';
	begun = clock();
	robots = web_robots_parse(bytes, size, "a");
	assert_true(web_robots_judge(robots, path).allowed);
	assert_true((clock() - begun) / CLOCKS_PER_SEC < 10);
	web_robots_free(robots);
	free(bytes);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cases_hold),
		cmocka_unit_test(delays),
		cmocka_unit_test(reservations),
		cmocka_unit_test(other_encodings),
		cmocka_unit_test(large_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
