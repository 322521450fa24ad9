/*
 * object.h
 *	  What the files share that take one JSON object out of a reply.
 */
#ifndef LLAVA_REPLY_OBJECT_H
#define LLAVA_REPLY_OBJECT_H

#include "parts.h"

/* Levels of nesting, the object itself being the first; one more may be a wrapping. */
#define OBJECT_DEPTH 64
#define OBJECT_BYTES (256u << 10)	/* a longer object is refused */

typedef enum ValueKind
{
	VALUE_OBJECT, VALUE_LIST, VALUE_TEXT, VALUE_NUMBER, VALUE_BOOLEAN, VALUE_NULL
} ValueKind;

/* Strict JSON as it is being written; places in it are offsets, since it moves. */
typedef struct ObjectText
{
	char	   *p;
	size_t		n;
	size_t		room;
	bool		no_memory;
	bool		mute;			/* over the limits: nothing more is written */
} ObjectText;

typedef struct Piece
{
	size_t		at;
	size_t		n;
} Piece;

/* One value of the outermost object or list. */
typedef struct ObjectEntry
{
	Piece		key;			/* without quotes; empty in a list */
	Piece		value;			/* of the text written */
	ValueKind	kind;
	const char *from;			/* where the value stands in the reply */
	bool		replaced;		/* the same key comes again */
} ObjectEntry;

/* A document that was read; from and end are its place in the reply. */
typedef struct ObjectRead
{
	ObjectText	text;
	ObjectEntry *entries;
	int			n;
	int			room;
	const char *from;
	const char *end;
	bool		list;
	int			deepest;
	bool		duplicate;
	const char *bad_utf8;		/* the first such place; NULL: none */
	const char *bad_value;
} ObjectRead;

typedef enum ReadEnd
{
	READ_CLOSED,
	READ_OPEN,					/* the text ends first */
	READ_MALFORMED
} ReadEnd;

/* ---- object_text.c ---- */

extern void object_text_append(ObjectText *text, const char *p, size_t n);

/* The sign of JSON at p, '{' for a full-width one too; 0: none.  *length: its bytes. */
extern char object_sign(const char *p, const char *end, int *length);

/*
 * Behind white space and comments.  NULL: more than most bytes of comments follow;
 * SIZE_MAX: as many as there are.
 */
extern const char *object_skip(const char *p, const char *end, size_t most);

/* Behind white space alone. */
extern const char *object_skip_white(const char *p, const char *end);

/* The bytes of the quotation mark at p that may open a string; 0: none stands there. */
extern int	object_quote(const char *p, const char *end);

/*
 * Behind the name that needs no quotes, letters and digits of ASCII, or p itself.
 */
extern const char *object_skip_name(const char *p, const char *end);

typedef enum StringPlace
{
	PLACE_KEY, PLACE_IN_OBJECT, PLACE_IN_LIST
} StringPlace;

/*
 * Reads the string whose opening mark is at *p and writes it, quotes included; *p is then
 * behind it.  Marks inside it that should have been escaped are read only where nothing
 * else can be meant, else READ_MALFORMED.
 */
extern ReadEnd object_string(const char **p, const char *end, StringPlace place, ObjectRead *read);

/* ---- object_escapes.c ---- */

/* The character of so many hexadecimal digits at *p; false: there are fewer. */
extern bool object_take_hex(const char **p, const char *stop, int digits, uint32_t *c);

/* Writes what a string says; false: it has an escape that nobody knows. */
extern bool object_write_text(const char *p, const char *stop, ObjectRead *read);

/* ---- object_bare.c ---- */

/*
 * Reads the value without quotes at *p; what is neither a number nor a word makes the object
 * one with a bad value.  False: there is nothing.
 */
extern bool object_bare(const char **p, const char *end, ObjectRead *read, ValueKind *kind);

/* ---- object_read.c ---- */

/* Reads the document at p, '{' or '['. */
extern ReadEnd object_read(const char *p, const char *end, ObjectRead *read);
extern void object_read_free(ObjectRead *read);

/* Over the depth or the size that is stored. */
extern bool object_is_too_large(const ObjectRead *read);

/* ---- required.c ---- */

/* The entry that counts of this key; NULL: there is none. */
extern ObjectEntry *object_entry(const ObjectRead *read, const ReplyKey *key);

/*
 * Gives the entries the types that are asked for; flags gains REPLY_CLIPPED.  The entry that
 * has no such value, or NULL.
 */
extern const ObjectEntry *object_convert(ObjectRead *read, const ReplyKey *keys, int n_keys,
										 uint32_t *flags);

/* ---- object.c ---- */

/* The reply's object into work->result; REPLY_ACCEPTED or why not. */
extern ReplyReason object_judge(Work *work, const char *reply, size_t size);

#endif							/* LLAVA_REPLY_OBJECT_H */
