/*
 * object_read.c
 *	  Reads one JSON document as models write it, and writes it as strict JSON that jsonb
 *	  takes: Python's quotes and words, full-width signs, comments, trailing commas.
 *
 * Nothing is salvaged: a document that is left open, or that can be read in two ways, is
 * no document.  (json.c, which takes the turns of a conversation, does salvage.)  No
 * recursion: a byte a level, so depth costs nothing.
 */
#include "object.h"

#include <limits.h>
#include <stdlib.h>

/* Fewer keys are compared with each other, more are sorted. */
#define FEW_KEYS 8

/* A key of an object that is still open. */
typedef struct OpenKey
{
	uint32_t	hash;
	Piece		key;
	const char *p;				/* set to compare: key's place just now */
	int			entry;			/* of the outermost object, else -1 */
} OpenKey;

typedef enum State
{
	STATE_KEY,					/* or the object's end */
	STATE_VALUE,
	STATE_ELEMENT,				/* or the list's end */
	STATE_NEXT					/* a comma, or the end */
} State;

typedef struct Reader
{
	const char *p;
	const char *end;
	ObjectRead *read;
	State		state;
	char	   *open;			/* of each level '{' or '[' */
	size_t		depth;
	size_t		room;
	int			keys_of[OBJECT_DEPTH + 2];	/* first of each level */
	OpenKey    *keys;
	int			n_keys;
	int			keys_room;
} Reader;

bool
object_is_too_large(const ObjectRead *read)
{
	return read->deepest > OBJECT_DEPTH || (size_t) (read->end - read->from) > OBJECT_BYTES;
}

void
object_read_free(ObjectRead *read)
{
	free(read->text.p);
	free(read->entries);
	memset(read, 0, sizeof(*read));
}

/* Grows an array to hold one more; false without memory. */
static bool
grow(ObjectRead *read, void **items, int n, int *room, size_t size)
{
	void	   *grown;

	if (n < *room)
		return true;
	grown = realloc(*items, (size_t) (*room + 8) * 2 * size);
	if (grown == NULL)
	{
		read->text.no_memory = true;
		return false;
	}
	*items = grown;
	*room = (*room + 8) * 2;
	return true;
}

static void
put(Reader *r, char c)
{
	object_text_append(&r->read->text, &c, 1);
}

/* A comma, but for the first of its level. */
static void
put_comma(Reader *r)
{
	ObjectText *text = &r->read->text;

	/* no value ends in an opening bracket: strings end in a quotation mark */
	if (text->n > 0 && text->p[text->n - 1] != '{' && text->p[text->n - 1] != '[')
		put(r, ',');
}

/* ---- values ---- */

/* The outermost object's or list's value begins. */
static void
begin_value(Reader *r)
{
	ObjectRead *read = r->read;

	if (r->open[r->depth - 1] == '[')
	{
		put_comma(r);
		if (r->depth == 1 && !read->text.mute &&
			grow(read, (void **) &read->entries, read->n, &read->room, sizeof(ObjectEntry)))
			memset(&read->entries[read->n++], 0, sizeof(ObjectEntry));
	}
	if (r->depth != 1 || read->n == 0)
		return;
	read->entries[read->n - 1].value.at = read->text.n;
	read->entries[read->n - 1].from = r->p;
}

static void
end_value(Reader *r, ValueKind kind)
{
	ObjectRead *read = r->read;

	r->state = STATE_NEXT;
	if (r->depth != 1 || read->n == 0 || read->text.mute)
		return;
	read->entries[read->n - 1].value.n = read->text.n - read->entries[read->n - 1].value.at;
	read->entries[read->n - 1].kind = kind;
}

/* ---- keys ---- */

static uint32_t
hash_of(const char *p, size_t n)
{
	uint32_t	hash = 2166136261u;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char) p[i]) * 16777619u;
	return hash;
}

static int
compare_text(const OpenKey *a, const OpenKey *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->key.n != b->key.n)
		return a->key.n < b->key.n ? -1 : 1;
	return memcmp(a->p, b->p, a->key.n);
}

/* Equal ones in the order they came in. */
static int
compare_keys(const void *one, const void *other)
{
	const OpenKey *a = one;
	const OpenKey *b = other;
	int			order = compare_text(a, b);

	return order != 0 ? order : a->key.at < b->key.at ? -1 : 1;
}

static void
note_duplicate(Reader *r, const OpenKey *earlier)
{
	r->read->duplicate = true;
	if (earlier->entry >= 0)
		r->read->entries[earlier->entry].replaced = true;
}

/* The object ends: which of its keys came twice. */
static void
look_for_duplicates(Reader *r)
{
	OpenKey    *keys = r->keys + r->keys_of[r->depth];
	int			n = r->n_keys - r->keys_of[r->depth];

	for (int i = 0; i < n; i++)
		keys[i].p = r->read->text.p + keys[i].key.at;
	if (n > FEW_KEYS)
	{
		qsort(keys, (size_t) n, sizeof(OpenKey), compare_keys);
		for (int i = 1; i < n; i++)
			if (compare_text(&keys[i - 1], &keys[i]) == 0)
				note_duplicate(r, &keys[i - 1]);
	}
	else
		for (int i = 0; i < n; i++)
			for (int j = i + 1; j < n; j++)
				if (compare_text(&keys[i], &keys[j]) == 0)
					note_duplicate(r, &keys[i]);
	r->n_keys = r->keys_of[r->depth];
}

/* The key that was written last, in its quotes. */
static void
add_key(Reader *r, size_t at)
{
	ObjectRead *read = r->read;
	OpenKey    *key;

	if (read->text.mute || read->text.no_memory ||
		!grow(read, (void **) &r->keys, r->n_keys, &r->keys_room, sizeof(OpenKey)))
		return;
	key = &r->keys[r->n_keys++];
	key->key.at = at + 1;
	key->key.n = read->text.n - at - 2;
	key->hash = hash_of(read->text.p + at + 1, key->key.n);
	key->entry = -1;
	if (r->depth > 1 || !grow(read, (void **) &read->entries, read->n, &read->room, sizeof(ObjectEntry)))
		return;
	key->entry = read->n;
	memset(&read->entries[read->n], 0, sizeof(ObjectEntry));
	read->entries[read->n++].key = key->key;
}

static ReadEnd
read_key(Reader *r)
{
	ObjectText *text = &r->read->text;
	size_t		at;
	ReadEnd		found = READ_CLOSED;
	const char *name;
	int			length;

	put_comma(r);
	at = text->n;
	if (object_quote(r->p, r->end) > 0)
		found = object_string(&r->p, r->end, PLACE_KEY, r->read);
	else
	{
		name = r->p;
		r->p = object_skip_name(r->p, r->end);
		if (r->p == name)
			return READ_MALFORMED;
		put(r, '"');
		object_text_append(text, name, (size_t) (r->p - name));
		put(r, '"');
	}
	if (found != READ_CLOSED)
		return found;
	add_key(r, at);
	r->p = object_skip(r->p, r->end, SIZE_MAX);
	if (r->p == r->end)
		return READ_OPEN;
	if (object_sign(r->p, r->end, &length) != ':')
		return READ_MALFORMED;
	r->p += length;
	put(r, ':');
	r->state = STATE_VALUE;
	return READ_CLOSED;
}

/* ---- levels ---- */

static bool
push(Reader *r, char sign)
{
	if (r->depth == r->room)
	{
		char	   *grown = realloc(r->open, (r->room + 32) * 2);

		if (grown == NULL)
		{
			r->read->text.no_memory = true;
			return false;
		}
		r->open = grown;
		r->room = (r->room + 32) * 2;
	}
	put(r, sign);
	r->open[r->depth++] = sign;
	/* a wrapping is one level more */
	if (r->depth > OBJECT_DEPTH + 1)
		r->read->text.mute = true;
	else
		r->keys_of[r->depth] = r->n_keys;
	if (r->depth <= INT_MAX && (int) r->depth > r->read->deepest)
		r->read->deepest = (int) r->depth;
	r->state = sign == '{' ? STATE_KEY : STATE_ELEMENT;
	return true;
}

/* Closes the innermost level; false: the sign closes another kind. */
static bool
pop(Reader *r, char sign)
{
	char		open = r->open[r->depth - 1];

	if (sign != (open == '{' ? '}' : ']'))
		return false;
	if (open == '{' && !r->read->text.mute && !r->read->text.no_memory)
		look_for_duplicates(r);
	put(r, sign);
	r->depth--;
	if (r->depth > 0)
		end_value(r, open == '{' ? VALUE_OBJECT : VALUE_LIST);
	return true;
}

static ReadEnd
read_value(Reader *r, char sign)
{
	ReadEnd		found;

	begin_value(r);
	if (sign == '{' || sign == '[')
	{
		int			length;

		(void) object_sign(r->p, r->end, &length);
		r->p += length;
		return push(r, sign) ? READ_CLOSED : READ_MALFORMED;
	}
	if (object_quote(r->p, r->end) == 0)
	{
		ValueKind	kind;

		if (!object_bare(&r->p, r->end, r->read, &kind))
			return READ_MALFORMED;
		end_value(r, kind);
		return READ_CLOSED;
	}
	found = object_string(&r->p, r->end, r->open[r->depth - 1] == '{' ? PLACE_IN_OBJECT : PLACE_IN_LIST, r->read);
	if (found == READ_CLOSED)
		end_value(r, VALUE_TEXT);
	return found;
}

/* What stands at r->p. */
static ReadEnd
read_step(Reader *r)
{
	int			length;
	char		sign = object_sign(r->p, r->end, &length);

	if ((sign == '}' || sign == ']') && r->state != STATE_VALUE)
	{
		r->p += length;
		return pop(r, sign) ? READ_CLOSED : READ_MALFORMED;
	}
	switch (r->state)
	{
		case STATE_KEY:
			return read_key(r);
		case STATE_VALUE:
		case STATE_ELEMENT:
			return read_value(r, sign);
		case STATE_NEXT:
			break;
	}
	if (sign != ',')
		return READ_MALFORMED;
	r->p += length;
	r->state = r->open[r->depth - 1] == '{' ? STATE_KEY : STATE_ELEMENT;
	return READ_CLOSED;
}

static ReadEnd
read_document(Reader *r)
{
	ReadEnd		found = READ_CLOSED;
	int			length;
	char		sign = object_sign(r->p, r->end, &length);

	r->p += length;
	if (!push(r, sign))
		return READ_MALFORMED;
	while (r->depth > 0 && found == READ_CLOSED && !r->read->text.no_memory)
	{
		if ((size_t) (r->p - r->read->from) > OBJECT_BYTES)
			r->read->text.mute = true;
		r->p = object_skip(r->p, r->end, SIZE_MAX);
		if (r->p == r->end)
			return READ_OPEN;
		found = read_step(r);
	}
	return found;
}

ReadEnd
object_read(const char *p, const char *end, ObjectRead *read)
{
	Reader		reader = {.p = p,.end = end,.read = read};
	ObjectText	text = read->text;
	ObjectEntry *entries = read->entries;
	int			room = read->room;
	int			length;
	ReadEnd		found;

	/* the memory of the document before is used again */
	memset(read, 0, sizeof(*read));
	read->text.p = text.p;
	read->text.room = text.room;
	read->entries = entries;
	read->room = room;
	read->from = p;
	read->list = object_sign(p, end, &length) == '[';
	found = read_document(&reader);
	read->end = reader.p;
	free(reader.open);
	free(reader.keys);
	return read->text.no_memory ? READ_MALFORMED : found;
}
