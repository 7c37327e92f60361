/* SPDX-License-Identifier: MIT */
/* visualizer/view_help.c - the help, printed from the key table. */
#include <string.h>

#include "visualizer/event_text.h"
#include "visualizer/keys.h"

static const struct {
    char letter;
    const char *text;
} classes[] = {
    {'T', "true: the guest's tables say no"},
    {'H', "hidden: filled, guest never knows"},
    {'D', "dirty: the first write was caught"},
    {'W', "trace: wrote a watched page table"},
    {'M', "mmio: a device; O, A: its accesses"},
    {'P', "paged_out: no frame there yet"},
    {'X', "spurious: nothing in the way"},
    {'E', "emulate: done for the guest"},
    {'S', "silent: sensitive, does NOT trap"},
    {'I', "inject (V deliver): to the guest"},
};

enum { CLASS_COUNT = sizeof classes / sizeof classes[0], GROUPS = 64 };

/* The rows of the table that have help; returns how many. */
static int key_groups(unsigned first[GROUPS])
{
    int count = 0;
    char names[64];
    for (unsigned i = 0; i < key_count && count < GROUPS;) {
        first[count++] = i;
        i = key_group(i, names, sizeof names);
    }
    return count;
}

void view_help(struct canvas *c, struct rect where, const struct ui *ui)
{
    unsigned first[GROUPS];
    int groups = key_groups(first), half = (groups + 1) / 2;
    int key_rows = where.height - 2;
    int class_rows = (CLASS_COUNT + 1) / 2 + 1;
    if (key_rows > half)
        key_rows = half;
    int top = (int)ui->help_top;
    if (top > half - key_rows)
        top = half - key_rows;
    struct rect keys = {where.row, where.column, key_rows + 2, where.width};
    canvas_box(c, keys, "Keys  (small: forward, CAPITAL: back; 20s: 20 times)");
    for (int i = 0; i < groups; i++) {
        int row = i % half - top;
        if (row < 0 || row >= key_rows)
            continue;
        char names[64];
        int column = where.column + 2 + (i / half) * (where.width / 2);
        key_group(first[i], names, sizeof names);
        canvas_text(c, keys.row + 1 + row, column, 12, STYLE_TITLE, names);
        canvas_text(c, keys.row + 1 + row, column + 12, where.width / 2 - 14,
                    STYLE_TEXT, key_table[first[i]].help);
    }
    struct rect lower = {keys.row + keys.height - 1, where.column,
                         class_rows + 1, where.width};
    if (lower.row + lower.height > where.row + where.height)
        lower.height = where.row + where.height - lower.row;
    canvas_box(c, lower, "Classes  (the letter says it, a colour repeats it)");
    for (int i = 0; i < CLASS_COUNT; i++) {
        int rows = (CLASS_COUNT + 1) / 2, row = i % rows;
        int column = where.column + 2 + (i / rows) * (where.width / 2);
        if (row >= lower.height - 2)
            continue;
        canvas_put(c, lower.row + 1 + row, column,
                   style_of_letter(classes[i].letter),
                   (uint32_t)classes[i].letter);
        canvas_text(c, lower.row + 1 + row, column + 2, where.width / 2 - 5,
                    STYLE_TEXT, classes[i].text);
    }
    c->cursor_row = keys.row + 1;
    c->cursor_column = where.column + 2;
}
