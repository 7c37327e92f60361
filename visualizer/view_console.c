/* SPDX-License-Identifier: MIT */
/* visualizer/view_console.c - screen 3: what the guest writes to COM1. */
#include "visualizer/view.h"

void view_console(struct canvas *c, struct rect where,
                  const struct inspection *in, const struct ui *ui)
{
    int rows = where.height - 2, count = (int)in->console_rows;
    int back = (int)ui->console_back;
    if (back > count - rows)
        back = count - rows;
    if (back < 0)
        back = 0;
    int first = count - rows - back;
    if (first < 0)
        first = 0;

    canvas_box(c, where,
               ui->typing ? "Console  COM1  TYPING: Esc ends"
                          : "Console  COM1  (i: type to the guest)");
    c->cursor_row = where.row + 1;
    c->cursor_column = where.column + 1;
    for (int i = 0; i < rows && first + i < count; i++) {
        int row = where.row + 1 + i;
        c->cursor_column =
            canvas_text(c, row, where.column + 1, where.width - 2, STYLE_TEXT,
                        in->console[first + i]);
        c->cursor_row = row;
    }
    if (c->cursor_column > where.column + where.width - 2)
        c->cursor_column = where.column + where.width - 2;
    if (count == 0)
        canvas_text(c, where.row + 1, where.column + 2, where.width - 4,
                    STYLE_DIM, "(the guest has written nothing yet)");
    else if (back > 0)
        canvas_printf(c, where.row + where.height - 1, where.column + 3, 30,
                      STYLE_TITLE, " %d lines below ", back);
}
