/* SPDX-License-Identifier: MIT */
/* visualizer/canvas.c - drawing into cells. */
#include "visualizer/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CANVAS_MAX = 1000 }; /* rows and columns; more than any terminal */

struct canvas *canvas_create(int width, int height)
{
    struct canvas *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->width = width < 0 ? 0 : width > CANVAS_MAX ? CANVAS_MAX : width;
    c->height = height < 0 ? 0 : height > CANVAS_MAX ? CANVAS_MAX : height;
    size_t cells = (size_t)c->width * (size_t)c->height;
    c->cells = calloc(cells ? cells : 1, sizeof *c->cells);
    if (!c->cells) {
        free(c);
        return NULL;
    }
    canvas_clear(c);
    return c;
}

void canvas_destroy(struct canvas *c)
{
    if (c)
        free(c->cells);
    free(c);
}

void canvas_clear(struct canvas *c)
{
    for (int i = 0; i < c->width * c->height; i++)
        c->cells[i] = (struct cell){' ', STYLE_TEXT};
    c->cursor_row = c->cursor_column = 0;
}

static struct cell *cell_at(const struct canvas *c, int row, int column)
{
    if (row < 0 || row >= c->height || column < 0 || column >= c->width)
        return NULL;
    return &c->cells[row * c->width + column];
}

const struct cell *canvas_cell(const struct canvas *c, int row, int column)
{
    return cell_at(c, row, column);
}

void canvas_put(struct canvas *c, int row, int column, enum style style,
                uint32_t ch)
{
    struct cell *cell = cell_at(c, row, column);
    if (cell)
        *cell = (struct cell){ch, (uint8_t)style};
}

int canvas_text(struct canvas *c, int row, int column, int width,
                enum style style, const char *text)
{
    for (; *text && width > 0; text++, width--) {
        bool shown = *text >= ' ' && *text <= '~';
        canvas_put(c, row, column++, style, shown ? (uint32_t)*text : '?');
    }
    return column;
}

int canvas_printf(struct canvas *c, int row, int column, int width,
                  enum style style, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return canvas_text(c, row, column, width, style, text);
}

/* How much of text goes into a line of so many columns. */
static int line_length(const char *text, int width)
{
    int length = (int)strnlen(text, (size_t)width + 1);
    if (length <= width)
        return length;
    for (int i = width; i > 0; i--)
        if (text[i] == ' ')
            return i;
    return width;
}

int canvas_wrap(struct canvas *c, struct rect where, enum style style,
                const char *text)
{
    int used = 0;
    while (*text && used < where.height && where.width > 0) {
        int length = line_length(text, where.width);
        canvas_text(c, where.row + used++, where.column, length, style, text);
        text += length;
        while (*text == ' ')
            text++;
    }
    if (*text && used > 0) /* more than fits: say so */
        canvas_text(c, where.row + used - 1, where.column + where.width - 3, 3,
                    style, "...");
    return used;
}

void canvas_style(struct canvas *c, int row, int column, int width,
                  enum style style)
{
    for (int i = 0; i < width; i++) {
        struct cell *cell = cell_at(c, row, column + i);
        if (cell)
            cell->style = (uint8_t)style;
    }
}

static void add_line(struct canvas *c, int row, int column, unsigned to)
{
    struct cell *cell = cell_at(c, row, column);
    if (!cell)
        return;
    if (cell->ch >= CANVAS_LINE && cell->ch < CANVAS_LINE + 16)
        to |= cell->ch - CANVAS_LINE;
    *cell = (struct cell){CANVAS_LINE + to, STYLE_DIM};
}

void canvas_box(struct canvas *c, struct rect r, const char *title)
{
    if (r.width < 2 || r.height < 2)
        return;
    int right = r.column + r.width - 1, bottom = r.row + r.height - 1;
    for (int column = r.column + 1; column < right; column++) {
        add_line(c, r.row, column, LINE_LEFT | LINE_RIGHT);
        add_line(c, bottom, column, LINE_LEFT | LINE_RIGHT);
    }
    for (int row = r.row + 1; row < bottom; row++) {
        add_line(c, row, r.column, LINE_UP | LINE_DOWN);
        add_line(c, row, right, LINE_UP | LINE_DOWN);
    }
    add_line(c, r.row, r.column, LINE_DOWN | LINE_RIGHT);
    add_line(c, r.row, right, LINE_DOWN | LINE_LEFT);
    add_line(c, bottom, r.column, LINE_UP | LINE_RIGHT);
    add_line(c, bottom, right, LINE_UP | LINE_LEFT);
    if (title && r.width > 6)
        canvas_printf(c, r.row, r.column + 2, r.width - 4, STYLE_TITLE, " %s ",
                      title);
}

uint32_t canvas_glyph(const struct canvas *c, const struct cell *cell)
{
    static const uint32_t lines[16] = {
        [LINE_UP] = 0x2502,
        [LINE_DOWN] = 0x2502,
        [LINE_UP | LINE_DOWN] = 0x2502,
        [LINE_LEFT] = 0x2500,
        [LINE_RIGHT] = 0x2500,
        [LINE_LEFT | LINE_RIGHT] = 0x2500,
        [LINE_DOWN | LINE_RIGHT] = 0x250C,
        [LINE_DOWN | LINE_LEFT] = 0x2510,
        [LINE_UP | LINE_RIGHT] = 0x2514,
        [LINE_UP | LINE_LEFT] = 0x2518,
        [LINE_UP | LINE_DOWN | LINE_RIGHT] = 0x251C,
        [LINE_UP | LINE_DOWN | LINE_LEFT] = 0x2524,
        [LINE_DOWN | LINE_LEFT | LINE_RIGHT] = 0x252C,
        [LINE_UP | LINE_LEFT | LINE_RIGHT] = 0x2534,
        [LINE_UP | LINE_DOWN | LINE_LEFT | LINE_RIGHT] = 0x253C,
    };
    if (cell->ch < CANVAS_LINE || cell->ch >= CANVAS_LINE + 16)
        return cell->ch;
    unsigned to = cell->ch - CANVAS_LINE;
    if (c->unicode)
        return lines[to] ? lines[to] : ' ';
    if (!(to & (LINE_LEFT | LINE_RIGHT)))
        return '|';
    return to & (LINE_UP | LINE_DOWN) ? '+' : '-';
}

/* UTF-8 of a character below U+10000. Returns the bytes. */
static size_t utf8(uint32_t ch, char out[3])
{
    if (ch < 0x80) {
        out[0] = (char)ch;
        return 1;
    }
    if (ch < 0x800) {
        out[0] = (char)(0xC0 | ch >> 6);
        out[1] = (char)(0x80 | (ch & 0x3F));
        return 2;
    }
    out[0] = (char)(0xE0 | (ch >> 12 & 0x0F));
    out[1] = (char)(0x80 | (ch >> 6 & 0x3F));
    out[2] = (char)(0x80 | (ch & 0x3F));
    return 3;
}

void canvas_row(const struct canvas *c, int row, char *buffer, size_t bytes)
{
    size_t length = 0;
    int end = c->width;

    while (end > 0 && canvas_cell(c, row, end - 1) &&
           canvas_cell(c, row, end - 1)->ch == ' ')
        end--;
    for (int column = 0; column < end; column++) {
        const struct cell *cell = canvas_cell(c, row, column);
        if (!cell || length + 4 > bytes)
            break;
        length += utf8(canvas_glyph(c, cell), buffer + length);
    }
    if (bytes)
        buffer[length] = '\0';
}

bool canvas_write(const struct canvas *c, FILE *out)
{
    char line[CANVAS_MAX * 3 + 4];
    for (int row = 0; row < c->height; row++) {
        canvas_row(c, row, line, sizeof line);
        fprintf(out, "%s\n", line);
    }
    return !ferror(out);
}

bool canvas_write_styles(const struct canvas *c, FILE *out)
{
    for (int row = 0; row < c->height; row++) {
        for (int column = 0; column < c->width; column++)
            fputc(style_table[canvas_cell(c, row, column)->style].letter, out);
        fputc('\n', out);
    }
    return !ferror(out);
}

bool canvas_contains(const struct canvas *c, const char *text)
{
    char line[CANVAS_MAX * 3 + 4];
    for (int row = 0; row < c->height; row++) {
        canvas_row(c, row, line, sizeof line);
        if (strstr(line, text))
            return true;
    }
    return false;
}
