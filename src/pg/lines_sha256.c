/*
 * lines_sha256.c
 *	  The aggregate llava_lines_sha256: what sha256sum says of a file of these lines.
 *
 * PostgreSQL's own digests of a stream hold a resource that an aggregate's state
 * cannot give back at an ERROR; this state (SHA-256 by FIPS 180-4) is plain memory.
 */
#include "postgres.h"

#include "compat.h"
#include "fmgr.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"

#define BLOCK 64
#define DIGEST 32

typedef struct Sha256
{
	uint32		h[8];
	uint64		length;			/* bytes so far */
	uint8		block[BLOCK];	/* its last, not yet whole */
} Sha256;

PG_FUNCTION_INFO_V1(llava_lines_sha256_add);
PG_FUNCTION_INFO_V1(llava_lines_sha256_end);

static const uint32 k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
};

static inline uint32
rotate(uint32 x, int bits)
{
	return (x >> bits) | (x << (32 - bits));
}

static void
take_block(Sha256 *s, const uint8 *block)
{
	uint32		w[64];
	uint32		v[8];

	memcpy(w, block, BLOCK);
	for (int i = 0; i < 16; i++)
		w[i] = pg_ntoh32(w[i]);
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
			(rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3)) +
			(rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10));
	memcpy(v, s->h, sizeof(v));
	for (int i = 0; i < 64; i++)
	{
		uint32		t1 = v[7] + k[i] + w[i] + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
		(rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25));
		uint32		t2 = ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])) +
		(rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22));

		memmove(v + 1, v, 7 * sizeof(uint32));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		s->h[i] += v[i];
}

static void
take_bytes(Sha256 *s, const uint8 *bytes, size_t n)
{
	while (n > 0)
	{
		size_t		used = s->length % BLOCK;
		size_t		part = Min(n, BLOCK - used);

		memcpy(s->block + used, bytes, part);
		s->length += part;
		if (used + part == BLOCK)
			take_block(s, s->block);
		bytes += part;
		n -= part;
	}
}

static Sha256 *
sha256_new(MemoryContext context)
{
	static const uint32 h[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
	};
	Sha256	   *s = MemoryContextAllocZero(context, sizeof(Sha256));

	memcpy(s->h, h, sizeof(h));
	return s;
}

/* State function: one line and its line end. */
Datum
llava_lines_sha256_add(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	Sha256	   *s;
	text	   *line;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "llava_lines_sha256_add was not called by its aggregate");
	s = PG_ARGISNULL(0) ? sha256_new(context) : (Sha256 *) PG_GETARG_POINTER(0);
	if (!PG_ARGISNULL(1))
	{
		line = PG_GETARG_TEXT_PP(1);
		take_bytes(s, (const uint8 *) VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));
		take_bytes(s, (const uint8 *) "\n", 1);
	}
	PG_RETURN_POINTER(s);
}

/* Final function.  Leaves the state as it is: it may be asked again in a window. */
Datum
llava_lines_sha256_end(PG_FUNCTION_ARGS)
{
	Sha256		s = PG_ARGISNULL(0) ? *sha256_new(CurrentMemoryContext) :
	*(Sha256 *) PG_GETARG_POINTER(0);
	uint64		bits = pg_hton64(s.length * 8);
	bytea	   *digest = palloc(VARHDRSZ + DIGEST);

	take_bytes(&s, (const uint8 *) "\x80", 1);
	while (s.length % BLOCK != BLOCK - sizeof(bits))
		take_bytes(&s, (const uint8 *) "", 1);
	take_bytes(&s, (const uint8 *) &bits, sizeof(bits));
	for (int i = 0; i < 8; i++)
		s.h[i] = pg_hton32(s.h[i]);
	SET_VARSIZE(digest, VARHDRSZ + DIGEST);
	memcpy(VARDATA(digest), s.h, DIGEST);
	PG_RETURN_BYTEA_P(digest);
}
