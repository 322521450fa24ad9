/*
 * trusted.c
 *	  Preloaded into a server, it has the certificates of the file TRUSTED trusted in place of
 *	  the system's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *
trusted_open(const char *name, const char *path, const char *mode)
{
	FILE	   *(*real) (const char *, const char *) = dlsym(RTLD_NEXT, name);
	const char *instead = getenv("TRUSTED");

	return real(instead != NULL && strstr(path, "/ca-certificates.crt") != NULL ? instead : path, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	return trusted_open("fopen", path, mode);
}

FILE *
fopen64(const char *path, const char *mode)
{
	return trusted_open("fopen64", path, mode);
}
