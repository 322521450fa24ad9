/*
 * shmem.h
 *	  The shared memory of all rooms.
 */
#ifndef LLAVA_SHMEM_H
#define LLAVA_SHMEM_H

/* From _PG_init while preloading: asks for the shared memory of all rooms. */
extern void shmem_request(void);

#endif							/* LLAVA_SHMEM_H */
