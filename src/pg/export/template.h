/*
 * template.h
 *	  The fixed texts of the page and of the dataset card.
 *
 * {{name}} stands for a value that is escaped, {{{name}}} for one that is the
 * result of another template, or is laid out already.
 */
#ifndef LLAVA_TEMPLATE_H
#define LLAVA_TEMPLATE_H


typedef struct Template
{
	const char *name;
	bool		markdown;		/* else HTML */
	const char *text;
} Template;

/* page_text.c, card_text.c; end with a NULL name. */
extern const Template page_templates[];
extern const Template card_templates[];

#endif							/* LLAVA_TEMPLATE_H */
