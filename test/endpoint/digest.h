/*
 * digest.h
 *	  SHA-256, base64 and the pseudo-random numbers all variation comes from.
 */
#ifndef ENDPOINT_DIGEST_H
#define ENDPOINT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_HEX 65			/* with the NUL */

extern void sha256_hex(const void *data, size_t size, char hex[SHA256_HEX]);
extern bool base64_decode(const char *text, size_t size, unsigned char **bytes, size_t *decoded);

/* splitmix64: the same number for the same input, everywhere. */
extern uint64_t mix64(uint64_t value);

/* A sequence of dice rolls that depends on nothing but its start. */
typedef struct Dice
{
	uint64_t	state;
} Dice;

extern int	dice_roll(Dice *dice, int sides);	/* 0 .. sides - 1 */
extern double mix_fraction(uint64_t value); /* [0, 1) */

#endif							/* ENDPOINT_DIGEST_H */
