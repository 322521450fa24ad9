/*
 * reply_words.c
 *	  llava_reply_words: what a stored body says, and where its reason was found.
 *
 * Nothing of it is stored: llava_reply.body is all that there is, and a takedown erases it.
 */
#include "postgres.h"

#include "db/db.h"
#include "ledger.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(llava_reply_words);

/* How much of a text a detail shows, in characters. */
#define DETAIL_CHARS 80

enum
{
	WORDS_TEXT,
	WORDS_DETAIL,
	WORDS_COLUMNS
};

typedef struct ReplyWords
{
	char	   *text;			/* palloc'd; NULL: the body is no completion */
	char	   *detail;			/* palloc'd, or NULL */
} ReplyWords;

/* The content from there on, as the database takes text; a NUL is '?', as what is no UTF-8. */
static char *
words_from(const VlmEnvelope *envelope, int64 offset)
{
	size_t		size = envelope->content_size - offset;
	char	   *words = palloc(size + 1);

	for (size_t i = 0; i < size; i++)
		words[i] = envelope->content[offset + i] == '\0' ? '?' : envelope->content[offset + i];
	words[size] = '\0';
	return rows_clean_text(words);
}

/* The first words from there on; NULL where the text ends before. */
static char *
words_at(const VlmEnvelope *envelope, int64 offset)
{
	char	   *words;

	if (offset < 0 || (uint64) offset >= envelope->content_size)
		return NULL;
	words = words_from(envelope, offset);
	words[pg_mbcharcliplen(words, strlen(words), DETAIL_CHARS)] = '\0';
	return words;
}

/* The words of a completion; offset -1: no detail. */
static void
words_read(const VlmEnvelope *envelope, int64 offset, ReplyWords *words)
{
	words->text = words_from(envelope, 0);
	words->detail = words_at(envelope, offset);
}

/* Frees the envelope also at an ERROR. */
static void
words_take(VlmEnvelope *envelope, int64 offset, ReplyWords *words)
{
	PG_TRY();
	{
		words_read(envelope, offset, words);
	}
	PG_CATCH();
	{
		vlm_envelope_free(envelope);
		PG_RE_THROW();
	}
	PG_END_TRY();
	vlm_envelope_free(envelope);
}

static void
set_words(Datum *values, bool *nulls, int column, const char *words)
{
	nulls[column] = words == NULL;
	if (words != NULL)
		values[column] = CStringGetTextDatum(words);
}

/*
 * llava_reply_words(body bytea, reason_offset bigint): the text of a completion, NULL where
 * it is none or was erased; and the words at the offset, or what a body that is no
 * completion lacks.
 */
Datum
llava_reply_words(PG_FUNCTION_ARGS)
{
	Datum		values[WORDS_COLUMNS] = {0};
	bool		nulls[WORDS_COLUMNS];
	bytea	   *body = PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0);
	int64		offset = PG_ARGISNULL(1) ? -1 : PG_GETARG_INT64(1);
	ReplyWords	words = {NULL, NULL};
	const char *message = NULL;
	VlmEnvelope envelope;

	if (body != NULL && VARSIZE_ANY_EXHDR(body) > 0)
	{
		if (vlm_envelope_parse(VARDATA_ANY(body), VARSIZE_ANY_EXHDR(body), &envelope, &message))
			words_take(&envelope, offset, &words);
		else if (message != NULL)
			words.detail = pstrdup(message);
	}
	set_words(values, nulls, WORDS_TEXT, words.text);
	set_words(values, nulls, WORDS_DETAIL, words.detail);
	return rows_result(fcinfo, values, nulls);
}
