/* SPDX-License-Identifier: MIT */
/* visualizer/canvas.h - a grid of cells, which every screen is drawn into.
 *
 * A cell is a character and what it means (enum style), never a colour. The
 * back ends show a canvas: visualizer/tty_curses.c on a terminal,
 * canvas_write() as text. Everything is clipped, at any size, also 0x0.
 *
 * Units: rows and columns of cells, from 0 at the top left.
 */
#ifndef VISUALIZER_CANVAS_H
#define VISUALIZER_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What a cell means. Its looks are a row of style_table. */
enum style {
    STYLE_TEXT,
    STYLE_DIM,     /* labels, frames */
    STYLE_TITLE,   /* the screen one is on, titles of panes */
    STYLE_SELECT,  /* the selected row */
    STYLE_CURRENT, /* the next instruction */
    STYLE_HIDDEN,
    STYLE_DIRTY,
    STYLE_TRACE,
    STYLE_PAGED,
    STYLE_TRUE,
    STYLE_EMULATE,
    STYLE_DEVICE,
    STYLE_SILENT,
    STYLE_CHANGED, /* since the last stop */
    STYLE_DIFFERS, /* virtual and real are not the same */
    STYLE_STATUS,  /* a message to the user */
    STYLE_COUNT,
};

enum { LOOK_BOLD = 1, LOOK_UNDERLINE = 2, LOOK_REVERSE = 4 };

/* color: an index of the palette, or -1 for the terminal's own. */
struct look {
    short color;
    unsigned char attributes; /* LOOK_ */
};

struct style_row {
    const char *name;
    char letter;                   /* in exports of the styles */
    struct look mono, eight, full; /* for 0, 8 and 256 colours */
};
extern const struct style_row style_table[STYLE_COUNT];

/* The meaning of an event's letter (trace/trace.h). */
enum style style_of_letter(char letter);

struct cell {
    uint32_t ch; /* Unicode, or CANVAS_LINE + directions */
    uint8_t style;
};

/* Pieces of frames: which of the four neighbours a line goes to. Two frames
 * that share an edge join there by themselves. */
enum {
    CANVAS_LINE = 0xE000,
    LINE_UP = 1,
    LINE_DOWN = 2,
    LINE_LEFT = 4,
    LINE_RIGHT = 8,
};

struct canvas {
    int width, height;
    bool unicode;                  /* frames as lines instead of + - | */
    int cursor_row, cursor_column; /* where the terminal's cursor belongs */
    struct cell *cells;
};

struct rect {
    int row, column, height, width;
};

/* NULL: no memory. */
struct canvas *canvas_create(int width, int height);
void canvas_destroy(struct canvas *c);
void canvas_clear(struct canvas *c);

void canvas_put(struct canvas *c, int row, int column, enum style style,
                uint32_t ch);
/* Text in at most width columns. Returns the column after it. What is no
 * printable ASCII is shown as '?'. */
int canvas_text(struct canvas *c, int row, int column, int width,
                enum style style, const char *text);
int canvas_printf(struct canvas *c, int row, int column, int width,
                  enum style style, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* Text broken at spaces into at most rows lines. Returns the lines used. */
int canvas_wrap(struct canvas *c, struct rect where, enum style style,
                const char *text);
/* Another style for cells that are there. */
void canvas_style(struct canvas *c, int row, int column, int width,
                  enum style style);
/* A frame with a title on its upper edge (NULL: none). */
void canvas_box(struct canvas *c, struct rect r, const char *title);

/* The character to show for a cell. */
uint32_t canvas_glyph(const struct canvas *c, const struct cell *cell);
const struct cell *canvas_cell(const struct canvas *c, int row, int column);
/* Row as text without trailing blanks, UTF-8. */
void canvas_row(const struct canvas *c, int row, char *buffer, size_t bytes);
/* All rows as text, or their styles as letters. False: could not be written. */
bool canvas_write(const struct canvas *c, FILE *out);
bool canvas_write_styles(const struct canvas *c, FILE *out);
/* Is this text in some row? */
bool canvas_contains(const struct canvas *c, const char *text);

#endif
