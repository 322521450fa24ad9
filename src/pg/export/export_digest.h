/*
 * export_digest.h
 *	  SHA-256 digests of what an export writes.
 */
#ifndef LLAVA_EXPORT_DIGEST_H
#define LLAVA_EXPORT_DIGEST_H

#include <openssl/evp.h>

#include "compat.h"

#define EXPORT_DIGEST 32		/* bytes */

/* A digest that is freed with the context. */
extern EVP_MD_CTX *export_digest_new(MemoryContext context);
extern void export_digest_add(EVP_MD_CTX *state, const void *bytes, size_t n);

/* Ends it, and begins anew. */
extern void export_digest_end(EVP_MD_CTX *state, unsigned char *digest);

#endif							/* LLAVA_EXPORT_DIGEST_H */
