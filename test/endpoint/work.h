/*
 * work.h
 *	  Threads that do what takes long (decoding), and hand it back to the loop.
 */
#ifndef ENDPOINT_WORK_H
#define ENDPOINT_WORK_H

typedef struct Job
{
	struct Job *next;
	void		(*run) (struct Job *job);	/* in a thread */
	void		(*done) (struct Job *job);	/* in the loop, afterwards */
} Job;

extern void work_open(int threads);
extern void work_submit(Job *job);

/* Waits until no job is running; all are handed back, some without having run. */
extern void work_close(void);

#endif							/* ENDPOINT_WORK_H */
