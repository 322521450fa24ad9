/*
 * odd.h
 *	  What noises do to an answer, to its text, or write instead of it.
 */
#ifndef ENDPOINT_ODD_H
#define ENDPOINT_ODD_H

#include "answer.h"

/* Changes to the answer's turns. */
extern void odd_english_labels(Answer *answer);
extern void odd_empty_turn(Answer *answer);
extern void odd_seven_rounds(Answer *answer);
extern void odd_one_round(Answer *answer);
extern void odd_duplicate_round(Answer *answer);
extern void odd_refused_round(Answer *answer);
extern void odd_extra_pair(Answer *answer);
extern void odd_label_inside(Answer *answer);
extern void odd_label_list(Answer *answer);
extern void odd_ambiguous_role(Answer *answer);
extern void odd_no_question(Answer *answer);
extern void odd_no_answer(Answer *answer);
extern void odd_not_complex(Answer *answer);
extern void odd_too_short(Answer *answer);
extern void odd_image_token(Answer *answer);
extern void odd_special_token(Answer *answer);
extern void odd_pii(Answer *answer);
extern void odd_reference(Answer *answer);
extern void odd_meta(Answer *answer);
extern void odd_fffd(Answer *answer);
extern void odd_emoji(Answer *answer);

/* Changes to the whole text. */
extern void odd_quote(Buffer *text);
extern void odd_crlf(Buffer *text);
extern void odd_backslash(Buffer *text);
extern void odd_cut(Buffer *text);
extern void odd_cut_early(Buffer *text);
extern void odd_traditional(Buffer *text);

/* Of an object. */
extern void odd_object_python(Buffer *text);
extern void odd_object_wide(Buffer *text);
extern void odd_object_word(Buffer *text);
extern void odd_object_white(Buffer *text);
extern void odd_object_tail(Buffer *text);

/* Texts instead of labelled turns. */
extern void odd_json_roles(Buffer *to, const Answer *answer);
extern void odd_json_object(Buffer *to, const Answer *answer);
extern void odd_json_pairs(Buffer *to, const Answer *answer);
extern void odd_refusal(Buffer *to, const Answer *answer);
extern void odd_refusal_en(Buffer *to, const Answer *answer);
extern void odd_not_seen(Buffer *to, const Answer *answer);
extern void odd_template(Buffer *to, const Answer *answer);
extern void odd_prompt(Buffer *to, const Answer *answer);
extern void odd_english(Buffer *to, const Answer *answer);
extern void odd_japanese(Buffer *to, const Answer *answer);
extern void odd_loop(Buffer *to, const Answer *answer);
extern void odd_loop_marks(Buffer *to, const Answer *answer);
extern void odd_empty(Buffer *to, const Answer *answer);
extern void odd_null(Buffer *to, const Answer *answer);
extern void odd_html(Buffer *to, const Answer *answer);
extern void odd_error(Buffer *to, const Answer *answer);

#endif							/* ENDPOINT_ODD_H */
