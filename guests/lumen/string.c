/* SPDX-License-Identifier: MIT */
/* string.c - the C library functions that compilers call on their own. */
#include "kernel.h"

void *memset(void *to, int byte, size_t bytes)
{
    uint32_t four = (uint8_t)byte * 0x01010101u;
    uint32_t words = bytes / 4, rest = bytes % 4;
    void *p = to;

    __asm__ volatile("cld; rep stosl"
                     : "+D"(p), "+c"(words)
                     : "a"(four)
                     : "memory");
    __asm__ volatile("rep stosb" : "+D"(p), "+c"(rest) : "a"(four) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t bytes)
{
    uint32_t words = bytes / 4, rest = bytes % 4;
    void *p = to;

    __asm__ volatile("cld; rep movsl"
                     : "+D"(p), "+S"(from), "+c"(words)
                     :
                     : "memory");
    __asm__ volatile("rep movsb"
                     : "+D"(p), "+S"(from), "+c"(rest)
                     :
                     : "memory");
    return to;
}

/* Stops at the first difference, so strings shorter than `bytes` are safe. */
int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < bytes; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
    }
    return 0;
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
    return (uint8_t)*a - (uint8_t)*b;
}

void name_copy(char to[NAME_BYTES], const char *from)
{
    uint32_t i;

    for (i = 0; i < NAME_BYTES - 1 && from[i] != '\0'; i++)
        to[i] = from[i];
    while (i < NAME_BYTES)
        to[i++] = '\0';
}
