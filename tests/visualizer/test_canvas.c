/* SPDX-License-Identifier: MIT */
/* Drawing into cells: clipping, frames, text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "visualizer/canvas.h"

static void row_is(const struct canvas *c, int row, const char *wanted)
{
    char text[500];
    canvas_row(c, row, text, sizeof text);
    cr_assert_str_eq(text, wanted);
}

Test(visualizer_canvas, nothing_is_drawn_outside)
{
    struct canvas *c = canvas_create(4, 2);
    canvas_put(c, -1, 0, STYLE_TEXT, 'x');
    canvas_put(c, 2, 0, STYLE_TEXT, 'x');
    canvas_put(c, 0, 4, STYLE_TEXT, 'x');
    canvas_text(c, 0, -2, 100, STYLE_TEXT, "abcdefghij");
    canvas_text(c, 1, 2, 1, STYLE_TEXT, "xyz");
    canvas_style(c, 5, -5, 100, STYLE_TRUE);
    canvas_box(c, (struct rect){-3, -3, 50, 50}, "title");
    row_is(c, 0, "cdef");
    row_is(c, 1, "  x");
    canvas_destroy(c);
}

Test(visualizer_canvas, of_no_size_is_allowed)
{
    struct canvas *c = canvas_create(0, 0);
    char text[8] = "unset";
    canvas_box(c, (struct rect){0, 0, 3, 3}, NULL);
    canvas_row(c, 0, text, sizeof text);
    cr_assert_str_eq(text, "");
    canvas_destroy(c);
    canvas_destroy(canvas_create(-3, 7));
}

Test(visualizer_canvas, frames_that_share_an_edge_join)
{
    struct canvas *c = canvas_create(7, 5);
    canvas_box(c, (struct rect){0, 0, 3, 7}, NULL);
    canvas_box(c, (struct rect){2, 0, 3, 7}, NULL);
    row_is(c, 0, "+-----+");
    row_is(c, 1, "|     |");
    row_is(c, 2, "+-----+");
    c->unicode = true;
    row_is(c, 0, "\u250c\u2500\u2500\u2500\u2500\u2500\u2510");
    row_is(c, 2, "\u251c\u2500\u2500\u2500\u2500\u2500\u2524");
    row_is(c, 4, "\u2514\u2500\u2500\u2500\u2500\u2500\u2518");
    canvas_destroy(c);
}

Test(visualizer_canvas, text_is_broken_at_spaces)
{
    struct canvas *c = canvas_create(10, 4);
    int rows = canvas_wrap(c, (struct rect){0, 0, 4, 10}, STYLE_TEXT,
                           "one two three four");
    cr_assert_eq(rows, 2);
    row_is(c, 0, "one two");
    row_is(c, 1, "three four");
    canvas_destroy(c);
}

Test(visualizer_canvas, text_that_does_not_fit_says_so)
{
    struct canvas *c = canvas_create(10, 1);
    canvas_wrap(c, (struct rect){0, 0, 1, 10}, STYLE_TEXT,
                "one two three four");
    row_is(c, 0, "one two...");
    canvas_destroy(c);
}

Test(visualizer_canvas, bytes_that_are_no_text_become_question_marks)
{
    struct canvas *c = canvas_create(10, 1);
    canvas_text(c, 0, 0, 10, STYLE_TEXT, "a\033[2J\xFF");
    row_is(c, 0, "a?[2J?");
    canvas_destroy(c);
}

Test(visualizer_canvas, every_style_has_a_name_and_a_letter_of_its_own)
{
    for (int i = 0; i < STYLE_COUNT; i++) {
        cr_assert(style_table[i].name && style_table[i].letter);
        for (int k = 0; k < i; k++)
            cr_assert_neq(style_table[i].letter, style_table[k].letter);
    }
}

/* Red against green would be lost on one man in twelve. */
Test(visualizer_canvas, true_and_hidden_differ_without_colour)
{
    const struct look *t = &style_table[STYLE_TRUE].mono;
    const struct look *h = &style_table[STYLE_HIDDEN].mono;
    cr_assert_neq(t->attributes, h->attributes);
    for (int i = 0; i < STYLE_COUNT; i++)
        cr_assert_eq(style_table[i].mono.color, -1);
}

Test(visualizer_canvas, styles_can_be_exported)
{
    struct canvas *c = canvas_create(3, 1);
    char *text = NULL;
    size_t bytes = 0;
    canvas_put(c, 0, 1, STYLE_TRUE, 'T');
    FILE *out = open_memstream(&text, &bytes);
    cr_assert(canvas_write_styles(c, out));
    fclose(out);
    cr_assert_str_eq(text, ".T.\n");
    free(text);
    canvas_destroy(c);
}
