/*
 * pins.c
 *	  What llava_enqueue and llava_retry say of the servers that rows may go to.
 */
#include "postgres.h"

#include "intake.h"
#include "task/task.h"
#include "utils/builtins.h"

/* A server that does not exist would be waited for for ever. */
static char *
server_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	char	   *name;

	if (PG_NARGS() <= n || PG_ARGISNULL(n))
		return NULL;
	name = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (name[0] != '\0' && !task_server_exists(name))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("%s \"%s\" is not a server of the wrapper llava_zh", argument, name),
				 errhint("Name one of llava_stat_server; an empty text takes back what was said before.")));
	return name;
}

Pins
pins_argument(FunctionCallInfo fcinfo, int n, const char *argument)
{
	char	   *server = server_argument(fcinfo, n, argument);
	char	   *not_server = server_argument(fcinfo, n + 1, "not_server");
	Pins		pins = {.nulls = {server == NULL ? 'n' : ' ', not_server == NULL ? 'n' : ' '}};

	if (server != NULL && not_server != NULL && server[0] != '\0' && strcmp(server, not_server) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s and not_server are both \"%s\"", argument, server),
				 errhint("No server could be asked. not_server alone leaves all the others.")));
	if (server != NULL)
		pins.server = CStringGetTextDatum(server);
	if (not_server != NULL)
		pins.not_server = CStringGetTextDatum(not_server);
	return pins;
}

bool
pins_are_given(const char *nulls)
{
	return nulls[0] == ' ' || nulls[1] == ' ';
}
