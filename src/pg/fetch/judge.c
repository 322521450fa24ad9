/*
 * judge.c
 *	  The robots.txt of hosts, parsed and kept for their next requests.
 *
 * One host a place; whose text has another digest takes the place.  So memory is bounded
 * whatever the number of hosts, and those that take turns are parsed once.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "errand.h"

#define PLACES 512

/* Texts that are longer share one place. */
#define KEPT_SIZE (32 * 1024)

typedef struct Place
{
	char		host[WEB_HOST_MAX + 32];
	uint8		sha256[IMAGE_SHA256_SIZE];
	WebRobots  *robots;
} Place;

static Place places[PLACES];
static Place place_of_long;

static bool
is_in(const Place *place, const Host *host)
{
	return place->robots != NULL && strcmp(place->host, host->host) == 0 &&
		VARSIZE_ANY_EXHDR(host->robots_sha256) == IMAGE_SHA256_SIZE &&
		memcmp(place->sha256, VARDATA_ANY(host->robots_sha256), IMAGE_SHA256_SIZE) == 0;
}

const WebRobots *
judge_robots(const Host *host)
{
	Place	   *place;
	bytea	   *text;

	if (!host->has_robots || host->robots_sha256 == NULL)
		return NULL;
	place = &places[hash_bytes((const unsigned char *) host->host, strlen(host->host)) % PLACES];
	if (is_in(place, host))
		return place->robots;
	if (is_in(&place_of_long, host))
		return place_of_long.robots;
	text = host_robots_text(host->host);

	if (text == NULL)
		return NULL;
	if (VARSIZE_ANY_EXHDR(text) > KEPT_SIZE)
		place = &place_of_long;
	web_robots_free(place->robots);
	place->host[0] = '\0';
	place->robots = web_robots_parse(VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text), FETCHER_AGENT);
	if (place->robots == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	/* without its host's name it is found by nobody */
	if (strlen(host->host) < sizeof(place->host))
	{
		strlcpy(place->host, host->host, sizeof(place->host));
		memcpy(place->sha256, VARDATA_ANY(host->robots_sha256), IMAGE_SHA256_SIZE);
	}
	return place->robots;
}
