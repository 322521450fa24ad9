/*
 * witness.c
 *	  How late a process comes to the CPU that does nothing but wake every
 *	  millisecond: what the machine itself, and whoever else runs on it, holds up.
 *
 *	  build/witness         one thread a core, until the end of standard input; then
 *	                        prints wakes, those more than 10 ms late, and the ms of
 *	                        the latest, as a JSON array
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAKE_NS 1000000
#define LATE_NS 10000000

typedef struct Witness
{
	pthread_t	thread;
	int			core;
	long		wakes;
	long		late;
	int64_t		latest_ns;
} Witness;

static atomic_bool over;

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *
watch(void *arg)
{
	Witness    *witness = arg;
	const struct timespec nap = {.tv_nsec = WAKE_NS};
	cpu_set_t	core;

	CPU_ZERO(&core);
	CPU_SET(witness->core, &core);
	(void) pthread_setaffinity_np(pthread_self(), sizeof(core), &core);
	while (!atomic_load(&over))
	{
		int64_t		begun = now_ns();
		int64_t		late;

		nanosleep(&nap, NULL);
		late = now_ns() - begun - WAKE_NS;
		witness->wakes++;
		witness->late += late > LATE_NS;
		if (late > witness->latest_ns)
			witness->latest_ns = late;
	}
	return NULL;
}

int
main(void)
{
	long		cores = sysconf(_SC_NPROCESSORS_ONLN);
	Witness    *witnesses = calloc((size_t) cores, sizeof(Witness));
	Witness		all = {0};
	char		byte;

	if (witnesses == NULL)
		return 1;
	for (long i = 0; i < cores; i++)
	{
		witnesses[i].core = (int) i;
		if (pthread_create(&witnesses[i].thread, NULL, watch, &witnesses[i]) != 0)
			return 1;
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	atomic_store(&over, true);
	for (long i = 0; i < cores; i++)
	{
		pthread_join(witnesses[i].thread, NULL);
		all.wakes += witnesses[i].wakes;
		all.late += witnesses[i].late;
		if (witnesses[i].latest_ns > all.latest_ns)
			all.latest_ns = witnesses[i].latest_ns;
	}
	printf("[%ld, %ld, %.1f]\n", all.wakes, all.late, (double) all.latest_ns / 1e6);
	free(witnesses);
	return 0;
}
