/*
 * lines_sha256.c
 *	  The aggregates llava_lines_sha256 and llava_array_sha256: what sha256sum prints for a
 *	  file of these lines, and for one that is an array of them.
 *
 * The digest is libcrypto's.  PostgreSQL's own wrapper of it ties a stream to a resource
 * owner, which an aggregate's state may outlive; this state ends with the aggregate's
 * memory, also at an ERROR.
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "export_digest.h"
#include "fmgr.h"

PG_FUNCTION_INFO_V1(llava_lines_sha256_add);
PG_FUNCTION_INFO_V1(llava_lines_sha256_end);
PG_FUNCTION_INFO_V1(llava_array_sha256_add);
PG_FUNCTION_INFO_V1(llava_array_sha256_end);

/* Callback of the state's memory. */
static void
free_state(void *state)
{
	EVP_MD_CTX_free(state);
}

EVP_MD_CTX *
export_digest_new(MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof(*callback));
	EVP_MD_CTX *state = EVP_MD_CTX_new();

	callback->func = free_state;
	callback->arg = state;
	MemoryContextRegisterResetCallback(context, callback);
	if (state == NULL || !EVP_DigestInit_ex(state, EVP_sha256(), NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not begin a SHA-256 digest")));
	return state;
}

void
export_digest_add(EVP_MD_CTX *state, const void *bytes, size_t n)
{
	if (!EVP_DigestUpdate(state, bytes, n))
		elog(ERROR, "could not go on with a SHA-256 digest");
}

/* One line and its line end, behind what comes before it: the first one, or any other. */
static Datum
lines_add(FunctionCallInfo fcinfo, const char *before_first, const char *before)
{
	MemoryContext context;
	EVP_MD_CTX *state;
	text	   *line;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "a digest of lines was not called by its aggregate");
	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_POINTER(PG_GETARG_POINTER(0));
	}
	if (PG_ARGISNULL(0))
	{
		state = export_digest_new(context);
		before = before_first;
	}
	else
		state = (EVP_MD_CTX *) PG_GETARG_POINTER(0);
	line = PG_GETARG_TEXT_PP(1);
	export_digest_add(state, before, strlen(before));
	export_digest_add(state, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));
	export_digest_add(state, "\n", 1);
	PG_RETURN_POINTER(state);
}

void
export_digest_end(EVP_MD_CTX *state, unsigned char *digest)
{
	if (!EVP_DigestFinal_ex(state, digest, NULL) || !EVP_DigestInit_ex(state, EVP_sha256(), NULL))
		elog(ERROR, "could not end a SHA-256 digest");
}

/*
 * The digest with what comes behind the last line, or stands for none.  Leaves the state
 * as it is, since a window may call it again.
 */
static Datum
lines_end(FunctionCallInfo fcinfo, const char *after_last, const char *empty)
{
	EVP_MD_CTX *end = export_digest_new(CurrentMemoryContext);
	bytea	   *digest = palloc(VARHDRSZ + EXPORT_DIGEST);

	SET_VARSIZE(digest, VARHDRSZ + EXPORT_DIGEST);
	if (PG_ARGISNULL(0))
		after_last = empty;
	else if (!EVP_MD_CTX_copy_ex(end, (EVP_MD_CTX *) PG_GETARG_POINTER(0)))
		elog(ERROR, "could not go on with a SHA-256 digest");
	export_digest_add(end, after_last, strlen(after_last));
	if (!EVP_DigestFinal_ex(end, (unsigned char *) VARDATA(digest), NULL))
		elog(ERROR, "could not end a SHA-256 digest");
	PG_RETURN_BYTEA_P(digest);
}

/* State function of llava_lines_sha256. */
Datum
llava_lines_sha256_add(PG_FUNCTION_ARGS)
{
	return lines_add(fcinfo, "", "");
}

Datum
llava_lines_sha256_end(PG_FUNCTION_ARGS)
{
	return lines_end(fcinfo, "", "");
}

/* State function of llava_array_sha256: the bytes are those of COPY with FORCE_ARRAY. */
Datum
llava_array_sha256_add(PG_FUNCTION_ARGS)
{
	return lines_add(fcinfo, "[\n", ",");
}

Datum
llava_array_sha256_end(PG_FUNCTION_ARGS)
{
	return lines_end(fcinfo, "]\n", "[]\n");
}
