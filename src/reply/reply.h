/*
 * reply.h
 *	  A model's reply text to the turns of a conversation, or to the reason why not.
 *
 * Pure C: malloc, no PostgreSQL, no global state.  Text is UTF-8; what comes in
 * may be any bytes.  Lengths called "chars" are Unicode code points.
 */
#ifndef LLAVA_REPLY_H
#define LLAVA_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Goes up with every change that can change a verdict. */
#define REPLY_PARSER_VERSION 5

typedef enum ReplyKind
{
	REPLY_DIALOGUE,				/* several rounds, labelled turns */
	REPLY_QUESTION_ANSWER,		/* one question, one answer */
	REPLY_DESCRIPTION,			/* one answer, no label needed */
	REPLY_OBJECT				/* one JSON object */
} ReplyKind;

typedef enum ReplyFinish
{
	REPLY_FINISH_STOP,
	REPLY_FINISH_LENGTH,		/* the server cut it off */
	REPLY_FINISH_OTHER			/* a word that means nothing to us */
} ReplyFinish;

/* Why a reply is no sample; names by reply_reason_name. */
typedef enum ReplyReason
{
	REPLY_ACCEPTED,
	REPLY_EMPTY,
	REPLY_REFUSAL,
	REPLY_IMAGE_NOT_SEEN,
	REPLY_TEMPLATE_ECHO,
	REPLY_PROMPT_ECHO,
	REPLY_UNCLOSED_THINK,
	REPLY_TRUNCATED,
	REPLY_NO_USER_FIRST,
	REPLY_EMPTY_TURN,
	REPLY_ROLES_NOT_ALTERNATING,
	REPLY_AMBIGUOUS_ROLE,
	REPLY_NO_QUESTION,
	REPLY_NO_ANSWER,
	REPLY_NOT_COMPLEX,
	REPLY_TOO_SHORT,
	REPLY_TOO_LONG,				/* the reply is over REPLY_MAX_BYTES */
	REPLY_TOO_FEW_ROUNDS,		/* under the task's min_rounds */
	REPLY_DEGENERATE,
	REPLY_LANGUAGE,
	REPLY_SPECIAL_TOKEN,
	REPLY_IMAGE_TOKEN_LEAK,
	REPLY_TRANSPORT_ERROR,
	REPLY_BAD_UTF8,
	REPLY_UNPARSABLE,
	REPLY_NO_MEMORY,
	REPLY_MOJIBAKE,				/* read in another encoding than it was
								 * written */
	REPLY_TOKEN_DEBRIS,			/* pieces that a tokenizer did not put
								 * together */
	REPLY_NO_OBJECT,			/* none that is closed and can be read in one
								 * way */
	REPLY_MISSING_KEY,			/* of those that are required */
	REPLY_BAD_VALUE,			/* of another type than required, or none that
								 * jsonb takes */
	REPLY_TOO_LARGE,			/* the object has too many bytes or levels */
	REPLY_REASONS				/* how many there are */
} ReplyReason;

/* Bits of ReplyResult.flags; names by reply_flag_name(bit number). */
#define REPLY_THINK_REMOVED				(1u << 0)
#define REPLY_PREAMBLE_DROPPED			(1u << 1)
#define REPLY_CLOSING_TRIMMED			(1u << 2)
#define REPLY_SALVAGED					(1u << 3)
#define REPLY_MERGED_TURNS				(1u << 4)
#define REPLY_LEADING_TURN_DROPPED		(1u << 5)
#define REPLY_DANGLING_TURN_DROPPED		(1u << 6)
#define REPLY_TRIMMED_ROUNDS			(1u << 7)
#define REPLY_DUPLICATE_ROUND_DROPPED	(1u << 8)
#define REPLY_REFUSED_ROUND_DROPPED		(1u << 9)
#define REPLY_EXTRA_PAIRS				(1u << 10)
#define REPLY_SHORT_DIALOGUE			(1u << 11)
#define REPLY_ZH_HANT					(1u << 12)
#define REPLY_PII						(1u << 13)
#define REPLY_DANGLING_REFERENCE		(1u << 14)
#define REPLY_META_LEAK					(1u << 15)
#define REPLY_ODD_FINISH				(1u << 16)
#define REPLY_ANSWER_UNWRAPPED			(1u << 17)
#define REPLY_TOKENS_REMOVED			(1u << 18)
#define REPLY_STREAM_REMOVED			(1u << 19)
#define REPLY_MARKS_REMOVED				(1u << 20)
#define REPLY_ENTITIES_DECODED			(1u << 21)
#define REPLY_CLIPPED					(1u << 22)
#define REPLY_DUPLICATE_KEY				(1u << 23)
#define REPLY_WHITE_SPACE				(1u << 24)
#define REPLY_FLAGS						25

/* A longer reply is refused unread; far above any max_tokens. */
#define REPLY_MAX_BYTES (4u << 20)

typedef enum ReplyLanguage
{
	REPLY_LANGUAGE_ANY,			/* no language check; lengths count letters */
	REPLY_LANGUAGE_ZH,			/* share and lengths count Han */
	REPLY_LANGUAGE_EN			/* share and lengths count Latin letters */
} ReplyLanguage;

typedef enum ReplyType
{
	REPLY_ANY,
	REPLY_BOOLEAN,
	REPLY_LIST,
	REPLY_TEXT,
	REPLY_RANGE					/* whole numbers from low to high */
} ReplyType;

/* A key that an object must have; the name is somebody else's memory. */
typedef struct ReplyKey
{
	const char *name;
	size_t		length;
	ReplyType	type;
	int			low;
	int			high;
} ReplyKey;

/*
 * Reads 'worth 0..3', 'has_text boolean', 'lines list', 'why text', or only 'key'.  False:
 * it is none of these.
 */
extern bool reply_key_parse(const char *spec, size_t length, ReplyKey *key);

/*
 * One task's rules: data of its row, none of them built in.  A length of 0 means
 * no floor.  "letters" are Han characters where language is zh.
 */
typedef struct ReplyRules
{
	ReplyKind	kind;
	ReplyLanguage language;
	int			min_rounds;
	int			max_rounds;
	int			min_question_chars;
	int			max_question_chars;
	int			min_answer_chars;	/* each answer of a dialogue */
	int			min_letters;	/* all answers together */
	double		min_language_share; /* of all letters: 0.3 */
	double		max_loop_share; /* of the text in one repeated 10-gram: 0.2 */
	const char *const *prompts; /* NULL-ended: texts whose echo is no answer */
	const ReplyKey *required;	/* of an object */
	int			n_required;
} ReplyRules;

/* Fills *rules with replies.md's thresholds for a Chinese task of this kind. */
extern void reply_rules_default(ReplyRules *rules, ReplyKind kind);

typedef struct ReplyTurn
{
	bool		human;
	char	   *text;			/* malloc, terminated, never empty */
	size_t		length;			/* bytes */
} ReplyTurn;

/* What the checks measured, whatever the verdict. */
typedef struct ReplyMeasures
{
	int			chars;			/* of the normalised reply */
	int			letters;		/* in the answers: what min_letters counts */
	int			all_letters;	/* in the answers, of any script */
	int			han;			/* in the answers */
	double		language_share;
	double		loop_share;		/* of one repeated 10-gram, or 0.4 times that
								 * of all of them if this is more */
	int			tail_bigrams;	/* distinct ones in the last 200 chars; -1:
								 * shorter */
	int			quoted_han;		/* Han inside quotation marks in the answers */
	int			foreign;		/* kana and hangul, in all turns */
	int			traditional;	/* characters that only this script has, of
								 * the */
	int			simplified;		/* first 400 Han of each turn */
	int			rounds;
	int			shortest_question;	/* chars; 0 where there is none */
	int			longest_question;
	int			shortest_answer;
} ReplyMeasures;

typedef struct ReplyResult
{
	ReplyReason reason;
	size_t		offset;			/* byte of the reply the reason points at */
	uint32_t	flags;
	ReplyTurn  *turns;			/* malloc; NULL unless accepted */
	int			n_turns;
	char	   *object;			/* strict JSON, malloc, terminated; NULL
								 * unless an object was accepted */
	size_t		object_length;	/* bytes */
	ReplyMeasures measures;
} ReplyResult;

/*
 * Parses and checks one reply.  Linear time, no recursion on the input, memory
 * bounded by a small multiple of length.  Always fills *result, which the caller
 * frees with reply_result_free.  The turns of an accepted dialogue or
 * question-answer alternate human, gpt; a description has the one gpt turn.  An accepted
 * object has no turns.  What is rejected has no flags, but for REPLY_WHITE_SPACE where a
 * reply that should be an object ends in nothing but white space.
 */
extern void reply_parse(const ReplyRules *rules, const char *reply, size_t length,
						ReplyFinish finish, ReplyResult *result);
extern void reply_result_free(ReplyResult *result);

/* ---- sentences ---- */

/*
 * Bytes of the first sentence of a text, with the white space round it: what is left is the
 * rest of the text.  A text of nothing but white space is all of it.
 */
extern size_t reply_sentence(const char *text, size_t length);

/*
 * Takes the next sentence off the front of a text, without the white space round it.  False
 * if nothing but white space is left.
 */
extern bool reply_next_sentence(const char **text, size_t *length, const char **sentence, size_t *size);

/* ---- control tokens: what a sample's text must not hold ---- */

/* The rules of 1.0.0, and those of now: a number above both is taken for the latter. */
#define REPLY_TOKEN_RULES_1_0 1
#define REPLY_TOKEN_RULES 2

typedef enum TokenKind
{
	TOKEN_NONE,
	TOKEN_IMAGE,				/* where a trainer puts the picture */
	TOKEN_MEDIA,				/* video or audio */
	TOKEN_THINK,				/* around thoughts */
	TOKEN_ANSWER,				/* around the answer; no control token */
	TOKEN_MARK,					/* around (a part of) the answer */
	TOKEN_END,					/* the reply ends */
	TOKEN_LAST,					/* the same, where nothing follows */
	TOKEN_BEGIN,				/* the reply begins */
	TOKEN_HEAD,					/* around the role that begins it */
	TOKEN_CHANNEL,				/* harmony's, before a channel's name */
	TOKEN_MESSAGE,				/* and behind it */
	TOKEN_DEBRIS,				/* pieces of bytes and words */
	TOKEN_OTHER
}			TokenKind;

struct TokenEntry;

typedef struct ReplyToken
{
	const char *at;
	const char *end;			/* behind it */
	TokenKind	kind;
	bool		closing;
	bool		word;			/* people write about it */
	const struct TokenEntry *entry; /* NULL: a name that no family is known
									 * for */
} ReplyToken;

/*
 * Where the first control token in a turn's text stands, by these rules; NULL if there is
 * none.  What the parser accepts has none by the rules of now.
 */
extern const char *reply_find_token(const char *text, size_t length, int rules, ReplyToken *token);

/* Nothing but white space and characters that do not show. */
extern bool reply_is_blank(const char *text, size_t length);

extern const char *reply_reason_name(ReplyReason reason);	/* NULL if accepted */
extern const char *reply_flag_name(int bit);

#endif							/* LLAVA_REPLY_H */
