/* SPDX-License-Identifier: MIT */
/* cmdline.c - the words the boot loader passed on. */
#include "kernel.h"

static char line[256];

void cmdline_init(const char *text)
{
    uint32_t i;

    for (i = 0; i < sizeof line - 1 && text[i] != '\0'; i++)
        line[i] = text[i];
    line[i] = '\0';
}

/* The text after `start`, if some word of the line starts so. */
static const char *find(const char *start)
{
    size_t length = strlen(start);

    for (const char *p = line; *p != '\0'; p++) {
        if ((p == line || p[-1] == ' ') && memcmp(p, start, length) == 0)
            return p + length;
    }
    return NULL;
}

bool cmdline_has(const char *word)
{
    const char *rest = find(word);

    return rest && (*rest == '\0' || *rest == ' ');
}

const char *cmdline_value(const char *key)
{
    return find(key);
}
