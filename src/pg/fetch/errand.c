/*
 * errand.c
 *	  An errand: one request, and what it is for.
 *
 * It lives in a memory context of its own, below TopMemoryContext, since it outlives the
 * transactions that claim and settle it.
 */
#include "postgres.h"

#include "errand.h"
#include "utils/memutils.h"

Errand *
errand_new(const char *host, const char *domain)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "llava_zh errand", ALLOCSET_SMALL_SIZES);
	Errand	   *errand = MemoryContextAllocZero(context, sizeof(Errand));

	errand->context = context;
	errand->host = MemoryContextStrdup(context, host);
	errand->domain = MemoryContextStrdup(context, domain);
	return errand;
}

/* Its host is nobody's; what is not known of the request counts as sent now. */
void
errand_let_go(Errand *errand)
{
	TimestampTz now = GetCurrentTimestamp();

	domain_leave(errand);
	if (errand->holds_host)
		shared_pace_give(errand->host, errand->host_free_at != 0 ? errand->host_free_at :
						 TimestampTzPlusMilliseconds(now, llava_fetch_delay));
	errand->holds_host = false;
	errand->host_free_at = 0;
}

void
errand_free(Errand *errand)
{
	errand_let_go(errand);
	web_url_free(&errand->url);
	web_response_free(&errand->response);
	MemoryContextDelete(errand->context);
}

bool
errand_set_url(Errand *errand, const char *url, const char **reason)
{
	*reason = web_url_parse(url, strlen(url), config_fetch_ports(), &errand->url);
	if (*reason != NULL && strcmp(*reason, "memory") == 0)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return *reason == NULL;
}
