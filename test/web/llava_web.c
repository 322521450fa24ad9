/*
 * llava_web.c
 *	  The simulated web (simulated.h) as a program: prints "PORT NAMES_PORT" and serves until
 *	  its standard input ends.
 *
 *	  llava_web JOURNAL [ADDRESSES]
 */
#define _GNU_SOURCE
#include "simulated.h"

int
main(int argc, char **argv)
{
	Simulated  *web;
	char		byte;

	if (argc > 2)
		simulated_addresses = atoi(argv[2]);
	if (argc < 2 || simulated_addresses < 1 || simulated_addresses > SIMULATED_MOST_ADDRESSES)
	{
		fprintf(stderr, "usage: llava_web JOURNAL [ADDRESSES]\n");
		return 2;
	}
	web = simulated_start(fopen(argv[1], "w"));
	printf("%d %d\n", web->port, web->names_port);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
