/*
 * shmem.h
 *	  The extension's shared memory.
 */
#ifndef LLAVA_SHMEM_H
#define LLAVA_SHMEM_H

/* Installs the hooks that request and initialise it.  For _PG_init, while preloading. */
extern void shmem_request(void);

#endif							/* LLAVA_SHMEM_H */
