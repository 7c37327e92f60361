/* SPDX-License-Identifier: MIT */
/* vmm/text_screen.c - the VGA's text memory, from where its registers begin. */
#include "vmm/text_screen.h"

#include "vmm/vm.h"

#include <string.h>

enum { TEXT_MEMORY = 0xB8000, TEXT_BYTES = 0x8000 };

void vm_text_screen(struct vm *vm, struct text_screen *out)
{
    unsigned first = pc_vga_start(vm_pc(vm)) * (unsigned)sizeof out->cell[0][0];
    size_t bytes = sizeof out->cell, tail;

    first %= TEXT_BYTES;
    tail = TEXT_BYTES - first;
    if (tail > bytes)
        tail = bytes;
    memset(out, 0, sizeof *out);
    vm_read_physical(vm, GPA(TEXT_MEMORY + first), out->cell, tail);
    vm_read_physical(vm, GPA(TEXT_MEMORY), (uint8_t *)out->cell + tail,
                     bytes - tail);
    pc_vga_cursor(vm_pc(vm), &out->row, &out->column);
}

char text_ascii(uint8_t code)
{
    if (code >= ' ' && code <= '~')
        return (char)code;
    switch (code) {
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
    if (code >= 0xDB && code <= 0xDF)
        return '#';
    return code > 0xB3 && code < 0xDB ? '+' : '.'; /* corners and crossings */
}

int text_screen_row(const struct text_screen *s, unsigned row,
                    char text[TEXT_COLUMNS + 1])
{
    int length = 0;

    for (int i = 0; i < TEXT_COLUMNS; i++) {
        text[i] = text_ascii(s->cell[row][i].code);
        if (text[i] != ' ')
            length = i + 1;
    }
    text[length] = '\0';
    return length;
}

bool text_screen_is_blank(const struct text_screen *s)
{
    char text[TEXT_COLUMNS + 1];

    for (unsigned row = 0; row < TEXT_ROWS; row++)
        if (text_screen_row(s, row, text) > 0)
            return false;
    return true;
}

void text_screen_print(const struct text_screen *s, FILE *out)
{
    char text[TEXT_COLUMNS + 1];
    unsigned blank = 0;

    for (unsigned row = 0; row < TEXT_ROWS; row++) {
        if (text_screen_row(s, row, text) == 0) {
            blank++; /* printed when something follows */
            continue;
        }
        for (; blank > 0; blank--)
            fputc('\n', out);
        fprintf(out, "%s\n", text);
    }
}
