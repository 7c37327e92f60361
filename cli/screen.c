/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    TEXT_MEMORY = 0xB8000,
    TEXT_BYTES = 0x8000,
    CELL_BYTES = 2,

    /* An attribute: blink, background, bright, foreground. */
    COLOUR_BITS = 0x07,
    BRIGHT = 0x08,
    BACKGROUND_SHIFT = 4,

    /* Codes of "select graphic rendition". */
    FOREGROUND = 30,
    FOREGROUND_BRIGHT = 90,
    BACKGROUND = 40,
};

typedef uint8_t cells_t[SCREEN_ROWS][SCREEN_COLUMNS][CELL_BYTES];

static void read_cells(struct vm *vm, cells_t cells)
{
    unsigned first = pc_vga_start(vm_pc(vm)) * CELL_BYTES % TEXT_BYTES;
    size_t bytes = sizeof(cells_t), tail = TEXT_BYTES - first;

    memset(cells, 0, bytes);
    if (tail > bytes)
        tail = bytes;
    vm_read_physical(vm, GPA(TEXT_MEMORY + first), cells, tail);
    vm_read_physical(vm, GPA(TEXT_MEMORY), (uint8_t *)cells + tail,
                     bytes - tail);
}

/* A character of code page 437 in ASCII. */
static char ascii(uint8_t c)
{
    if (c >= ' ' && c <= '~')
        return (char)c;
    switch (c) {
    case 0:
    case 0xFF: return ' ';
    case 0xB3:
    case 0xBA: return '|';
    case 0xC4:
    case 0xCD: return '-';
    case 0xB0:
    case 0xB1:
    case 0xB2: return '#';
    case 0x18: return '^';
    case 0x19: return 'v';
    case 0x1A: return '>';
    case 0x1B: return '<';
    default: break;
    }
    if (c >= 0xDB && c <= 0xDF)
        return '#';
    return c > 0xB3 && c < 0xDB ? '+' : '.'; /* corners and crossings */
}

/* ---- at the end -----------------------------------------------------------
 */

/* One row as text; returns its length without the blanks at its end. */
static int row_text(const uint8_t row[SCREEN_COLUMNS][CELL_BYTES], char *text)
{
    int length = 0;

    for (int i = 0; i < SCREEN_COLUMNS; i++) {
        text[i] = ascii(row[i][0]);
        if (text[i] != ' ')
            length = i + 1;
    }
    return length;
}

static void write_rows(struct vm *vm, FILE *out)
{
    char text[SCREEN_COLUMNS];
    unsigned blank = 0;
    cells_t cells;

    read_cells(vm, cells);
    for (unsigned row = 0; row < SCREEN_ROWS; row++) {
        int length = row_text(cells[row], text);

        if (length == 0) {
            blank++; /* written when something follows */
            continue;
        }
        for (; blank > 0; blank--)
            fputc('\n', out);
        fprintf(out, "%.*s\n", length, text);
    }
}

int screen_write(struct vm *vm, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *out = standard ? stdout : fopen(path, "we");
    int error;

    if (!out)
        return errno;
    write_rows(vm, out);
    error = fflush(out) || ferror(out) ? errno : 0;
    if (!standard && fclose(out) != 0 && !error)
        error = errno;
    return error;
}

static bool cells_are_blank(cells_t cells)
{
    char text[SCREEN_COLUMNS];

    for (unsigned row = 0; row < SCREEN_ROWS; row++)
        if (row_text(cells[row], text) > 0)
            return false;
    return true;
}

bool screen_is_blank(struct vm *vm)
{
    cells_t cells;

    read_cells(vm, cells);
    return cells_are_blank(cells);
}

/* ---- as it changes --------------------------------------------------------
 */

/* The VGA counts red in bit 2 and blue in bit 0, a terminal the other way. */
static int colour(unsigned vga)
{
    return (int)((vga & 1) << 2 | (vga & 2) | (vga >> 2 & 1));
}

static void draw_row(unsigned row, const uint8_t cells[][CELL_BYTES])
{
    int attribute = -1;

    printf("\033[%u;1H", row + 1);
    for (unsigned i = 0; i < SCREEN_COLUMNS; i++) {
        unsigned a = cells[i][1];

        if ((int)a != attribute)
            printf("\033[%d;%dm",
                   colour(a & COLOUR_BITS) +
                       (a & BRIGHT ? FOREGROUND_BRIGHT : FOREGROUND),
                   colour(a >> BACKGROUND_SHIFT & COLOUR_BITS) + BACKGROUND);
        attribute = (int)a;
        putchar(ascii(cells[i][0]));
    }
    fputs("\033[0m", stdout);
}

void screen_draw(struct screen *s, struct vm *vm)
{
    unsigned row, column;
    bool changed = false;
    cells_t cells;

    read_cells(vm, cells);
    if (!s->started && cells_are_blank(cells))
        return;
    pc_vga_cursor(vm_pc(vm), &row, &column);
    if (!s->started)
        fputs("\033[2J", stdout);
    for (unsigned i = 0; i < SCREEN_ROWS; i++) {
        if (s->started && memcmp(s->cells[i], cells[i], sizeof cells[i]) == 0)
            continue;
        draw_row(i, cells[i]);
        changed = true;
    }
    if (changed || s->row != row || s->column != column) {
        printf("\033[%u;%uH", row + 1, column + 1);
        fflush(stdout);
    }
    memcpy(s->cells, cells, sizeof cells);
    s->row = row;
    s->column = column;
    s->started = true;
}

void screen_leave(struct screen *s)
{
    if (s->started)
        printf("\033[%d;1H\n", SCREEN_ROWS);
    fflush(stdout);
}
