/*
 * call_seq.h
 *	  The sequence that call ids are drawn from, llava_call_seq, beside drawing.
 */
#ifndef LLAVA_CALL_SEQ_H
#define LLAVA_CALL_SEQ_H


typedef struct CallSeq
{
	int64		last;			/* drawn or set; the next one, where none was */
	bool		is_called;		/* false: as made, or after RESTART */
	bool		is_new;			/* as CREATE EXTENSION makes it */
} CallSeq;

/* Needs no privilege on it.  In a transaction. */
extern void call_seq_read(CallSeq *seq);

/* An id is drawn after this one only by who draws it after this call. */
extern int64 call_seq_last_drawn(void);

/*
 * Leaves out so many calls: *first to *last are never drawn.  As the sequence's owner.
 * ERROR 2200H if so many are not left.
 */
extern void call_seq_skip(int64 calls, int64 *first, int64 *last);

#endif							/* LLAVA_CALL_SEQ_H */
