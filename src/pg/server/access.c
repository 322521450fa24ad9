/*
 * access.c
 *	  Which roles may use which server, and with which key; and how a process hears of changes.
 *
 * A key is sent to the url that the server's owner sets.  So a key that this owner
 * cannot read, of another user's mapping or a file, is only sent to a server that a
 * superuser owns.  (pg_user_mappings shows the owner its own mapping and PUBLIC's.)
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "compat.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "server_private.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#define KEY_FILE_MAX 4096

/* How many names a HINT lists. */
#define HINT_NAMES 16

/* How many roles with a mapping of their own a pause names. */
#define MAPPED_NAMES 3

#define CREATE_SERVER_HINT \
	"CREATE SERVER qwen FOREIGN DATA WRAPPER llava_zh OPTIONS (url 'http://127.0.0.1:8000/v1', model 'Qwen/Qwen2.5-VL-32B-Instruct');"

static uint64 catalogue_changes = 1;	/* seen by this process */
static bool watching;

List *
server_oids(void)
{
	Oid			wrapper = get_foreign_data_wrapper_oid("llava_zh", true);
	List	   *oids = NIL;
	Relation	catalog;
	SysScanDesc scan;
	HeapTuple	tuple;

	if (!OidIsValid(wrapper))
		return NIL;
	catalog = table_open(ForeignServerRelationId, AccessShareLock);
	scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_server server = (Form_pg_foreign_server) GETSTRUCT(tuple);

		if (server->srvfdw == wrapper)
			oids = lappend_oid(oids, server->oid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	list_sort(oids, list_oid_cmp);
	return oids;
}

static bool
caller_may_use(Oid server)
{
	return compat_server_aclcheck(server, GetUserId(), ACL_USAGE) == ACLCHECK_OK;
}

/* The servers that the caller has USAGE on. */
static List *
usable_servers(void)
{
	List	   *usable = NIL;
	ListCell   *cell;

	foreach(cell, server_oids())
	{
		if (caller_may_use(lfirst_oid(cell)))
			usable = lappend_oid(usable, lfirst_oid(cell));
	}
	return usable;
}

/* The HINT for a caller that has not named an existing server. */
static char *
servers_hint(List *usable)
{
	StringInfoData hint;
	int			n = 0;
	ListCell   *cell;

	if (usable == NIL)
		return CREATE_SERVER_HINT;
	initStringInfo(&hint);
	appendStringInfoString(&hint, "Servers you may use: ");
	foreach(cell, usable)
	{
		if (n++ == HINT_NAMES)
		{
			appendStringInfoString(&hint, ", ...");
			break;
		}
		appendStringInfo(&hint, "%s%s", n > 1 ? ", " : "",
						 GetForeignServer(lfirst_oid(cell))->servername);
	}
	appendStringInfoString(&hint, ". Name one as the argument server, or SET llava_zh.server.");
	return hint.data;
}

Oid
server_named(const char *name)
{
	Oid			oid = get_foreign_server_oid(name, true);
	ForeignServer *server;

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("%s", servers_hint(usable_servers()))));
	server = GetForeignServer(oid);
	if (server->fdwid != get_foreign_data_wrapper_oid("llava_zh", true))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not a server of the wrapper llava_zh", name),
				 errdetail("It belongs to the wrapper \"%s\".",
						   GetForeignDataWrapper(server->fdwid)->fdwname),
				 errhint("%s", servers_hint(usable_servers()))));
	return oid;
}

/* The only server that the caller may use; ERROR if there is none, or more than one. */
static Oid
only_server(void)
{
	List	   *usable = usable_servers();

	if (list_length(usable) == 1)
		return linitial_oid(usable);
	if (usable != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_AMBIGUOUS_PARAMETER),
				 errmsg("there are %d servers to choose from and none is named",
						list_length(usable)),
				 errhint("%s", servers_hint(usable))));
	if (server_oids() != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("there is no server that you may use"),
				 errhint("GRANT USAGE ON FOREIGN SERVER ... TO %s;",
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no server to ask"),
			 errhint("%s", CREATE_SERVER_HINT)));
}

LlavaServer *
server_for_caller(const char *name)
{
	Oid			oid;

	if (name == NULL && llava_server != NULL && llava_server[0] != '\0')
		name = llava_server;
	oid = name != NULL ? server_named(name) : only_server();
	if (!caller_may_use(oid))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", name),
				 errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s;", quote_identifier(name),
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	return server_load(oid);
}

/* The options of a user's mapping; false if there is no such mapping. */
static bool
mapping_options(Oid server, Oid user, List **options)
{
	HeapTuple	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(user),
										ObjectIdGetDatum(server));
	bool		isnull;
	Datum		array;

	if (!HeapTupleIsValid(tuple))
		return false;
	array = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
							Anum_pg_user_mapping_umoptions, &isnull);
	*options = isnull ? NIL : untransformRelOptions(array);
	ReleaseSysCache(tuple);
	return true;
}

/* ERROR: the server's owner could read this key. */
pg_noreturn static void
refuse_to_send(const LlavaServer *server, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("%s is not sent to server \"%s\"", what, server->name),
			 errdetail("The server's owner \"%s\" is not a superuser and could set its url to read the key.",
					   GetUserNameFromId(server->owner, false)),
			 errhint("%s", hint)));
}

/*
 * Reads at most size bytes of a plain file, without following a symbolic link or
 * waiting for the writer of a pipe.  Returns the number of bytes, or -1 with errno set,
 * which is 0 if the file is not plain.
 */
static int
read_plain_file(const char *path, char *buffer, int size)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | PG_BINARY);
	struct stat status;
	int			total = 0;
	int			n = 1;
	int			failure = 0;

	if (fd < 0)
		return -1;
	if (fstat(fd, &status) != 0)
		failure = errno;
	else if (!S_ISREG(status.st_mode))
		total = -1;
	while (failure == 0 && total >= 0 && total < size && n != 0)
	{
		n = read(fd, buffer + total, size - total);
		if (n > 0)
			total += n;
		else if (n < 0 && errno != EINTR)
			failure = errno;
	}
	CloseTransientFile(fd);
	errno = failure;
	return failure != 0 ? -1 : total;
}

/* The key in a file, palloc'd; messages to the client do not name the file. */
static char *
read_key_file(const LlavaServer *server, const char *path)
{
	char	   *key = palloc(KEY_FILE_MAX + 2);
	int			size = read_plain_file(path, key, KEY_FILE_MAX + 1);
	bool		too_long = size > KEY_FILE_MAX;
	const char *problem;

	if (size < 0 && errno != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read the key file of server \"%s\": %m", server->name),
				 errdetail_log("The file is \"%s\".", path),
				 errhint("It must be a plain file, not a link, that the database server's OS user may read.")));
	while (size > 0 && (key[size - 1] == '\n' || key[size - 1] == '\r'))
		size--;
	key[Max(size, 0)] = '\0';
	problem = size < 0 ? "it is not a plain file" :
		too_long ? "it has more than 4096 bytes" :
		strlen(key) != size ? "it has control characters" : options_key_problem(key);
	if (problem != NULL)
	{
		explicit_bzero(key, KEY_FILE_MAX + 2);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("the key file of server \"%s\" is not used: %s", server->name, problem),
				 errdetail_log("The file is \"%s\".", path),
				 errhint("It must hold the key in one line and nothing else.")));
	}
	return key;
}

/* The key of user's mapping, else PUBLIC's; NULL if there is none. */
static char *
key_for(const LlavaServer *server, Oid user)
{
	bool		trusted = superuser_arg(server->owner);
	bool		of_user;
	List	   *options = NIL;
	const char *key;
	const char *file;

	of_user = mapping_options(server->oid, user, &options);
	if (!of_user && !mapping_options(server->oid, InvalidOid, &options))
		return NULL;
	key = options_value(options, "api_key");
	file = options_value(options, "api_key_file");
	if (key != NULL && of_user && user != server->owner && !trusted)
		refuse_to_send(server, "another user's key",
					   "Let a superuser own the server, or let its owner keep the key, in a mapping of its own or of PUBLIC.");
	if (key == NULL && file != NULL && !trusted)
		refuse_to_send(server, "a key from a file", "Let a superuser own the server, or use the option api_key.");
	if (key != NULL)
		return pstrdup(key);
	return file != NULL ? read_key_file(server, file) : NULL;
}

char *
server_key_for_worker(const LlavaServer *server)
{
	return key_for(server, server->owner);
}

char *
server_key_for_caller(const LlavaServer *server)
{
	return key_for(server, GetUserId());
}

/* The names of roles, other than the server's owner, that have a mapping of their own. */
typedef struct Mapped
{
	const LlavaServer *server;
	StringInfoData names;
	int			n;
} Mapped;

static void
add_mapped(HeapTuple tuple, TupleDesc desc, void *arg)
{
	Mapped	   *mapped = arg;
	Oid			user = ((Form_pg_user_mapping) GETSTRUCT(tuple))->umuser;
	char	   *name;

	if (!OidIsValid(user) || user == mapped->server->owner)
		return;
	name = GetUserNameFromId(user, true);
	if (name == NULL || ++mapped->n > MAPPED_NAMES)
		return;
	appendStringInfo(&mapped->names, "%s\"%s\"", mapped->n > 1 ? ", " : "", name);
}

char *
server_mappings_unused(const LlavaServer *server)
{
	Mapped		mapped = {.server = server};

	initStringInfo(&mapped.names);
	catalogue_each(UserMappingRelationId, InvalidOid, Anum_pg_user_mapping_umserver, server->oid,
				   add_mapped, &mapped);
	if (mapped.n == 0)
		return NULL;
	if (mapped.n > MAPPED_NAMES)
		appendStringInfoString(&mapped.names, ", ...");
	return psprintf("workers use only the user mapping of the server's owner, \"%s\", or of PUBLIC, not that of %s",
					GetUserNameFromId(server->owner, false), mapped.names.data);
}

/* ---- changes ---- */

static void
note_change(Datum arg, int cacheid, uint32 hashvalue)
{
	catalogue_changes++;
}

void
servers_watch(void)
{
	if (watching)
		return;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, note_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, note_change, (Datum) 0);
	CacheRegisterSyscacheCallback(FOREIGNDATAWRAPPEROID, note_change, (Datum) 0);
	watching = true;
}

uint64
servers_version(void)
{
	return catalogue_changes;
}

LimitsRank
server_rank(Oid owner)
{
	if (superuser_arg(owner))
		return LIMITS_OF_SUPERUSER;
	return owner == tx_queue_owner() ? LIMITS_OF_QUEUE_OWNER : LIMITS_OF_OTHERS;
}
