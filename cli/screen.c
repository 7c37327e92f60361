/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Codes of "select graphic rendition". */
    FOREGROUND = 30,
    FOREGROUND_BRIGHT = 90,
    BACKGROUND = 40,
};

/* ---- at the end -----------------------------------------------------------
 */

int screen_write(struct vm *vm, const char *path)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *out = standard ? stdout : fopen(path, "we");
    struct text_screen screen;
    int error;

    if (!out)
        return errno;
    vm_text_screen(vm, &screen);
    text_screen_print(&screen, out);
    error = fflush(out) || ferror(out) ? errno : 0;
    if (!standard && fclose(out) != 0 && !error)
        error = errno;
    return error;
}

bool screen_is_blank(struct vm *vm)
{
    struct text_screen screen;

    vm_text_screen(vm, &screen);
    return text_screen_is_blank(&screen);
}

/* ---- as it changes --------------------------------------------------------
 */

/* The VGA counts red in bit 2 and blue in bit 0, a terminal the other way. */
static int colour(unsigned vga)
{
    return (int)((vga & 1) << 2 | (vga & 2) | (vga >> 2 & 1));
}

static void draw_row(const struct text_screen *screen, unsigned row)
{
    int attribute = -1;

    printf("\033[%u;1H", row + 1);
    for (unsigned i = 0; i < TEXT_COLUMNS; i++) {
        struct text_cell cell = screen->cell[row][i];
        unsigned a = cell.attribute;

        if ((int)a != attribute)
            printf("\033[%d;%dm",
                   colour(a & TEXT_COLOUR) +
                       (a & TEXT_BRIGHT ? FOREGROUND_BRIGHT : FOREGROUND),
                   colour(text_background(cell)) + BACKGROUND);
        attribute = (int)a;
        putchar(text_ascii(cell.code));
    }
    fputs("\033[0m", stdout);
}

void screen_draw(struct screen *s, struct vm *vm)
{
    struct text_screen now;
    bool changed = false;

    vm_text_screen(vm, &now);
    if (!s->started && text_screen_is_blank(&now))
        return;
    if (!s->started)
        fputs("\033[2J", stdout);
    for (unsigned i = 0; i < TEXT_ROWS; i++) {
        if (s->started &&
            memcmp(s->drawn.cell[i], now.cell[i], sizeof now.cell[i]) == 0)
            continue;
        draw_row(&now, i);
        changed = true;
    }
    if (changed || s->drawn.row != now.row || s->drawn.column != now.column) {
        printf("\033[%u;%uH", now.row + 1, now.column + 1);
        fflush(stdout);
    }
    s->drawn = now;
    s->started = true;
}

void screen_leave(struct screen *s)
{
    if (s->started)
        printf("\033[%d;1H\n", TEXT_ROWS);
    fflush(stdout);
}
