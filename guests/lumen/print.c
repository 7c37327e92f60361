/* SPDX-License-Identifier: MIT */
/* print.c - formatted text on the console. */
#include "kernel.h"

static void put_number(uint32_t value, uint32_t base, uint32_t width, char pad)
{
    char digits[12];
    uint32_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value && n < sizeof digits);

    for (; width > n; width--)
        console_put(pad);
    while (n > 0)
        console_put(digits[--n]);
}

static void put_signed(int32_t value, uint32_t width)
{
    uint32_t magnitude = (uint32_t)value;

    if (value < 0) {
        console_put('-');
        magnitude = 0u - magnitude;
    }
    put_number(magnitude, 10, width, ' ');
}

static void put_string(const char *s)
{
    while (*s != '\0')
        console_put(*s++);
}

void vkprintf(const char *f, va_list list)
{
    for (; *f != '\0'; f++) {
        uint32_t width = 0;
        char pad = ' ';

        if (*f != '%') {
            console_put(*f);
            continue;
        }
        f++;
        if (*f == '0')
            pad = '0';
        for (; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + (uint32_t)(*f - '0');

        switch (*f) {
        case 's': put_string(va_arg(list, const char *)); break;
        case 'c': console_put((char)va_arg(list, int)); break;
        case 'd': put_signed(va_arg(list, int32_t), width); break;
        case 'u': put_number(va_arg(list, uint32_t), 10, width, pad); break;
        case 'x': put_number(va_arg(list, uint32_t), 16, width, pad); break;
        case '\0': return;
        default: console_put(*f); break;
        }
    }
}

void kprintf(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vkprintf(format, list);
    va_end(list);
    console_flush();
}
