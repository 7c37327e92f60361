/* SPDX-License-Identifier: MIT */
/* io/keys.h - what is typed as the scan codes (set 1) of a US keyboard. */
#ifndef IO_KEYS_H
#define IO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYS_MOST = 4,      /* scan codes of one character */
    KEYS_ESCAPE = 0x1B, /* what a terminal's sequences begin with */
    KEYS_SEQUENCE = 5,  /* characters of one, behind the escape */
};

/* The keys that make a character, pressed and released; how many codes they
 * are, 0 if there is no such key. '\r' and '\n' are Enter. */
size_t keys_of(uint8_t character, uint8_t codes[KEYS_MOST]);

/* The same for what a terminal sends behind an escape, such as "[A". */
size_t keys_of_sequence(const char *sequence, uint8_t codes[KEYS_MOST]);

#endif
