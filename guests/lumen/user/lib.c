/* SPDX-License-Identifier: MIT */
/* lib.c - system calls, strings, printf. */
#include "lib.h"
#include <stdarg.h>

static int call(int number, int a, int b, int c)
{
    int result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(a), "c"(b), "d"(c)
                     : "memory");
    return result;
}

_Noreturn void exit(int status)
{
    for (;;)
        call(SYS_EXIT, status, 0, 0);
}

int fork(void)
{
    return call(SYS_FORK, 0, 0, 0);
}

int exec(const char *path, char *const argv[])
{
    return call(SYS_EXEC, (int)path, (int)argv, 0);
}

int wait(int pid, int *status)
{
    return call(SYS_WAIT, pid, (int)status, 0);
}

int wait_nohang(int pid, int *status)
{
    return call(SYS_WAIT, pid, (int)status, 1);
}

int getpid(void)
{
    return call(SYS_GETPID, 0, 0, 0);
}

int yield(void)
{
    return call(SYS_YIELD, 0, 0, 0);
}

int sleep(int ticks)
{
    return call(SYS_SLEEP, ticks, 0, 0);
}

int pipe(int fds[2])
{
    return call(SYS_PIPE, (int)fds, 0, 0);
}

int dup2(int from, int to)
{
    return call(SYS_DUP2, from, to, 0);
}

int read(int fd, void *buffer, size_t bytes)
{
    return call(SYS_READ, fd, (int)buffer, (int)bytes);
}

int write(int fd, const void *buffer, size_t bytes)
{
    return call(SYS_WRITE, fd, (int)buffer, (int)bytes);
}

int open(const char *path)
{
    return call(SYS_OPEN, (int)path, 0, 0);
}

int close(int fd)
{
    return call(SYS_CLOSE, fd, 0, 0);
}

int seek(int fd, int offset, int whence)
{
    return call(SYS_SEEK, fd, offset, whence);
}

void *sbrk(int bytes)
{
    return (void *)call(SYS_SBRK, bytes, 0, 0);
}

int discard(void *pages, size_t bytes)
{
    return call(SYS_DISCARD, (int)pages, (int)bytes, 0);
}

int protect(void *pages, size_t bytes, bool writable)
{
    return call(SYS_PROTECT, (int)pages, (int)bytes, writable);
}

int psinfo(int slot, struct ps_info *info)
{
    return call(SYS_PSINFO, slot, (int)info, 0);
}

int file_name(int index, char name[NAME_BYTES])
{
    return call(SYS_FILE, index, (int)name, 0);
}

int power(int how)
{
    return call(SYS_POWER, how, 0, 0);
}

void *memset(void *to, int byte, size_t bytes)
{
    void *p = to;

    __asm__ volatile("rep stosb" : "+D"(p), "+c"(bytes) : "a"(byte) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
    void *p = to;

    __asm__ volatile("rep movsb"
                     : "+D"(p), "+S"(from), "+c"(bytes)
                     :
                     : "memory");
    return to;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    /* The barrier keeps compilers from making this a call of strlen. */
    while (s[n] != '\0') {
        n++;
        __asm__ volatile("");
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int number_argument(int argc, char **argv, int index, int otherwise)
{
    int n = 0;

    if (index >= argc)
        return otherwise;
    for (const char *p = argv[index]; *p >= '0' && *p <= '9'; p++)
        n = n * 10 + (*p - '0');
    return n;
}

uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct text {
    char buffer[256];
    size_t used;
};

static void put(struct text *text, char c)
{
    if (text->used == sizeof text->buffer) {
        write(1, text->buffer, text->used);
        text->used = 0;
    }
    text->buffer[text->used++] = c;
}

static void put_number(struct text *text, uint32_t value, uint32_t base,
                       uint32_t width, char pad)
{
    char digits[12];
    uint32_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value && n < sizeof digits);
    for (; width > n; width--)
        put(text, pad);
    while (n > 0)
        put(text, digits[--n]);
}

static void put_string(struct text *text, const char *s, uint32_t width)
{
    for (; *s != '\0'; s++) {
        put(text, *s);
        if (width > 0)
            width--;
    }
    while (width-- > 0)
        put(text, ' ');
}

static void put_signed(struct text *text, int value, uint32_t width)
{
    uint32_t magnitude = (uint32_t)value;

    if (value < 0) {
        put(text, '-');
        magnitude = 0u - magnitude;
    }
    put_number(text, magnitude, 10, width, ' ');
}

void printf(const char *f, ...)
{
    struct text text = {.used = 0};
    va_list list;

    va_start(list, f);
    for (; *f != '\0'; f++) {
        uint32_t width = 0;
        char pad = ' ';

        if (*f != '%') {
            put(&text, *f);
            continue;
        }
        f += f[1] == '-' ? 2 : 1; /* %-8s and %8s: strings go left    */
        if (*f == '0')
            pad = '0';
        for (; *f >= '0' && *f <= '9'; f++)
            width = width * 10 + (uint32_t)(*f - '0');

        switch (*f) {
        case 's': put_string(&text, va_arg(list, const char *), width); break;
        case 'c': put(&text, (char)va_arg(list, int)); break;
        case 'd': put_signed(&text, va_arg(list, int), width); break;
        case 'u':
            put_number(&text, va_arg(list, uint32_t), 10, width, pad);
            break;
        case 'x':
            put_number(&text, va_arg(list, uint32_t), 16, width, pad);
            break;
        default: put(&text, *f); break;
        }
        if (*f == '\0')
            break;
    }
    va_end(list);
    write(1, text.buffer, text.used);
}
