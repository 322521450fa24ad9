/*
 * lines_sha256.c
 *	  The aggregate llava_lines_sha256: what sha256sum prints for a file of these lines.
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

/* State function: one line and its line end. */
Datum
llava_lines_sha256_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	EVP_MD_CTX *state;
	text	   *line;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "llava_lines_sha256_add was not called by its aggregate");
	state = PG_ARGISNULL(0) ? export_digest_new(context) : (EVP_MD_CTX *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1))
	{
		line = PG_GETARG_TEXT_PP(1);
		export_digest_add(state, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));
		export_digest_add(state, "\n", 1);
	}
	PG_RETURN_POINTER(state);
}

void
export_digest_end(EVP_MD_CTX *state, unsigned char *digest)
{
	if (!EVP_DigestFinal_ex(state, digest, NULL) || !EVP_DigestInit_ex(state, EVP_sha256(), NULL))
		elog(ERROR, "could not end a SHA-256 digest");
}

/* Final function.  Leaves the state as it is, since a window may call it again. */
Datum
llava_lines_sha256_end(PG_FUNCTION_ARGS)
{
	EVP_MD_CTX *end = export_digest_new(CurrentMemoryContext);
	bytea	   *digest = palloc(VARHDRSZ + EXPORT_DIGEST);

	SET_VARSIZE(digest, VARHDRSZ + EXPORT_DIGEST);
	if ((!PG_ARGISNULL(0) && !EVP_MD_CTX_copy_ex(end, (EVP_MD_CTX *) PG_GETARG_POINTER(0))) ||
		!EVP_DigestFinal_ex(end, (unsigned char *) VARDATA(digest), NULL))
		elog(ERROR, "could not end a SHA-256 digest");
	PG_RETURN_BYTEA_P(digest);
}
