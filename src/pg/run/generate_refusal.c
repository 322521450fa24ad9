/*
 * generate_refusal.c
 *	  The errors of llava_generate when there is no conversation: SQLSTATE, message and
 *	  hint.
 */
#include "postgres.h"

#include "generate.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "queue/queue.h"
#include "utils/acl.h"
#include "utils/builtins.h"

/* How much of a rejected reply is shown, in bytes. */
#define EXCERPT 300

/* SQLSTATE and hint of outcomes that are known by their reason. */
typedef struct Remedy
{
	const char *reason;
	int			code;
	const char *hint;			/* or NULL */
} Remedy;

static const Remedy remedies[] = {
	{"model", ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
	"ALTER SERVER ... OPTIONS (SET model '...'): one that the endpoint has and that takes pictures."},
	{"not_found", ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
	"ALTER SERVER ... OPTIONS (SET url '...'): most endpoints' url ends in /v1."},
	{"redirect", ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE,
	"ALTER SERVER ... OPTIONS (SET url '...'): redirects are not followed."},
	{"url", ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, "ALTER SERVER ... OPTIONS (SET url '...');"},
	{"dns", ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
	"Check the host in the server's url."},
	{"refused", ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
	"Check that the endpoint runs, and the server's url."},
	{"connect_timeout", ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
	"Check the server's url. The server option connect_timeout limits the wait."},
	{"tls", ERRCODE_FDW_UNABLE_TO_ESTABLISH_CONNECTION,
	"The endpoint needs a certificate that the database server's system trusts."},
	{"timeout", ERRCODE_CONNECTION_FAILURE,
	"The server option request_timeout limits the wait."},
	{"reply_too_large", ERRCODE_PROGRAM_LIMIT_EXCEEDED,
	"The limit is the setting llava_zh.max_reply_size."},
	{"no_memory", ERRCODE_OUT_OF_MEMORY, NULL},
	{"money", ERRCODE_INSUFFICIENT_RESOURCES, "The account at the endpoint needs money or quota."},
	{"region", ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
	"The endpoint does not serve the place that the database server asks from."},
};

/* SQLSTATE and hint of a request that brought no answer. */
static Remedy
remedy_for(const Asking *asking, const VlmOutcome *outcome)
{
	Remedy		remedy = {outcome->reason, ERRCODE_FDW_ERROR, NULL};

	for (int i = 0; i < lengthof(remedies); i++)
		if (strcmp(remedies[i].reason, outcome->reason) == 0)
			return remedies[i];
	if (strcmp(outcome->reason, "key") == 0)
	{
		remedy.code = ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
		remedy.hint = asking->key == NULL ?
			psprintf("CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (api_key '...');",
					 quote_identifier(asking->server->name)) :
			"The key of the user mapping was refused: ALTER USER MAPPING ... OPTIONS (SET api_key '...');";
	}
	else if (outcome->action == VLM_IMAGE_FAULT || outcome->action == VLM_FILTERED)
		remedy.code = ERRCODE_DATA_EXCEPTION;
	else if (outcome->action == VLM_THROTTLE)
	{
		remedy.code = ERRCODE_INSUFFICIENT_RESOURCES;
		remedy.hint = "Try again later, or name another server.";
	}
	else if (asking->response.status == 0)
		remedy.code = ERRCODE_CONNECTION_FAILURE;
	return remedy;
}

/*
 * Whether the caller may read what the endpoint says, which need not be a model's.  The
 * server's owner set the url; others may use the server, but must not read through it what
 * the database's host can reach.
 */
static bool
caller_may_read(const Asking *asking)
{
	return has_privs_of_role(GetUserId(), asking->server->owner);
}

void
generate_refuse(const Asking *asking, const VlmOutcome *outcome)
{
	Remedy		remedy = remedy_for(asking, outcome);
	char	   *said = outcome->detail[0] != '\0' ? rows_clean_text(outcome->detail) : NULL;

	if (said == NULL || caller_may_read(asking))
		ereport(ERROR,
				(errcode(remedy.code),
				 errmsg("server \"%s\" gave no answer (%s)", asking->server->name,
						outcome->reason),
				 said != NULL ? errdetail("%s", said) : 0,
				 remedy.hint != NULL ? errhint("%s", remedy.hint) : 0));
	ereport(ERROR,
			(errcode(remedy.code),
			 errmsg("server \"%s\" gave no answer (%s)", asking->server->name,
					outcome->reason),
			 asking->response.status != 0 ? errdetail("HTTP %d", asking->response.status) : 0,
			 errdetail_log("%s", said),
			 errhint("%s%sThe endpoint's message is shown to the server's owner and in the server log.",
					 remedy.hint != NULL ? remedy.hint : "", remedy.hint != NULL ? " " : "")));
}

/* The start of a reply for people: valid text, cut between characters. */
static char *
excerpt(const char *content, size_t size)
{
	char	   *start = pnstrdup(content, Min(size, EXCERPT));
	char	   *clean;

	if (size > EXCERPT)
		start[pg_encoding_mbcliplen(PG_UTF8, start, strlen(start), EXCERPT)] = '\0';
	clean = rows_clean_text(start);
	return size > EXCERPT ? psprintf("%s...", clean) : clean;
}

typedef struct ReplyRemedy
{
	const char *reason;
	const char *hint;			/* NULL: the shape that the task's kind
								 * expects */
} ReplyRemedy;

static const ReplyRemedy reply_remedies[] = {
	{"no_user_first", NULL}, {"empty_turn", NULL}, {"roles_not_alternating", NULL},
	{"ambiguous_role", NULL}, {"no_question", NULL}, {"no_answer", NULL}, {"unparsable", NULL},
	{"too_few_rounds", NULL},
	{"truncated", "The reply was cut off: raise the task's max_tokens, or the context of the server's model."},
	{"too_short", "The task's min_letters and min_answer_chars say how long answers must be: ask for more in its prompt, or lower them."},
	{"language", "The task's language and min_language_share say what answers must be written in: ask for it in its prompt."},
	{"refusal", "Another prompt or another server's model may not refuse."},
	{"content_filter", "Another prompt or another server's model may not refuse."},
	{"image_not_seen", "Check that the server's model takes pictures: the reply says that it has seen none."},
	{"not_complex", "The prompt must ask for a question that needs reasoning."},
	{"degenerate", "The reply repeats itself: a presence_penalty of the task helps, or a lower temperature."},
	{"empty", "The model said nothing: check its chat template, and the server option extra_body."},
};

/* What would help where a reply was rejected; the same request may well fail again. */
static const char *
remedy_of_reply(const Asking *asking, const char *reason)
{
	for (int i = 0; i < lengthof(reply_remedies); i++)
		if (strcmp(reason, reply_remedies[i].reason) == 0)
			return reply_remedies[i].hint != NULL ? reply_remedies[i].hint :
				task_shape(asking->task->kind, asking->task->language);
	return "llava_parse_reply(task, reply) shows what is made of a reply.";
}

void
generate_refuse_reply(const Asking *asking, const char *reason)
{
	const VlmEnvelope *envelope = &asking->envelope;
	const char *hint = remedy_of_reply(asking, reason);
	char		switched[BLAME_HINT_SIZE];

	if (strcmp(reason, "no_answer_thinking") == 0)
	{
		blame_thinking_hint(asking->server, switched, sizeof(switched));
		hint = switched;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("the reply of server \"%s\" is no conversation (%s)",
					asking->server->name, reason),
			 errdetail("The reply begins: %s",
					   excerpt(envelope->content, envelope->content_size)),
			 errhint("%s", hint)));
}
