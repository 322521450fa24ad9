/*
 * template.h
 *	  Text of others in the pages that the extension writes.
 */
#ifndef LLAVA_TEMPLATE_H
#define LLAVA_TEMPLATE_H

#include "lib/stringinfo.h"

/* Appends text in which no element, attribute or entity can begin or end. */
extern void template_append_html(StringInfo out, const char *bytes, int length);

#endif							/* LLAVA_TEMPLATE_H */
