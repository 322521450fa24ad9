/*
 * call_seq.h
 *	  The sequence that call ids are drawn from, llava_call_seq: what is done beside
 *	  drawing.
 */
#ifndef LLAVA_CALL_SEQ_H
#define LLAVA_CALL_SEQ_H


typedef struct CallSeq
{
	int64		last;			/* the last one drawn or set; the next one, if
								 * there was none */
	bool		is_called;		/* false: as it was created, or after RESTART */
	bool		is_new;			/* as CREATE EXTENSION makes it */
} CallSeq;

/* Needs no privilege on it.  In a transaction. */
extern void call_seq_read(CallSeq *seq);

/* Larger ids can only be drawn after this call. */
extern int64 call_seq_last_drawn(void);

/*
 * Leaves out this many ids: *first to *last are never drawn.  Runs as the sequence's
 * owner.  ERROR 2200H if too few are left.
 */
extern void call_seq_skip(int64 calls, int64 *first, int64 *last);

#endif							/* LLAVA_CALL_SEQ_H */
