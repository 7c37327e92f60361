/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    ROWS = 25,
    COLUMNS = 80,
    TEXT_MEMORY = 0xB8000,
    TEXT_BYTES = 0x8000,
    CELL_BYTES = 2,
};

/* One row as text; returns its length without the blanks at its end. */
static int row_text(struct vm *vm, unsigned first_cell, char *text)
{
    int length = 0;

    for (unsigned i = 0; i < COLUMNS; i++) {
        unsigned offset = (first_cell + i) * CELL_BYTES % TEXT_BYTES;
        uint8_t c = 0;

        vm_read_physical(vm, GPA(TEXT_MEMORY + offset), &c, 1);
        if (c == 0)
            c = ' ';
        text[i] = c < ' ' || c > '~' ? '.' : (char)c;
        if (c != ' ')
            length = (int)i + 1;
    }
    return length;
}

static void write_rows(struct vm *vm, FILE *out)
{
    unsigned start = pc_vga_start(vm_pc(vm)), blank = 0;
    char text[COLUMNS];

    for (unsigned row = 0; row < ROWS; row++) {
        int length = row_text(vm, start + row * COLUMNS, text);

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
