/*
 * copying.h
 *	  Sessions that COPY into the extension's tables, as their progress entries tell.
 */
#ifndef LLAVA_COPYING_H
#define LLAVA_COPYING_H


/*
 * Whether a session of this database COPYs FROM something into a table of ours; who, and
 * which table.  A role without the privileges of the table's owner does not count, since
 * it cannot restore, nor a COPY that brings new pictures (copying_new_pictures).
 */
extern bool copying_find(int *pid, Oid *table);

/*
 * The statement that this process runs takes in new pictures: if it is a COPY it is no
 * restore.
 */
extern void copying_new_pictures(Oid table);

#endif							/* LLAVA_COPYING_H */
