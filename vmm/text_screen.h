/* SPDX-License-Identifier: MIT */
/* vmm/text_screen.h - what stands on the guest's VGA text screen. */
#ifndef VMM_TEXT_SCREEN_H
#define VMM_TEXT_SCREEN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct vm;

enum {
    TEXT_ROWS = 25,
    TEXT_COLUMNS = 80,

    /* An attribute: blink, background, bright, foreground. */
    TEXT_COLOUR = 0x07,
    TEXT_BRIGHT = 0x08,
    TEXT_BACKGROUND_SHIFT = 4,
};

/* As it is in the adapter's memory: of code page 437. */
struct text_cell {
    uint8_t code, attribute;
};

struct text_screen {
    struct text_cell cell[TEXT_ROWS][TEXT_COLUMNS];
    unsigned row, column; /* the cursor; it may be outside */
};

/* The screen as the adapter would show it now. */
void vm_text_screen(struct vm *vm, struct text_screen *out);

/* A character of code page 437 in ASCII, or what resembles it. */
char text_ascii(uint8_t code);

/* One row in ASCII, without the blanks at its end; returns its length. */
int text_screen_row(const struct text_screen *s, unsigned row,
                    char text[TEXT_COLUMNS + 1]);

/* All rows as lines, down to the last that is not blank. */
void text_screen_print(const struct text_screen *s, FILE *out);

bool text_screen_is_blank(const struct text_screen *s);

/* The background of a cell, 0 to 7. */
static inline unsigned text_background(struct text_cell cell)
{
    return cell.attribute >> TEXT_BACKGROUND_SHIFT & TEXT_COLOUR;
}

#endif
