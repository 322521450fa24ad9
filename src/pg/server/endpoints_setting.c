/*
 * endpoints_setting.c
 *	  The setting llava_zh.endpoints, as a process reads it.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "endpoints_private.h"
#include "utils/guc.h"

#define MOST_IN_FLIGHT 1000000
#define BLANKS " \t\r\n\f\v"

static ListedEndpoint listed[MAX_LISTED];	/* the setting, in this process */
static int	n_listed;

uint64
endpoint_number(const char *url)
{
	char	   *normal = vlm_url_normal(url);
	uint64		number;

	if (normal == NULL)
		return 0;
	number = hash_bytes_extended((const unsigned char *) normal, (int) strlen(normal), 0);
	free(normal);
	return Max(number, UINT64CONST(1));
}

/*
 * What is wrong with the number behind a URL, up to the comma or the end of the setting;
 * NULL: nothing.
 */
static const char *
read_limit(const char *text, size_t size, int *limit)
{
	char	   *end;
	long		number;

	if (size == 0 || text[0] < '0' || text[0] > '9')
		return "no number follows the URL";
	number = strtol(text, &end, 10);
	end += strspn(end, BLANKS);
	if (end < text +size)
		return "what follows the URL is not a number";
	if (number < 1 || number > MOST_IN_FLIGHT)
		return "the number is not in 1 .. 1000000";
	*limit = (int) number;
	return NULL;
}

/* What is wrong with an entry, 'URL number'; NULL: nothing. */
static const char *
read_entry(const char *text, size_t size, ListedEndpoint *entry)
{
	size_t		length = strcspn(text, BLANKS);
	const char *problem;
	char	   *url;

	if (length == 0 || text[0] == ',')
		return "an entry is empty";
	url = strndup(text, length);
	if (url == NULL)
		return "out of memory";
	problem = options_url_problem(url);
	entry->url = endpoint_number(url);
	free(url);
	if (problem != NULL)
		return problem;
	if (entry->url == 0)
		return "out of memory";
	length += strspn(text +length, BLANKS);
	return read_limit(text +length, size - length, &entry->limit);
}

/* The length of an entry; a comma before the first blank is part of the URL. */
static size_t
entry_size(const char *text)
{
	size_t		url = strcspn(text, BLANKS);

	return url + strcspn(text +url, ",");
}

/* The number of entries; *problem is what is wrong with the last one, or NULL. */
static int
read_list(const char *text, ListedEndpoint *list, const char **problem)
{
	int			n = 0;

	*problem = NULL;
	text	  +=strspn(text, BLANKS);

	while (*text !='\0')
	{
		size_t		size = entry_size(text);

		if (n == MAX_LISTED)
		{
			*problem = "there are more than 64 URLs";
			return n;
		}
		*problem = read_entry(text, size, &list[n++]);
		for (int i = 0; *problem == NULL && i < n - 1; i++)
			if (list[i].url == list[n - 1].url)
				*problem = "the same URL is there twice";
		if (*problem != NULL)
			return n;
		text	  +=size;

		if (*text !=',')
			return n;
		text	  +=1 + strspn(text +1, BLANKS);

		if (*text == '\0')
			*problem = "an entry is empty";
	}
	return n;
}

static bool
check_setting(char **value, void **extra, GucSource source)
{
	ListedEndpoint list[MAX_LISTED];
	const char *problem;
	int			n = read_list(*value, list, &problem);

	if (problem == NULL)
		return true;
	/* the URL is not repeated: it may wrongly hold a secret */
	GUC_check_errdetail("Entry %d: %s.", n, problem);
	GUC_check_errhint("List each server's URL and how many requests may be in flight there, for example 'http://gpu:8000/v1 64, https://other/v1 8'.");
	return false;
}

static void
assign_setting(const char *value, void *extra)
{
	const char *problem;

	n_listed = read_list(value, listed, &problem);
	/* the value was checked: memory has run out */
	if (problem != NULL)
		n_listed--;
}

void
endpoints_define(void)
{
	static char *setting;

	DefineCustomStringVariable("llava_zh.endpoints",
							   "Limits the requests in flight at a URL, over all databases and servers.",
							   "A comma-separated list, for example 'http://gpu:8000/v1 64, https://other/v1 8'. Has an effect only if llava_zh is preloaded.",
							   &setting, "", PGC_SIGHUP, GUC_LIST_INPUT,
							   check_setting, assign_setting, NULL);
}

const ListedEndpoint *
endpoints_listed(int *n)
{
	*n = n_listed;
	return listed;
}
