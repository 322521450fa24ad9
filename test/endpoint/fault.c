/*
 * fault.c
 *	  What can go wrong on purpose, by name, and which request it befalls.
 */
#include "fault.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

static const FaultName wire_names[] = {
	[WIRE_RESET] = {"reset", "RST instead of a reply"},
	[WIRE_CLOSE] = {"close", "the connection is closed instead of a reply"},
	[WIRE_HANG] = {"hang", "never a reply"},
	[WIRE_HOLD] = {"hold", "no reply before POST /control {\"release\": true}"},
	[WIRE_SLOW] = {"slow", "-N: N ms of latency (5000)"},
	[WIRE_TRICKLE] = {"trickle", "-N: 16 bytes every N ms (100)"},
	[WIRE_WRONG_LENGTH] = {"wrong-length", "Content-Length says 1000 more, then the connection is closed"},
	[WIRE_TRUNCATED] = {"truncated", "half the body, then the connection is closed"},
	[WIRE_RESET_MIDWAY] = {"reset-midway", "half the body, then RST"},
	[WIRE_CHUNKED] = {"chunked", "a good reply, chunked"},
	[WIRE_NO_LENGTH] = {"no-length", "a good reply that ends with the connection"},
	[WIRE_ENDLESS_CHUNK] = {"endless-chunk", "a chunk's extension that comes to no end"},
	[WIRE_ENDLESS_NAME] = {"endless-name", "a packed body whose file name comes to no end"},
	[WIRE_ENDLESS_INTERIM] = {"endless-interim", "interim responses, and never the last one"},
};

static const FaultName body_names[] = {
	[BODY_GARBAGE] = {"garbage", "200 with an HTML page"},
	[BODY_NOT_JSON] = {"not-json", "200 with JSON that is cut in the middle"},
	[BODY_EMPTY] = {"empty-body", "200 with nothing"},
	[BODY_ERROR] = {"error-200", "200 with a nested error object"},
	[BODY_ERROR_FLAT] = {"error-200-flat", "200 with a flat error object"},
	[BODY_NO_CHOICES] = {"no-choices", "choices is missing"},
	[BODY_EMPTY_CHOICES] = {"empty-choices", "choices is []"},
	[BODY_CONTENT_NULL] = {"content-null", "content is null"},
	[BODY_CONTENT_PARTS] = {"content-parts", "content is a list of text parts"},
	[BODY_REASONING_ONLY] = {"reasoning-only", "content is null, reasoning_content is filled"},
	[BODY_REFUSAL_FIELD] = {"refusal-field", "message.refusal is set, content is null"},
	[BODY_BAD_UTF8] = {"bad-utf8", "bytes in content that are no UTF-8"},
	[BODY_NUL] = {"nul", "\\u0000 in content"},
	[BODY_HUGE] = {"huge", "-N: content of N MB (64)"},
	[BODY_CONTENT_FILTER] = {"content-filter", "finish_reason content_filter, a few words of content"},
	[BODY_NO_USAGE] = {"no-usage", "a good reply without usage"},
	[BODY_USAGE_TEXT] = {"usage-text", "the numbers in usage are strings"},
	[BODY_USAGE_ZERO] = {"usage-zero", "they are 0"},
	[BODY_USAGE_NONSENSE] = {"usage-nonsense", "they are no counts"},
};

#define COUNT(list) ((int) (sizeof(list) / sizeof((list)[0])))

static const FaultName *
name_of(FaultGroup group, int index)
{
	switch (group)
	{
		case FAULT_STATUS:
			return error_fault_name(index);
		case FAULT_WIRE:
			return index < COUNT(wire_names) ? &wire_names[index] : NULL;
		case FAULT_BODY:
			return index < COUNT(body_names) ? &body_names[index] : NULL;
		case FAULT_TEXT:
			return noise_fault_name(index);
		case FAULT_NONE:
			break;
	}
	return NULL;
}

static bool
find_exact(const char *name, size_t size, Fault *fault)
{
	int			group;
	int			index;

	for (group = FAULT_STATUS; group <= FAULT_TEXT; group++)
		for (index = 0; name_of((FaultGroup) group, index); index++)
		{
			const char *known = name_of((FaultGroup) group, index)->name;

			if (strlen(known) == size && memcmp(known, name, size) == 0)
			{
				fault->group = (FaultGroup) group;
				fault->index = index;
				return true;
			}
		}
	return false;
}

bool
fault_parse(const char *name, size_t size, Fault *fault)
{
	size_t		digits = size;

	memset(fault, 0, sizeof(*fault));
	fault->argument = -1;
	if (size >= sizeof(fault->name))
		return false;
	memcpy(fault->name, name, size);
	if (find_exact(name, size, fault))
		return true;
	if (size > 5 && memcmp(name + size - 5, "-flat", 5) == 0)
	{
		fault->flat = true;
		size -= 5;
		if (find_exact(name, size, fault))
			return fault->group == FAULT_STATUS;
		digits = size;
	}
	while (digits > 0 && isdigit((unsigned char) name[digits - 1]))
		digits--;
	if (digits < 2 || digits == size || size - digits > 6 || name[digits - 1] != '-')
		return false;
	fault->argument = atoi(fault->name + digits);
	return find_exact(name, digits - 1, fault);
}

void
fault_list(FILE *to)
{
	static const char *const titles[] = {
		[FAULT_STATUS] = "Error statuses (-flat: the flat shape; 429-N and 503-N: Retry-After: N)",
		[FAULT_WIRE] = "On the wire",
		[FAULT_BODY] = "In the body of a 200",
		[FAULT_TEXT] = "In the reply's text"
	};
	int			group;
	int			index;

	for (group = FAULT_STATUS; group <= FAULT_TEXT; group++)
	{
		fprintf(to, "\n%s:\n", titles[group]);
		for (index = 0; name_of((FaultGroup) group, index); index++)
			fprintf(to, "  %-18s %s\n", name_of((FaultGroup) group, index)->name,
					name_of((FaultGroup) group, index)->about);
	}
}

/* The next part of a list separated by commas, white space or newlines; NULL: none. */
static const char *
next_part(const char *text, size_t *size)
{
	text += strspn(text, ", \t\r\n");
	*size = strcspn(text, ", \t\r\n");
	return *size > 0 ? text : NULL;
}

/* NAME=P or NAME=1/N. */
static bool
parse_share(const char *part, size_t size, struct FaultShare *share)
{
	const char *equal = memchr(part, '=', size);
	char	   *end;

	memset(share, 0, sizeof(*share));
	if (equal == NULL)
	{
		share->probability = 1;
		return fault_parse(part, size, &share->fault);
	}
	if (!fault_parse(part, (size_t) (equal - part), &share->fault))
		return false;
	share->probability = strtod(equal + 1, &end);
	if (end == equal + 1)
		return false;
	if (*end == '/')
	{
		share->every = strtoll(end + 1, &end, 10);
		if (share->probability != 1 || share->every < 1)
			return false;
	}
	return end == part + size && share->probability >= 0 && share->probability <= 1;
}

bool
fault_mix_parse(const char *text, FaultMix *mix, Buffer *message)
{
	FaultMix	parsed = {0};
	size_t		size;

	for (text = next_part(text, &size); text; text = next_part(text + size, &size))
	{
		if (parsed.size == COUNT(parsed.share) || !parse_share(text, size, &parsed.share[parsed.size]))
		{
			buffer_printf(message, "no such fault: \"%.*s\" (FAULT, FAULT=PROBABILITY or FAULT=1/N is wanted)",
						  (int) size, text);
			return false;
		}
		parsed.size++;
	}
	*mix = parsed;
	return true;
}

/* N:FAULT, N-M:FAULT or N+:FAULT. */
static bool
parse_step(const char *part, size_t size, struct FaultStep *step)
{
	const char *colon = memchr(part, ':', size);
	char	   *end;

	memset(step, 0, sizeof(*step));
	if (colon == NULL || !isdigit((unsigned char) *part))
		return false;
	step->first = step->last = strtoll(part, &end, 10);
	if (*end == '+')
	{
		step->last = INT64_MAX;
		end++;
	}
	else if (*end == '-')
		step->last = strtoll(end + 1, &end, 10);
	return end == colon && fault_parse(colon + 1, (size_t) (part + size - colon - 1), &step->fault);
}

bool
fault_plan_parse(const char *text, FaultPlan *plan, Buffer *message)
{
	FaultPlan	parsed = {0};
	size_t		size;

	for (text = next_part(text, &size); text; text = next_part(text + size, &size))
	{
		parsed.step = must_resize(parsed.step, (size_t) (parsed.size + 1) * sizeof(*parsed.step));
		if (!parse_step(text, size, &parsed.step[parsed.size]))
		{
			buffer_printf(message, "no such step: \"%.*s\" (N:FAULT, N-M:FAULT or N+:FAULT is wanted)",
						  (int) size, text);
			free(parsed.step);
			return false;
		}
		parsed.size++;
	}
	free(plan->step);
	*plan = parsed;
	return true;
}

bool
fault_plan_find(const FaultPlan *plan, int64_t ordinal, Fault *fault)
{
	int			i;

	for (i = 0; i < plan->size; i++)
		if (ordinal >= plan->step[i].first && ordinal <= plan->step[i].last)
		{
			*fault = plan->step[i].fault;
			return true;
		}
	return false;
}

bool
fault_mix_draw(const FaultMix *mix, uint64_t seed, int64_t ordinal, Fault *fault)
{
	double		drawn = mix_fraction(mix64(seed) ^ (uint64_t) ordinal);
	int			i;

	for (i = 0; i < mix->size; i++)
	{
		const struct FaultShare *share = &mix->share[i];
		bool		hit = share->every > 0 ? ordinal % share->every == 0 : drawn < share->probability;

		if (hit)
		{
			*fault = share->fault;
			return true;
		}
		if (share->every == 0)
			drawn -= share->probability;
	}
	return false;
}
