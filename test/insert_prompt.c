/*
 * insert_prompt.c
 *	  insert_prompt PROMPT NAME TEXT [NAME TEXT]: prints the prompt with the texts in the place
 *	  of its placeholders, as src/vlm/prompt.c makes it, which is linked in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vlm/vlm.h"

int
main(int argc, char **argv)
{
	VlmInsert	inserts[2];
	int			n = 0;
	char	   *prompt;

	for (int i = 2; i + 1 < argc && n < 2; i += 2)
	{
		inserts[n].name = argv[i];
		inserts[n].text = argv[i + 1];
		inserts[n++].length = strlen(argv[i + 1]);
	}
	prompt = argc < 2 ? NULL : vlm_prompt_insert(argv[1], inserts, n);
	if (prompt == NULL)
		return 1;
	fputs(prompt, stdout);
	free(prompt);
	return 0;
}
