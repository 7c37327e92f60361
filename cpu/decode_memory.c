/* SPDX-License-Identifier: MIT */
/* cpu/decode_memory.c - instructions that were decoded before.
 *
 * Exits meet the same few instructions again and again, and decoding one takes
 * as long as much of what is then done about it. What bytes mean depends on
 * the bytes and the code size alone, so that a remembered answer is never
 * wrong.
 */
#include <string.h>

#include "cpu/decode.h"

enum { REMEMBERED = 256 };

struct remembered {
    uint8_t key[INSN_MAX_LENGTH + 1]; /* the bytes; 1 + code32, 0: nothing */
    struct insn insn;
};

static _Thread_local struct remembered memory[REMEMBERED];

static struct remembered *slot_of(const uint8_t key[INSN_MAX_LENGTH + 1])
{
    uint64_t half[2];

    memcpy(half, key, sizeof half);
    half[0] = (half[0] ^ half[1] * 0x9E3779B97F4A7C15u) * 0xBF58476D1CE4E5B9u;
    return &memory[half[0] >> 32 & (REMEMBERED - 1)];
}

bool decode(const uint8_t *bytes, size_t available, bool code32,
            struct insn *out)
{
    uint8_t key[INSN_MAX_LENGTH + 1];
    struct remembered *r;

    if (available != INSN_MAX_LENGTH) /* fewer or more may mean another thing */
        return decode_afresh(bytes, available, code32, out);
    memcpy(key, bytes, INSN_MAX_LENGTH);
    key[INSN_MAX_LENGTH] = (uint8_t)(1 + code32);
    r = slot_of(key);
    if (memcmp(r->key, key, sizeof key) != 0) {
        decode_afresh(bytes, INSN_MAX_LENGTH, code32, &r->insn);
        memcpy(r->key, key, sizeof key);
    }
    *out = r->insn;
    return out->status == DECODE_OK;
}
