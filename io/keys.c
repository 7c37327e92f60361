/* SPDX-License-Identifier: MIT */
/* io/keys.c - characters as the keys of a US keyboard.
 *
 * Reference: IBM, "Personal System/2 Hardware Interface Technical Reference",
 * Keyboards, scan code set 1.
 */
#include "io/keys.h"

#include <string.h>

enum {
    KEY_ESCAPE = 0x01,
    KEY_CONTROL = 0x1D,
    KEY_SHIFT = 0x2A,
    KEY_SPACE = 0x39,
    KEY_RELEASED = 0x80,
    KEY_EXTENDED = 0xE0,

    DELETE = 0x7F, /* what a terminal sends for the backspace key */
    LETTERS = 26,
};

/* The characters of keys 02h to 35h, alone and with shift; '\0': none. */
enum { FIRST_KEY = 0x02 };
static const char plain[] = "1234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0"
                            "\\zxcvbnm,./";
static const char shifted[] = "!@#$%^&*()_+\b\tQWERTYUIOP{}\n\0ASDFGHJKL:\"~\0"
                              "|ZXCVBNM<>?";

static uint8_t key_with(const char *characters, size_t count, uint8_t character)
{
    const char *at = character ? memchr(characters, character, count) : NULL;
    return at ? (uint8_t)(FIRST_KEY + (at - characters)) : 0;
}

static size_t press(uint8_t key, uint8_t with, uint8_t codes[KEYS_MOST])
{
    size_t n = 0;
    if (with)
        codes[n++] = with;
    codes[n++] = key;
    codes[n++] = (uint8_t)(key | KEY_RELEASED);
    if (with)
        codes[n++] = (uint8_t)(with | KEY_RELEASED);
    return n;
}

size_t keys_of(uint8_t character, uint8_t codes[KEYS_MOST])
{
    if (character == '\r')
        character = '\n';
    if (character == DELETE)
        character = '\b';
    if (character == ' ')
        return press(KEY_SPACE, 0, codes);
    if (character == KEYS_ESCAPE)
        return press(KEY_ESCAPE, 0, codes);
    uint8_t key = key_with(plain, sizeof plain - 1, character);
    if (key)
        return press(key, 0, codes);
    key = key_with(shifted, sizeof shifted - 1, character);
    if (key)
        return press(key, KEY_SHIFT, codes);
    if (character == 0 || character > LETTERS)
        return 0;
    key = key_with(plain, sizeof plain - 1, (uint8_t)(character + 'a' - 1));
    return press(key, KEY_CONTROL, codes);
}

size_t keys_of_sequence(const char *sequence, uint8_t codes[KEYS_MOST])
{
    static const struct {
        const char *sequence;
        uint8_t key;
        bool extended;
    } known[] = {
        {"[A", 0x48, true},    {"[B", 0x50, true},    {"[C", 0x4D, true},
        {"[D", 0x4B, true},    {"[H", 0x47, true},    {"[F", 0x4F, true},
        {"[1~", 0x47, true},   {"[2~", 0x52, true},   {"[3~", 0x53, true},
        {"[4~", 0x4F, true},   {"[5~", 0x49, true},   {"[6~", 0x51, true},
        {"OA", 0x48, true},    {"OB", 0x50, true},    {"OC", 0x4D, true},
        {"OD", 0x4B, true},    {"OH", 0x47, true},    {"OF", 0x4F, true},
        {"OP", 0x3B, false},   {"OQ", 0x3C, false},   {"OR", 0x3D, false},
        {"OS", 0x3E, false},   {"[15~", 0x3F, false}, {"[17~", 0x40, false},
        {"[18~", 0x41, false}, {"[19~", 0x42, false}, {"[20~", 0x43, false},
        {"[21~", 0x44, false}, {"[23~", 0x57, false}, {"[24~", 0x58, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = 0;
        if (strcmp(sequence, known[i].sequence) != 0)
            continue;
        if (known[i].extended)
            codes[n++] = KEY_EXTENDED;
        codes[n++] = known[i].key;
        if (known[i].extended)
            codes[n++] = KEY_EXTENDED;
        codes[n++] = (uint8_t)(known[i].key | KEY_RELEASED);
        return n;
    }
    return 0;
}
