/*
 * object.c
 *	  The one JSON object of a reply: which of the objects in it counts, and whether it has
 *	  what the task asks for.
 *
 * The last closed object that has all keys counts.  What comes behind it may take it back:
 * an object left open (the model was not done), or one that cannot be read (it may have
 * been the answer).  The reply is read as it came, byte for byte: what stands in a string
 * is the model's.
 */
#include "object.h"

#include <stdlib.h>

/* White space of this many bytes is more than an indentation: the model got stuck in it. */
#define WHITE_LOOP 64

typedef struct Search
{
	const ReplyRules *rules;
	ReplyFinish finish;
	const char *start;
	const char *end;
	const char *p;
	ObjectRead	chosen;
	ObjectRead	current;
	bool		found;			/* chosen is the object that counts so far */
	const char *found_end;		/* of it or of what it is wrapped in */
	const char *lacking;		/* the last closed object without all keys */
	const char *unread;			/* what cannot be read and may be the answer */
	bool		was_unread;		/* anything could not be read */
	const char *open;			/* left open at the end */
	const char *thought;		/* never ends */
	int			braces;			/* open ones of prose */
	bool		triangles;
	uint32_t	flags;
	bool		no_memory;
} Search;

/*
 * The first byte that is no UTF-8, or the mark of one; NULL: there is none.  *triangles: the
 * text may have Kimi's tokens.
 */
static const char *
bad_utf8(const char *p, const char *end, bool *triangles)
{
	uint32_t	c;

	int			length;

	*triangles = false;
	for (; p < end; p += length)
	{
		while (p < end && (unsigned char) *p < 0x80)
			p++;
		if (p == end)
			return NULL;
		c = text_decode(p, end, &length);
		if (c == 0xFFFD)
			return p;
		*triangles |= c == 0x25C1;
	}
	return NULL;
}

/* ---- documents ---- */

static bool
has_keys(const Search *s, const ObjectRead *read)
{
	/* what is too large was not read to its end */
	if (read->text.mute)
		return true;
	for (int i = 0; i < s->rules->n_required; i++)
		if (object_entry(read, &s->rules->required[i]) == NULL)
			return false;
	return true;
}

static void
choose(Search *s, const char *end)
{
	ObjectRead	other = s->chosen;

	s->chosen = s->current;
	s->current = other;
	s->found = true;
	s->found_end = end;
	s->unread = NULL;
}

/* Whether s->current wraps one object and nothing else; if so it is read in its place. */
static bool
unwrap(Search *s)
{
	const ObjectRead *read = &s->current;

	return read->n == 1 && read->entries[0].kind == VALUE_OBJECT && !read->text.mute &&
		object_read(read->entries[0].from, s->end, &s->current) == READ_CLOSED;
}

static void
take_closed(Search *s)
{
	const char *from = s->current.from;
	const char *end = s->current.end;
	bool		list = s->current.list;

	if ((!list && has_keys(s, &s->current)) || (unwrap(s) && has_keys(s, &s->current)))
		choose(s, end);
	else if (list && s->current.list)
	{
		/* several of them: which is the answer is not said */
		s->unread = from;
		s->was_unread = true;
	}
	else
		s->lacking = from;
}

/* Behind the last brace that belongs to what opens at p, whatever strings hold; end: it stays open. */
static const char *
behind_braces(const char *p, const char *end)
{
	int			depth = 0;
	int			length;

	for (; p < end; p += length)
	{
		char		sign = object_sign(p, end, &length);

		depth += sign == '{' || sign == '[';
		depth -= sign == '}' || sign == ']';
		if (sign == 0)
			length = 1;
		else if (depth <= 0 && (sign == '}' || sign == ']'))
			return p + length;
	}
	return end;
}

/* One brace too many is a habit; where a text's end was unsure it may be the true one. */
static const char *
skip_closing(const Search *s, const char *p)
{
	int			length;

	if (s->was_unread)
		return p;
	for (;;)
	{
		const char *next = object_skip_white(p, s->end);

		if (next == s->end || object_sign(next, s->end, &length) != '}')
			return p;
		p = next + length;
	}
}

static void
take_document(Search *s)
{
	const char *from = s->p;

	switch (object_read(from, s->end, &s->current))
	{
		case READ_CLOSED:
			s->p = s->current.end;
			take_closed(s);
			s->p = skip_closing(s, s->p);
			break;
		case READ_OPEN:
			s->open = from;
			s->p = s->end;
			break;
		case READ_MALFORMED:
			s->no_memory |= s->current.text.no_memory;
			s->unread = from;
			s->was_unread = true;
			s->p = behind_braces(from, s->end);
			break;
	}
	s->no_memory |= s->current.text.no_memory || s->chosen.text.no_memory;
}

/* Whether the brace at p begins an object, rather than prose. */
static bool
begins_object(const char *p, const char *end)
{
	int			length;
	const char *name;
	const char *next;

	(void) object_sign(p, end, &length);
	p = object_skip(p + length, end, SIZE_MAX);
	if (p == end || object_sign(p, end, &length) == '}' || object_quote(p, end) > 0)
		return true;
	name = object_skip_name(p, end);
	if (name == p)
		return false;
	next = object_skip(name, end, SIZE_MAX);
	return next == end || object_sign(next, end, &length) == ':' || object_quote(name, end) > 0;
}

static bool
begins_list(const char *p, const char *end)
{
	int			length;

	(void) object_sign(p, end, &length);
	p = object_skip_white(p + length, end);
	return p == end || (object_sign(p, end, &length) == '{' && begins_object(p, end));
}

/* The sign at s->p. */
static void
take_sign(Search *s)
{
	int			length;
	char		sign = object_sign(s->p, s->end, &length);

	if ((sign == '{' && begins_object(s->p, s->end)) || (sign == '[' && begins_list(s->p, s->end)))
	{
		take_document(s);
		return;
	}
	if (sign == '{')
		s->braces++;
	else if (sign == '}' && s->braces > 0)
		s->braces--;
	else if (sign == '}' && s->found && s->unread == NULL)

		/*
		 * the object that counts ended too early: at a mark inside a text,
		 * most likely
		 */
		s->unread = s->p;
	s->p += sign == 0 ? 1 : length;
}

/* ---- thoughts and ends ---- */

/* What was found belongs to a thought. */
static void
forget(Search *s)
{
	s->found = false;
	s->lacking = s->unread = s->thought = NULL;
	s->was_unread = false;
	s->braces = 0;
	s->flags |= REPLY_THINK_REMOVED;
}

/* Behind the thought that opens here; NULL: it never ends. */
static const char *
behind_thought(TokenScan scan, const ReplyToken *opening)
{
	ReplyToken	close;

	scan.p = opening->end;
	while (tokens_next(&scan, &close))
		if (close.kind == TOKEN_THINK && token_pairs(opening, &close))
			return close.end;
	return NULL;
}

static void
take_think(Search *s, const TokenScan *scan, const ReplyToken *token)
{
	const char *behind;

	if (token->closing)
	{
		if (token_ends(scan->text, token))
			forget(s);
		return;
	}
	/* inside a line it is only spoken of */
	if (token->word && token->at > s->start && token->at[-1] != '\n' && !token_ends(scan->text, token))
		return;
	behind = behind_thought(*scan, token);
	s->flags |= REPLY_THINK_REMOVED;
	if (behind == NULL)
		s->thought = token->at;
	s->p = behind == NULL ? s->end : behind;
}

/* Harmony: only the final channel is the answer. */
static void
take_channel(Search *s, const ReplyToken *token)
{
	if (text_starts(text_span(token->end, s->end), "final"))
		forget(s);
	else
		s->thought = token->at;
}

static void
take_end(Search *s, const TokenScan *scan, const ReplyToken *token)
{
	if (s->thought != NULL || !token_ends(scan->text, token))
		return;
	if (token->at[1] != '|')
		s->flags |= REPLY_TOKENS_REMOVED;
	s->end = token->at;
	s->p = s->end;
}

static void
take_token(Search *s, const TokenScan *scan, const ReplyToken *token)
{
	s->p = token->end;
	switch (token->kind)
	{
		case TOKEN_THINK:
			take_think(s, scan, token);
			break;
		case TOKEN_CHANNEL:
			take_channel(s, token);
			break;
		case TOKEN_END:
			take_end(s, scan, token);
			break;
		default:
			break;
	}
}

/* The next byte with which a document, its end, or a full-width sign may begin. */
static const char *
next_sign(const char *p, const char *end)
{
	while (p < end && *p != '{' && *p != '[' && *p != '}' && (unsigned char) *p != 0xEF)
		p++;
	return p;
}

static void
search(Search *s)
{
	Span		text = text_span(s->start, s->end);
	TokenScan	scan;
	ReplyToken	token;
	bool		more;
	const char *next;
	const char *final = text_starts(text, "analysis") ? text_find(text, "assistantfinal") : NULL;

	s->p = final == NULL ? s->start : final + strlen("assistantfinal");
	next = next_sign(s->p, s->end);
	tokens_begin(&scan, text, false, s->triangles);
	scan.p = s->p;
	more = tokens_next(&scan, &token);
	while (s->p < s->end && !s->no_memory)
	{
		if (next < s->p)
			next = next_sign(s->p, s->end);
		/* tokens inside documents are theirs */
		while (more && token.at < s->p)
		{
			scan.p = scan.p > s->p ? scan.p : s->p;
			more = tokens_next(&scan, &token);
		}
		if (more && token.at <= next)
			take_token(s, &scan, &token);
		else
		{
			s->p = next;
			if (next < s->end)
				take_sign(s);
		}
	}
}

/* ---- the verdict ---- */

/* Bytes of white space before end. */
static size_t
white_before(const char *start, const char *end)
{
	const char *p = end;

	while (p > start && (p[-1] == ' ' || p[-1] == '\n' || p[-1] == '\t' || p[-1] == '\r'))
		p--;
	return (size_t) (end - p);
}

/* The object without the values that others replaced; malloc'd, terminated. */
static char *
copy_object(ObjectRead *read, size_t *length)
{
	ObjectText	out = {0};

	object_text_append(&out, "{", 1);
	for (int i = 0; i < read->n; i++)
	{
		const ObjectEntry *entry = &read->entries[i];

		if (entry->replaced)
			continue;
		if (out.n > 1)
			object_text_append(&out, ",", 1);
		object_text_append(&out, read->text.p + entry->key.at - 1, entry->key.n + 2);
		object_text_append(&out, ":", 1);
		object_text_append(&out, read->text.p + entry->value.at, entry->value.n);
	}
	object_text_append(&out, "}", 2);
	if (out.no_memory)
	{
		free(out.p);
		return NULL;
	}
	*length = out.n - 1;
	return out.p;
}

static ReplyReason
judge_chosen(Search *s, ReplyResult *result, const char **where)
{
	ObjectRead *read = &s->chosen;
	const ObjectEntry *wrong;

	*where = read->from;
	if (object_is_too_large(read))
		return REPLY_TOO_LARGE;
	*where = read->bad_utf8;
	if (read->bad_utf8 != NULL)
		return REPLY_BAD_UTF8;
	*where = read->bad_value;
	if (read->bad_value != NULL)
		return REPLY_BAD_VALUE;
	wrong = object_convert(read, s->rules->required, s->rules->n_required, &s->flags);
	if (wrong != NULL)
	{
		*where = wrong->from;
		return REPLY_BAD_VALUE;
	}
	if (read->text.no_memory)
		return REPLY_NO_MEMORY;
	if (read->duplicate)
		s->flags |= REPLY_DUPLICATE_KEY;
	result->object = copy_object(read, &result->object_length);
	return result->object == NULL ? REPLY_NO_MEMORY : REPLY_ACCEPTED;
}

static ReplyReason
judge_search(Search *s, ReplyResult *result, const char **where)
{
	size_t		loop = white_before(s->found ? s->found_end : s->start, s->end);

	if (loop >= WHITE_LOOP || (loop > 0 && s->found && s->finish == REPLY_FINISH_LENGTH &&
							   loop == (size_t) (s->end - s->found_end)))
		s->flags |= REPLY_WHITE_SPACE;
	*where = s->thought;
	if (s->no_memory)
		return REPLY_NO_MEMORY;
	if (s->thought != NULL)
		return REPLY_UNCLOSED_THINK;
	*where = s->open;
	if (s->open != NULL)
		return REPLY_TRUNCATED;
	*where = s->unread;
	if (s->unread != NULL)
		return REPLY_NO_OBJECT;
	if (s->found)
		return judge_chosen(s, result, where);
	*where = s->lacking;
	if (s->lacking != NULL)
		return REPLY_MISSING_KEY;
	return s->finish == REPLY_FINISH_LENGTH ? REPLY_TRUNCATED : REPLY_NO_OBJECT;
}

ReplyReason
object_judge(Work *work, const char *reply, size_t size)
{
	ReplyResult *result = work->result;
	Search		s = {.rules = work->rules,.finish = work->finish,.start = reply,.end = reply + size};
	const char *where = bad_utf8(reply, reply + size, &s.triangles);
	ReplyReason reason = REPLY_BAD_UTF8;

	if (where == NULL)
	{
		result->measures.chars = (int) text_chars(text_trim(text_span(reply, reply + size)));
		search(&s);
		reason = judge_search(&s, result, &where);
	}
	result->offset = where == NULL || reason == REPLY_ACCEPTED ? 0 : (size_t) (where - reply);
	/* a rejected one says only whether white space was its end */
	result->flags = reason == REPLY_ACCEPTED ? s.flags : s.flags & REPLY_WHITE_SPACE;
	object_read_free(&s.chosen);
	object_read_free(&s.current);
	return reason;
}
