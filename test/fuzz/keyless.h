/*
 * keyless.h
 *	  What was masked is without the key: as it stands, and as it reads as JSON, and as
 *	  JSON in a string of that.  Included by a fuzz target; everything is static.
 */
#ifndef FUZZ_KEYLESS_H
#define FUZZ_KEYLESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void keyless_json(const json_t *json, const char *key, int depth);

static void
keyless_text(const char *text, size_t size, const char *key, int depth)
{
	json_t	   *json;

	if (text == NULL)
		return;
	if (memmem(text, size, key, strlen(key)) != NULL)
		abort();
	json = depth > 0 ? json_loadb(text, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL) : NULL;
	keyless_json(json, key, depth - 1);
	json_decref(json);
}

static void
keyless_json(const json_t *json, const char *key, int depth)
{
	const char *name;
	json_t	   *value;
	size_t		i;

	if (json_is_string(json))
		keyless_text(json_string_value(json), json_string_length(json), key, depth);
	json_object_foreach((json_t *) (uintptr_t) json, name, value)
	{
		keyless_text(name, strlen(name), key, depth);
		keyless_json(value, key, depth);
	}
	json_array_foreach(json, i, value)
		keyless_json(value, key, depth);
}

#endif							/* FUZZ_KEYLESS_H */
