/* SPDX-License-Identifier: MIT */
/* visualizer/view_vga.c - screen 4: the guest's VGA text screen.
 *
 * Where there is room, all of it in a frame of its own size; else as many rows
 * as there are, from the one that keeps the guest's cursor in sight or from
 * where the user has scrolled to. Colours say nothing here (see style.c): a
 * background that is not the screen's own is reversed, as menus use it.
 */
#include "visualizer/view.h"

enum { COLOURS = 8 };

/* The background of most cells. */
static unsigned main_background(const struct text_screen *s)
{
    unsigned count[COLOURS] = {0}, most = 0;

    for (unsigned row = 0; row < TEXT_ROWS; row++)
        for (unsigned i = 0; i < TEXT_COLUMNS; i++)
            count[text_background(s->cell[row][i])]++;
    for (unsigned colour = 1; colour < COLOURS; colour++)
        if (count[colour] > count[most])
            most = colour;
    return most;
}

static void draw_row(struct canvas *c, int at, int column,
                     const struct text_screen *s, unsigned row, unsigned plain)
{
    for (unsigned i = 0; i < TEXT_COLUMNS; i++) {
        struct text_cell cell = s->cell[row][i];
        bool stands_out = text_background(cell) != plain;

        canvas_put(c, at, column + (int)i,
                   stands_out ? STYLE_SELECT : STYLE_TEXT,
                   (unsigned char)text_ascii(cell.code));
    }
}

int view_vga_first(const struct text_screen *s, int down, int rows)
{
    int most = rows < TEXT_ROWS ? TEXT_ROWS - rows : 0;
    int first = ((int)s->row < rows ? 0 : most) + down;

    return first < 0 ? 0 : first > most ? most : first;
}

/* In a frame where that fits, else below a title; returns the room inside. */
static struct rect draw_frame(struct canvas *c, struct rect where,
                              const struct ui *ui)
{
    const char *hint = ui->typing ? "TYPING: Esc ends"
                                  : "(i: type to the guest; Up, Down: scroll)";
    struct rect room = {where.row + 1, where.column, where.height - 1,
                        where.width};

    if (where.height >= TEXT_ROWS + 2 && where.width >= TEXT_COLUMNS + 2) {
        canvas_box(c,
                   (struct rect){where.row, where.column, TEXT_ROWS + 2,
                                 TEXT_COLUMNS + 2},
                   ui->typing ? "VGA  TYPING: Esc ends"
                              : "VGA  (i: type to the guest)");
        return (struct rect){where.row + 1, where.column + 1, TEXT_ROWS,
                             TEXT_COLUMNS};
    }
    canvas_printf(c, where.row, where.column, where.width, STYLE_TITLE,
                  "VGA  %s", hint);
    return room;
}

void view_vga(struct canvas *c, struct rect where, const struct inspection *in,
              const struct ui *ui)
{
    const struct text_screen *s = &in->vga;
    struct rect room = draw_frame(c, where, ui);
    unsigned plain = main_background(s);
    int first = view_vga_first(s, ui->vga_down, room.height), shown;
    int cursor = (int)s->row - first;

    for (shown = 0; shown < room.height && first + shown < TEXT_ROWS; shown++)
        draw_row(c, room.row + shown, room.column, s, (unsigned)(first + shown),
                 plain);
    if (text_screen_is_blank(s))
        canvas_text(c, room.row, room.column + 1, room.width - 2, STYLE_DIM,
                    "(nothing stands on the guest's text screen)");
    if (shown < TEXT_ROWS)
        canvas_printf(c, where.row, where.column + where.width - 20, 20,
                      STYLE_TITLE, "rows %d to %d of %d", first + 1,
                      first + shown, TEXT_ROWS);
    if (cursor < 0 || cursor >= shown || s->column >= TEXT_COLUMNS)
        cursor = 0;
    c->cursor_row = room.row + cursor;
    c->cursor_column = room.column + (cursor ? (int)s->column : 0);
}
